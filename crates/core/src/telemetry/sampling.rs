//! How much is told.

use super::Level;

/// A number from 0 up to 1, drawn once for a session: all that happens in it is kept, or left out, together.
pub(super) type Draw = f64;

/// How much is told: a rate for each level, and names that are always or never told. `never` goes before `always`, and
/// `always` before the rate. Everything is told by default.
///
/// A pattern is a name, in which `*` stands for any letters: `*.connector.*`, `action.*`. It is held against the whole name
/// and against the name without its prefix.
#[derive(Debug, Clone)]
pub struct Sampling {
    rates: [f64; 4],
    always: Vec<String>,
    never: Vec<String>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            rates: [1.0; 4],
            always: Vec::new(),
            never: Vec::new(),
        }
    }
}

impl Sampling {
    /// The rate of this level, from 0 (nothing) to 1 (everything).
    #[must_use]
    pub fn rate(mut self, level: Level, rate: f64) -> Self {
        self.rates[level as usize] = rate;
        self
    }

    /// The rate of debugging.
    #[must_use]
    pub fn debug(self, rate: f64) -> Self {
        self.rate(Level::Debug, rate)
    }

    /// The rate of information.
    #[must_use]
    pub fn info(self, rate: f64) -> Self {
        self.rate(Level::Info, rate)
    }

    /// The rate of warnings.
    #[must_use]
    pub fn warn(self, rate: f64) -> Self {
        self.rate(Level::Warn, rate)
    }

    /// The rate of errors.
    #[must_use]
    pub fn error(self, rate: f64) -> Self {
        self.rate(Level::Error, rate)
    }

    /// Tells these whatever the rate.
    #[must_use]
    pub fn always(mut self, pattern: impl Into<String>) -> Self {
        self.always.push(pattern.into());
        self
    }

    /// Never tells these.
    #[must_use]
    pub fn never(mut self, pattern: impl Into<String>) -> Self {
        self.never.push(pattern.into());
        self
    }

    /// Whether something under one of these names is told.
    pub(super) fn keeps(&self, level: Level, names: [&str; 2], draw: Draw) -> bool {
        let is_among = |patterns: &[String]| {
            let mut all = patterns.iter();
            all.any(|pattern| names.iter().any(|name| fits(pattern, name)))
        };
        if is_among(&self.never) {
            return false;
        }
        is_among(&self.always) || draw < self.rates[level as usize]
    }
}

/// Whether a name fits a pattern. It looks back to the last star only, so no pattern takes long.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut place, mut star) = (0, 0, None);
    while place < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, place));
                at += 1;
            }
            Some(letter) if *letter == name[place] => {
                at += 1;
                place += 1;
            }
            _ => {
                let Some((before, from)) = star else { return false };
                star = Some((before, from + 1));
                (at, place) = (before + 1, from + 1);
            }
        }
    }
    pattern[at..].iter().all(|letter| *letter == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: [&str; 2] = ["tieline.connectors.action.failed", "action.failed"];

    #[test]
    fn a_star_stands_for_any_letters() {
        for pattern in [
            "*",
            "*.failed",
            "action.*",
            "a*.f*d",
            "tieline.*",
            "tieline.*.failed",
            "*action*",
            "action.failed",
        ] {
            assert!(NAME.iter().any(|name| fits(pattern, name)), "{pattern}");
        }
        for pattern in ["", "action", "*.fail", "failed.*", "action.failed.*", "x*", "*.*.*.*.*"] {
            assert!(!NAME.iter().any(|name| fits(pattern, name)), "{pattern}");
        }
        let (pattern, name) = ("*a".repeat(40), "a".repeat(5000) + "b");
        assert!(!fits(&pattern, &name));
    }

    #[test]
    fn never_goes_before_always_and_always_before_the_rate() {
        let rates = Sampling::default().info(0.5).error(0.0);
        assert!(rates.keeps(Level::Info, NAME, 0.49) && !rates.keeps(Level::Info, NAME, 0.5));
        assert!(!rates.keeps(Level::Error, NAME, 0.0));
        let always = rates.always("*.failed");
        assert!(always.keeps(Level::Error, NAME, 0.99));
        assert!(!always.never("action.*").keeps(Level::Error, NAME, 0.0));
    }

    #[test]
    fn everything_is_told_unless_asked_otherwise() {
        for level in [Level::Debug, Level::Info, Level::Warn, Level::Error] {
            assert!(Sampling::default().keeps(level, NAME, 1.0_f64.next_down()));
        }
    }
}

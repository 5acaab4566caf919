//! The order of names for people: the root order of the Unicode Collation Algorithm (UTS 10), as far as names go.
//! Letters count before accents and accents before case, small letters stand before capitals; blanks, punctuation,
//! signs, digits and letters follow one another in this order.

use std::cmp::Ordering;

use icu_normalizer::DecomposingNormalizerBorrowed;

pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (a_key, b_key) = (Key::of(a), Key::of(b));
    a_key.cmp(&b_key).then_with(|| a.cmp(b))
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    letters: Vec<(u8, String)>,
    /// Each with the number of letters before it.
    accents: Vec<(usize, char)>,
    capitals: Vec<bool>,
}

impl Key {
    fn of(text: &str) -> Self {
        let mut key = Self {
            letters: Vec::new(),
            accents: Vec::new(),
            capitals: Vec::new(),
        };
        for letter in DecomposingNormalizerBorrowed::new_nfd().normalize(text).chars() {
            if is_accent(letter) {
                key.accents.push((key.letters.len(), letter));
            } else {
                key.letters.push((class(letter), letter.to_lowercase().collect()));
                key.capitals.push(letter.is_uppercase());
            }
        }
        key
    }
}

/// Marks that stand on the letter before them.
fn is_accent(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}')
}

fn class(letter: char) -> u8 {
    match letter {
        _ if letter.is_whitespace() => 0,
        _ if letter.is_ascii_punctuation() => 1,
        _ if letter.is_numeric() => 3,
        _ if letter.is_alphabetic() => 4,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_as_people_look_for_them() {
        let sorted = [
            "_draft",
            "1a",
            "apple",
            "Apple",
            "apple pie",
            "Banana",
            "éclair",
            "Éclair",
            "eclairs",
            "Über",
            "zoo",
            "Zoo 2",
        ];
        let mut names = sorted.to_vec();
        names.reverse();
        names.sort_by(|a, b| compare(a, b));
        assert_eq!(names, sorted);
        assert_eq!(compare("eclair", "éclair"), Ordering::Less);
        assert_eq!(compare("a", "a"), Ordering::Equal);
    }
}

//! Names that people give.

use crate::{
    error::{Code, Error, Result},
    limits::{MAX_DESCRIPTION_CHARS, MAX_NAME_CHARS},
};

/// The name of a connection, unless given.
pub(crate) const DEFAULT_NAME: &str = "default";

/// Names that people give: not empty, bounded, no control characters.
pub(crate) fn check_name(pointer: &str, name: &str) -> Result<()> {
    if name.trim().is_empty() || name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        let message = format!("must have 1 to {MAX_NAME_CHARS} characters, none of them a control character");
        return Err(Error::new(Code::RequestInvalid, "A name is not usable: see `fields`.").field(pointer, message));
    }
    Ok(())
}

/// A few sentences, and nothing that a terminal would take for a command.
pub(crate) fn check_description(description: Option<&str>) -> Result<()> {
    let fits = |text: &str| {
        text.chars().count() <= MAX_DESCRIPTION_CHARS
            && !text.chars().any(|letter| letter.is_control() && letter != '\n')
    };
    if description.is_none_or(fits) {
        return Ok(());
    }
    let message = format!("must have {MAX_DESCRIPTION_CHARS} characters at most, none of them a control character");
    Err(Error::new(Code::RequestInvalid, "The description is not usable: see `fields`.").field("/description", message))
}

/// Room for `-100` behind a derived name.
const NUMBER_CHARS: usize = 4;

/// A name from a display name: lower case letters and digits, joined by single hyphens, with room for a number.
pub(crate) fn slug(text: &str) -> String {
    let mut slug = String::new();
    let letters = text.chars().flat_map(char::to_lowercase);
    for letter in letters.take(MAX_NAME_CHARS - NUMBER_CHARS) {
        if letter.is_alphanumeric() {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() {
        DEFAULT_NAME.to_owned()
    } else {
        slug.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs() {
        for (text, expected) in [
            ("Main Account", "main-account"),
            ("  Ünï & Co. ", "ünï-co"),
            ("!!!", "default"),
            ("a", "a"),
        ] {
            assert_eq!(slug(text), expected);
        }
    }
}

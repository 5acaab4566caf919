//! Addresses of persons, in one form.

use crate::{
    error::{Code, Error, Result},
    limits::MAX_EMAIL_CHARS,
};

/// An e-mail address, normalised: trimmed and in lower case. Whether mail arrives there nobody knows here; it is a name.
pub(crate) struct Email(String);

impl Email {
    /// # Errors
    /// `REQUEST_INVALID` at `/email`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let email = text.trim().to_lowercase();
        let fits = email.rsplit_once('@').is_some_and(|(name, host)| {
            let plain =
                |letter: char| !letter.is_whitespace() && !letter.is_control() && !"@<>,;:\\\"()[]".contains(letter);
            !name.is_empty() && !host.is_empty() && name.chars().all(plain) && host.chars().all(plain)
        });
        if fits && email.chars().count() <= MAX_EMAIL_CHARS {
            return Ok(Self(email));
        }
        let message = format!("must be an address such as `ada@example.com`, of at most {MAX_EMAIL_CHARS} characters");
        Err(Error::new(Code::RequestInvalid, "This is no e-mail address: see `fields`.").field("/email", message))
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_one_form() {
        for (text, expected) in [
            (" Ada@Example.COM ", "ada@example.com"),
            ("o'neill+x@host", "o'neill+x@host"),
            ("Jürgen@BÜRO.example", "jürgen@büro.example"),
        ] {
            assert_eq!(Email::parse(text).unwrap().into_text(), expected);
        }
        let long = format!("{}@example.com", "a".repeat(MAX_EMAIL_CHARS));
        for wrong in [
            "",
            "@",
            "ada",
            "ada@",
            "@host",
            "a b@host",
            "a@b@c",
            "ada@ho\nst",
            "<ada@host>",
            &long,
        ] {
            let error = Email::parse(wrong).err().unwrap();
            assert_eq!(error.fields()[0].pointer, "/email", "{wrong}");
        }
    }
}

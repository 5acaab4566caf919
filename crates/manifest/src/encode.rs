//! How text is written into its place.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{json::escape_string, request::Encode};

/// All but the unreserved characters of RFC 3986 section 2.3.
const PERCENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The same, with the space left to be written as `+`.
const FORM: &AsciiSet = &PERCENT.remove(b' ');

impl Encode {
    /// Appends `text`, written for this place.
    pub fn write(self, text: &str, out: &mut String) {
        match self {
            Self::Raw => out.push_str(text),
            Self::Percent => out.extend(utf8_percent_encode(text, PERCENT)),
            Self::Form => {
                for piece in utf8_percent_encode(text, FORM) {
                    for (index, part) in piece.split(' ').enumerate() {
                        if index > 0 {
                            out.push('+');
                        }
                        out.push_str(part);
                    }
                }
            }
            Self::Json => escape_string(out, text),
            Self::Base64 => STANDARD.encode_string(text, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(encode: Encode, text: &str) -> String {
        let mut out = String::new();
        encode.write(text, &mut out);
        out
    }

    #[test]
    fn each_place_has_its_writing() {
        let text = "a b/c?d=é&\"\n*~";
        assert_eq!(encoded(Encode::Raw, text), text);
        assert_eq!(encoded(Encode::Percent, text), "a%20b%2Fc%3Fd%3D%C3%A9%26%22%0A%2A~");
        assert_eq!(encoded(Encode::Form, text), "a+b%2Fc%3Fd%3D%C3%A9%26%22%0A%2A~");
        assert_eq!(encoded(Encode::Json, text), "a b/c?d=é&\\\"\\n*~");
        assert_eq!(encoded(Encode::Base64, "user:pass"), "dXNlcjpwYXNz");
    }

    proptest::proptest! {
        #[test]
        fn encoded_text_reads_back(text in "\\PC{0,60}") {
            let form = format!("k={}", encoded(Encode::Form, &text));
            let pairs: Vec<_> = url::form_urlencoded::parse(form.as_bytes()).collect();
            proptest::prop_assert_eq!(&pairs[0].1, &text);
            let percent = encoded(Encode::Percent, &text);
            let back = percent_encoding::percent_decode_str(&percent).decode_utf8().unwrap().into_owned();
            proptest::prop_assert_eq!(&back, &text);
            let json = format!("\"{}\"", encoded(Encode::Json, &text));
            proptest::prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }
}

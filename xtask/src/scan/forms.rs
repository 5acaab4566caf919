//! The forms a secret may take where it leaks.

use base64::{
    Engine,
    alphabet::{Alphabet, STANDARD, URL_SAFE},
    engine::{GeneralPurpose, general_purpose::NO_PAD},
};

/// Every form of these bytes, with its name. A form that is the same as an earlier one is left out.
pub(super) fn all(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut forms = vec![("raw", bytes.to_vec())];
    let mut add = |name, form: Vec<u8>| {
        if !forms.iter().any(|(_, known)| *known == form) {
            forms.push((name, form));
        }
    };
    for (name, alphabet) in [("base64", STANDARD), ("base64url", URL_SAFE)] {
        for before in 0..3 {
            add(name, base64(bytes, before, &alphabet));
        }
    }
    add("hex", each(bytes, |byte| format!("{byte:02x}")));
    add("upper hex", each(bytes, |byte| format!("{byte:02X}")));
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let escaped = |byte: u8| format!("%{byte:02X}");
    let percent = |byte: u8| if unreserved(byte) { letter(byte) } else { escaped(byte) };
    let lower = |byte: u8| {
        if unreserved(byte) {
            letter(byte)
        } else {
            escaped(byte).to_lowercase()
        }
    };
    let form = |byte: u8| if byte == b' ' { "+".to_owned() } else { percent(byte) };
    add("percent-encoded", each(bytes, percent));
    add("percent-encoded", each(bytes, lower));
    add("percent-encoded", each(bytes, escaped));
    add("form-encoded", each(bytes, form));
    add("list of bytes", list(bytes, ","));
    add("list of bytes", list(bytes, ", "));
    add("byte string", bytes.escape_ascii().collect());
    if let Ok(text) = std::str::from_utf8(bytes) {
        let json = inside_quotes(&serde_json::Value::from(text).to_string());
        add(
            "JSON in JSON",
            inside_quotes(&serde_json::Value::from(json.as_str()).to_string()).into_bytes(),
        );
        add("JSON", json.replace('/', "\\/").into_bytes());
        add("JSON", only_ascii(&json).into_bytes());
        add("JSON", json.into_bytes());
        add("UTF-16LE", text.encode_utf16().flat_map(u16::to_le_bytes).collect());
        add("UTF-16BE", text.encode_utf16().flat_map(u16::to_be_bytes).collect());
    }
    forms
}

/// The letters of base64 that stand for these bytes alone, with so many other bytes before them in the group of three.
fn base64(bytes: &[u8], before: usize, alphabet: &Alphabet) -> Vec<u8> {
    let shifted = [&vec![0; before], bytes].concat();
    let letters = GeneralPurpose::new(alphabet, NO_PAD).encode(&shifted).into_bytes();
    // A letter stands for six bits: the first whole one begins at or after the bytes, the last ends with or before them.
    let (first, end) = ((before * 8).div_ceil(6), shifted.len() * 8 / 6);
    letters[first..end].to_vec()
}

fn letter(byte: u8) -> String {
    char::from(byte).to_string()
}

fn each(bytes: &[u8], form: impl Fn(u8) -> String) -> Vec<u8> {
    bytes.iter().flat_map(|byte| form(*byte).into_bytes()).collect()
}

fn list(bytes: &[u8], between: &str) -> Vec<u8> {
    let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
    numbers.join(between).into_bytes()
}

fn inside_quotes(text: &str) -> String {
    text[1..text.len() - 1].to_owned()
}

/// Escapes what JSON need not escape.
fn only_ascii(json: &str) -> String {
    let mut text = String::new();
    for unit in json.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\u{unit:04x}")),
        }
    }
    text
}

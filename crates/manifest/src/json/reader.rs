//! The one JSON reader: RFC 8259 as a stream of events, with limits and duplicate keys judged on the way.

use std::borrow::Cow;

use super::{JsonError, JsonErrorKind, JsonLimits};

/// What stands next in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    Null,
    Bool(bool),
    /// The number as it is written.
    Number(&'a str),
    String(Cow<'a, str>),
    Key(Cow<'a, str>),
    ArrayStart,
    ArrayEnd,
    ObjectStart,
    ObjectEnd,
}

/// Where the reader stands inside a container.
enum Frame {
    /// `first` until an element was read.
    Array { first: bool },
    /// Keys of this object begin at `keys_from` in the shared list.
    Object { first: bool, keys_from: usize },
}

pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Byte offset where the last event began.
    pub(crate) event_at: usize,
    limits: JsonLimits,
    nodes: usize,
    frames: Vec<Frame>,
    keys: Vec<(Cow<'a, str>, usize)>,
    /// A key was read and its value is due.
    value_due: bool,
    done: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str, limits: JsonLimits) -> Result<Self, JsonError> {
        let mut reader = Self {
            text,
            at: 0,
            event_at: 0,
            limits,
            nodes: 0,
            frames: Vec::new(),
            keys: Vec::new(),
            value_due: false,
            done: false,
        };
        if text.len() > limits.bytes {
            return Err(reader.error_at(
                0,
                JsonErrorKind::TooLarge,
                format!(
                    "the text is {} bytes long; at most {} are read",
                    text.len(),
                    limits.bytes
                ),
            ));
        }
        if text.starts_with('\u{feff}') {
            return Err(reader.syntax("a byte order mark is not JSON; save the text without it"));
        }
        reader.skip_space();
        Ok(reader)
    }

    /// The next event, or nothing after the one value of the text.
    pub(crate) fn next(&mut self) -> Result<Option<Event<'a>>, JsonError> {
        self.skip_space();
        self.event_at = self.at;
        if self.done {
            return if self.at == self.text.len() {
                Ok(None)
            } else {
                Err(self.syntax("nothing may follow the value"))
            };
        }
        if self.value_due {
            self.value_due = false;
            return self.value().map(Some);
        }
        match self.frames.last() {
            None => self.value().map(Some),
            Some(Frame::Array { first }) => {
                let first = *first;
                self.in_array(first).map(Some)
            }
            Some(Frame::Object { first, .. }) => {
                let first = *first;
                self.in_object(first).map(Some)
            }
        }
    }

    fn in_array(&mut self, first: bool) -> Result<Event<'a>, JsonError> {
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(self.close(Event::ArrayEnd));
        }
        if first {
            if let Some(Frame::Array { first }) = self.frames.last_mut() {
                *first = false;
            }
        } else {
            self.comma("`,` or `]`", b']')?;
        }
        self.value()
    }

    fn in_object(&mut self, first: bool) -> Result<Event<'a>, JsonError> {
        if self.peek() == Some(b'}') {
            self.at += 1;
            self.refuse_duplicate_keys()?;
            return Ok(self.close(Event::ObjectEnd));
        }
        if first {
            if let Some(Frame::Object { first, .. }) = self.frames.last_mut() {
                *first = false;
            }
        } else {
            self.comma("`,` or `}`", b'}')?;
        }
        self.event_at = self.at;
        if self.peek() != Some(b'"') {
            return Err(self.syntax("a key in double quotes is expected"));
        }
        self.count_node()?;
        let key = self.string()?;
        if key.len() > self.limits.key_bytes {
            return Err(self.error_at(
                self.event_at,
                JsonErrorKind::TooComplex,
                format!("a key is longer than {} bytes", self.limits.key_bytes),
            ));
        }
        self.keys.push((key.clone(), self.event_at));
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.syntax("`:` is expected after a key"));
        }
        self.at += 1;
        self.value_due = true;
        Ok(Event::Key(key))
    }

    fn comma(&mut self, expected: &str, closing: u8) -> Result<(), JsonError> {
        if self.peek() != Some(b',') {
            return Err(self.syntax(&format!("{expected} is expected")));
        }
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(closing) {
            return Err(self.syntax("a comma must be followed by another element"));
        }
        self.event_at = self.at;
        Ok(())
    }

    fn close(&mut self, event: Event<'a>) -> Event<'a> {
        if let Some(Frame::Object { keys_from, .. }) = self.frames.pop() {
            self.keys.truncate(keys_from);
        }
        self.done = self.frames.is_empty();
        event
    }

    /// Sorting the keys of a finished object keeps a hostile one at n log n.
    fn refuse_duplicate_keys(&mut self) -> Result<(), JsonError> {
        let Some(Frame::Object { keys_from, .. }) = self.frames.last() else {
            return Ok(());
        };
        let keys = &mut self.keys[*keys_from..];
        keys.sort_unstable();
        if let Some(pair) = keys.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let (key, at) = (pair[1].0.clone(), pair[1].1);
            let key: String = key.chars().take(80).collect();
            return Err(self.error_at(
                at,
                JsonErrorKind::DuplicateKey,
                format!("the key {key:?} stands twice in one object"),
            ));
        }
        Ok(())
    }

    fn value(&mut self) -> Result<Event<'a>, JsonError> {
        self.skip_space();
        self.event_at = self.at;
        self.count_node()?;
        let event = match self.peek() {
            Some(b'{') => {
                let keys_from = self.keys.len();
                return self.open(Frame::Object { first: true, keys_from }, Event::ObjectStart);
            }
            Some(b'[') => return self.open(Frame::Array { first: true }, Event::ArrayStart),
            Some(b'"') => Event::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => Event::Number(self.number()?),
            Some(b't') => self.word("true", Event::Bool(true))?,
            Some(b'f') => self.word("false", Event::Bool(false))?,
            Some(b'n') => self.word("null", Event::Null)?,
            Some(_) => return Err(self.syntax("a JSON value is expected")),
            None => return Err(self.syntax("the text ends where a value is expected")),
        };
        self.done = self.frames.is_empty();
        Ok(event)
    }

    fn open(&mut self, frame: Frame, event: Event<'a>) -> Result<Event<'a>, JsonError> {
        if self.frames.len() >= self.limits.depth {
            return Err(self.error_at(
                self.at,
                JsonErrorKind::TooComplex,
                format!("it is nested deeper than {} levels", self.limits.depth),
            ));
        }
        self.at += 1;
        self.frames.push(frame);
        Ok(event)
    }

    fn word(&mut self, word: &str, event: Event<'a>) -> Result<Event<'a>, JsonError> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.syntax("a JSON value is expected"));
        }
        self.at += word.len();
        Ok(event)
    }

    fn number(&mut self) -> Result<&'a str, JsonError> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') && self.digits() == 0 {
            return Err(self.syntax("a digit is expected"));
        }
        if self.eat(b'.') && self.digits() == 0 {
            return Err(self.syntax("a digit is expected after the point"));
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            if self.digits() == 0 {
                return Err(self.syntax("a digit is expected in the exponent"));
            }
        }
        if matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.syntax("a number does not begin with a zero"));
        }
        Ok(&self.text[start..self.at])
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.at += 1;
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut owned: Option<String> = None;
        let mut plain_from = start;
        loop {
            match bytes.get(self.at) {
                None => return Err(self.syntax("the text ends inside a string")),
                Some(b'"') => break,
                Some(b'\\') => {
                    let out = owned.get_or_insert_with(String::new);
                    out.push_str(&self.text[plain_from..self.at]);
                    let c = self.escape()?;
                    owned.get_or_insert_with(String::new).push(c);
                    plain_from = self.at;
                }
                Some(0..=0x1f) => {
                    return Err(self.syntax("a control character must be escaped in a string"));
                }
                Some(_) => self.at += 1,
            }
        }
        let rest = &self.text[plain_from..self.at];
        self.at += 1;
        Ok(match owned {
            None => Cow::Borrowed(rest),
            Some(mut out) => {
                out.push_str(rest);
                Cow::Owned(out)
            }
        })
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let at = self.at;
        self.at += 1;
        let Some(letter) = self.peek() else {
            return Err(self.syntax("the text ends inside a string"));
        };
        self.at += 1;
        Ok(match letter {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(at),
            _ => return Err(self.error_at(at, JsonErrorKind::Syntax, "this escape is not JSON".to_owned())),
        })
    }

    fn unicode_escape(&mut self, at: usize) -> Result<char, JsonError> {
        let first = self.hex4()?;
        let code = match first {
            0xd800..=0xdbff if self.text.as_bytes()[self.at..].starts_with(b"\\u") => {
                self.at += 2;
                let second = self.hex4()?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return Err(self.lone_surrogate(at));
                }
                0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            0xd800..=0xdfff => return Err(self.lone_surrogate(at)),
            0 => {
                return Err(self.error_at(
                    at,
                    JsonErrorKind::NulCharacter,
                    "the character U+0000 cannot be stored".to_owned(),
                ));
            }
            other => other,
        };
        char::from_u32(code).ok_or_else(|| self.lone_surrogate(at))
    }

    fn lone_surrogate(&self, at: usize) -> JsonError {
        self.error_at(
            at,
            JsonErrorKind::LoneSurrogate,
            "half of a surrogate pair is no character".to_owned(),
        )
    }

    fn hex4(&mut self) -> Result<u32, JsonError> {
        let digits = self
            .text
            .as_bytes()
            .get(self.at..self.at + 4)
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .ok_or_else(|| self.syntax("four hexadecimal digits are expected after \\u"))?;
        self.at += 4;
        Ok(digits
            .iter()
            .fold(0, |sum, digit| sum * 16 + char::from(*digit).to_digit(16).unwrap_or(0)))
    }

    fn count_node(&mut self) -> Result<(), JsonError> {
        self.nodes += 1;
        if self.nodes > self.limits.nodes {
            return Err(self.error_at(
                self.at,
                JsonErrorKind::TooComplex,
                format!("it has more than {} values and keys", self.limits.nodes),
            ));
        }
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn syntax(&self, message: &str) -> JsonError {
        self.error_at(self.at, JsonErrorKind::Syntax, message.to_owned())
    }

    fn error_at(&self, at: usize, kind: JsonErrorKind, message: String) -> JsonError {
        let (line, column) = position(self.text, at);
        JsonError {
            kind,
            line,
            column,
            message,
        }
    }
}

/// Line and column (in characters) of a byte offset, both counted from 1.
pub(crate) fn position(text: &str, at: usize) -> (u32, u32) {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = &text[..at];
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    (
        u32::try_from(line).unwrap_or(u32::MAX),
        u32::try_from(column).unwrap_or(u32::MAX),
    )
}

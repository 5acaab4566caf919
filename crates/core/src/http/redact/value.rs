//! Secrets by value: each of this call's secrets, in every form it may have been written in.

use std::{borrow::Cow, ops::Range};

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use memchr::memmem;

use crate::{limits::MIN_SCRUBBED_SECRET_BYTES, secret::Secret};

/// Bytes to look for, in every [`Form`].
pub(super) struct Needle {
    bytes: Secret<Vec<u8>>,
    /// For each beginning of the bytes, how long the longest shorter beginning is that also ends it: how they repeat.
    borders: Vec<usize>,
    /// The base64 letter before also holds bits of the secret.
    letter_before: bool,
    /// The base64 letter after also holds bits of the secret.
    letter_after: bool,
}

/// How a text may write a byte. A secret is recognised when all of it is written in one form, or in one inside another
/// ([`Form::holds`]), whichever characters the writer chose to escape.
#[derive(Clone, Copy)]
enum Form {
    Raw,
    Percent,
    /// Percent-encoding in which `+` is a space, as forms have it.
    PercentPlus,
    Json,
}

const FORMS: [Form; 4] = [Form::Raw, Form::Percent, Form::PercentPlus, Form::Json];

/// Everything to look for: each secret itself, and the letters that stand for it inside base64.
pub(super) fn needles<'a>(secrets: impl Iterator<Item = &'a str>) -> Vec<Needle> {
    secrets
        .flat_map(|secret| {
            let plain = Needle::new(Secret::new(secret.as_bytes().to_vec()), false, false);
            std::iter::once(plain).chain((0..3).flat_map(move |shift| base64_needles(secret, shift)))
        })
        .collect()
}

/// The secret inside base64 (RFC 4648) when `shift` bytes of a group of three stand before it, in both alphabets.
/// Letters that mix its bits with its neighbours' are left out of the needle.
fn base64_needles(secret: &str, shift: usize) -> impl Iterator<Item = Needle> {
    let mut shifted = Secret::new(vec![0; shift]);
    shifted.reveal_mut().reserve_exact(secret.len());
    shifted.reveal_mut().extend_from_slice(secret.as_bytes());
    let bits = shifted.reveal().len() * 8;
    let letters = Secret::new(STANDARD_NO_PAD.encode(shifted.reveal()));
    let whole = letters.reveal().as_bytes()[(shift * 8).div_ceil(6)..bits / 6].to_vec();
    let standard = Secret::new(whole);
    let to_url_safe = |letter: &u8| match letter {
        b'+' => b'-',
        b'/' => b'_',
        other => *other,
    };
    let url_safe = Secret::new(standard.reveal().iter().map(to_url_safe).collect::<Vec<_>>());
    let second = (url_safe.reveal() != standard.reveal()).then_some(url_safe);
    std::iter::once(standard)
        .chain(second)
        .map(move |bytes| Needle::new(bytes, shift > 0, !bits.is_multiple_of(6)))
}

/// Where the needles are, in any form. Linear in the text for each needle: what a service answers must not be able to
/// keep a worker busy.
pub(super) fn find(needles: &[Needle], text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    if needles.is_empty() {
        return spans;
    }
    let text = text.as_bytes();
    for form in FORMS {
        let Some(said) = form.read(text) else { continue };
        for needle in needles {
            spans.extend(said.find(needle).map(|span| needle.widen(text, span)));
        }
        for inner in form.holds().iter().filter_map(|inner| inner.read(&said.bytes)) {
            for needle in needles {
                spans.extend(inner.find(needle).map(|span| needle.widen(text, said.place(span))));
            }
        }
    }
    spans
}

/// What a text says in one form, and where it says it.
struct Said<'t> {
    bytes: Cow<'t, [u8]>,
    /// Where each byte's writing begins and ends; empty when the text is what it says.
    places: Vec<Range<usize>>,
}

impl Said<'_> {
    /// Every place of the needle, and the end of the text where it was cut inside the needle.
    fn find(&self, needle: &Needle) -> impl Iterator<Item = Range<usize>> {
        let (bytes, borders) = (needle.bytes.reveal(), &needle.borders);
        let mut spans = whole(bytes, borders, &self.bytes);
        let cut = longest_cut(bytes, borders, &self.bytes);
        if cut >= MIN_SCRUBBED_SECRET_BYTES {
            spans.push(self.bytes.len() - cut..self.bytes.len());
        }
        spans.into_iter().map(|span| self.place(span))
    }

    fn place(&self, span: Range<usize>) -> Range<usize> {
        match (self.places.get(span.start), self.places.get(span.end - 1)) {
            (Some(first), Some(last)) => first.start..last.end,
            _ => span,
        }
    }
}

/// Where the whole needle stands, overlapping ones too. A run of a needle that repeats itself is one span: finding each
/// turn of it would take the product of both lengths.
fn whole(needle: &[u8], borders: &[usize], text: &[u8]) -> Vec<Range<usize>> {
    let finder = memmem::Finder::new(needle);
    let period = needle.len() - borders[needle.len() - 1];
    let (mut spans, mut from) = (Vec::new(), 0);
    while let Some(found) = finder.find(&text[from..]) {
        let start = from + found;
        let mut end = start + needle.len();
        while period <= needle.len() / 2 && text.get(end) == Some(&text[end - period]) {
            end += 1;
        }
        spans.push(start..end);
        from = end - needle.len() + 1;
    }
    spans
}

/// How many bytes at the end of `text` are the beginning, but not the whole, of `needle` (Knuth, Morris, Pratt).
fn longest_cut(needle: &[u8], borders: &[usize], text: &[u8]) -> usize {
    let tail = &text[text.len() - text.len().min(needle.len() - 1)..];
    tail.iter().fold(0, |mut matched, byte| {
        while matched > 0 && *byte != needle[matched] {
            matched = borders[matched - 1];
        }
        matched + usize::from(*byte == needle[matched])
    })
}

fn borders(needle: &[u8]) -> Vec<usize> {
    let (mut borders, mut matched) = (vec![0; needle.len()], 0);
    for at in 1..needle.len() {
        while matched > 0 && needle[at] != needle[matched] {
            matched = borders[matched - 1];
        }
        matched += usize::from(needle[at] == needle[matched]);
        borders[at] = matched;
    }
    borders
}

impl Needle {
    fn new(bytes: Secret<Vec<u8>>, letter_before: bool, letter_after: bool) -> Self {
        Self {
            borders: borders(bytes.reveal()),
            bytes,
            letter_before,
            letter_after,
        }
    }

    /// Takes in the base64 letters at the edges, and the padding.
    fn widen(&self, text: &[u8], mut span: Range<usize>) -> Range<usize> {
        let is_letter = |at: usize| {
            text.get(at)
                .is_some_and(|byte| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte))
        };
        if self.letter_before && span.start > 0 && is_letter(span.start - 1) {
            span.start -= 1;
        }
        if self.letter_after && is_letter(span.end) {
            span.end += 1;
            while text.get(span.end) == Some(&b'=') {
                span.end += 1;
            }
        }
        span
    }
}

impl Form {
    /// The forms that are often found inside this one: JSON kept as a string of JSON, JSON and addresses in an address.
    fn holds(self) -> &'static [Self] {
        match self {
            Self::Raw => &[],
            Self::Percent => &[Self::Percent, Self::PercentPlus, Self::Json],
            Self::PercentPlus | Self::Json => &[Self::Json],
        }
    }

    /// What the text says in this form; nothing where that is what another form says too.
    fn read(self, text: &[u8]) -> Option<Said<'_>> {
        let escape = match self {
            Self::Raw => {
                return Some(Said {
                    bytes: Cow::Borrowed(text),
                    places: Vec::new(),
                });
            }
            Self::Percent => b'%',
            Self::PercentPlus => b'+',
            Self::Json => b'\\',
        };
        memchr::memchr(escape, text)?;
        let (mut bytes, mut places, mut at) = (Vec::with_capacity(text.len()), Vec::with_capacity(text.len()), 0);
        while at < text.len() {
            let (unit, length, consumed) = self.unit(&text[at..]);
            bytes.extend_from_slice(&unit[..length]);
            places.extend(std::iter::repeat_n(at..at + consumed, length));
            at += consumed;
        }
        Some(Said {
            bytes: Cow::Owned(bytes),
            places,
        })
    }

    /// The first thing the text says: its bytes, how many they are, and how many bytes of text it took to say it.
    fn unit(self, text: &[u8]) -> ([u8; 4], usize, usize) {
        let byte = |byte: u8, consumed| ([byte, 0, 0, 0], 1, consumed);
        match (self, text) {
            (Self::Percent | Self::PercentPlus, [b'%', high, low, ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => byte((high << 4 | low) as u8, 3),
                _ => byte(b'%', 1),
            },
            (Self::PercentPlus, [b'+', ..]) => byte(b' ', 1),
            (Self::Json, [b'\\', b'u', rest @ ..]) => json_char(rest).map_or(byte(b'\\', 1), |(char, consumed)| {
                let mut unit = [0; 4];
                let length = char.encode_utf8(&mut unit).len();
                (unit, length, consumed + 2)
            }),
            (Self::Json, [b'\\', letter, ..]) => match letter {
                b'b' => byte(0x08, 2),
                b'f' => byte(0x0c, 2),
                b'n' => byte(b'\n', 2),
                b'r' => byte(b'\r', 2),
                b't' => byte(b'\t', 2),
                other => byte(*other, 2),
            },
            _ => byte(text[0], 1),
        }
    }
}

/// The character after `\u` (RFC 8259 section 7), which may be a pair of surrogates, and its length.
fn json_char(text: &[u8]) -> Option<(char, usize)> {
    let four = |text: &[u8]| {
        text.first_chunk::<4>()?
            .iter()
            .try_fold(0, |value, digit| Some(value << 4 | hex(*digit)?))
    };
    let first = four(text)?;
    if let Some(char) = char::from_u32(first) {
        return Some((char, 4));
    }
    let second = four(text[4..].strip_prefix(b"\\u")?)?;
    let pair = [first as u16, second as u16];
    let char = char::decode_utf16(pair).next()?.ok()?;
    Some((char, 10))
}

fn hex(digit: u8) -> Option<u32> {
    char::from(digit).to_digit(16)
}

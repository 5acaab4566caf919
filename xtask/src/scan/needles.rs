//! Many texts looked for at once, in one pass over a stream.

use std::{
    collections::HashMap,
    io::{self, Read},
};

use super::forms;

/// Bytes that a needle is recognised by before it is compared: its last ones, which in a canary are random.
const KEY: usize = size_of::<u64>();

/// Size of the filter that most positions of a file fail, as a power of two of bits: half a megabyte, which stays in
/// the processor's cache and is a few percent full with ten thousand secrets.
const FILTER_BITS: u32 = 22;

/// Bytes read at a time.
const CHUNK: usize = 1 << 20;

/// Runs of plain letters shorter than this are looked for as part of a half only.
const SHORTEST_RUN: usize = 16;

/// The forms of some secrets, ready to be looked for.
pub(super) struct Needles {
    needles: Vec<Needle>,
    /// Which needles end so.
    by_key: HashMap<u64, Vec<usize>>,
    filter: Vec<u64>,
    longest: usize,
}

struct Needle {
    bytes: Vec<u8>,
    owner: usize,
    form: &'static str,
}

impl Needles {
    /// The needles of these secrets. The place of a secret among them is the owner of its needles.
    pub(super) fn new<'a>(secrets: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut all = Self {
            needles: Vec::new(),
            by_key: HashMap::new(),
            filter: vec![0; 1 << (FILTER_BITS - u64::BITS.ilog2())],
            longest: KEY,
        };
        for (owner, secret) in secrets.enumerate() {
            for piece in pieces(secret) {
                for (form, bytes) in forms::all(piece) {
                    all.add(Needle { bytes, owner, form });
                }
            }
        }
        all
    }

    fn add(&mut self, needle: Needle) {
        let key = key(&needle.bytes[needle.bytes.len() - KEY..]);
        let same = self.by_key.entry(key).or_default();
        if same.iter().any(|known| {
            let known = &self.needles[*known];
            known.owner == needle.owner && known.bytes == needle.bytes
        }) {
            return;
        }
        same.push(self.needles.len());
        let (word, bit) = place(key);
        self.filter[word] |= bit;
        self.longest = self.longest.max(needle.bytes.len());
        self.needles.push(needle);
    }

    /// Reads to the end and tells the place, the owner and the form of every needle; answers how many bytes there were.
    pub(super) fn find(&self, mut from: impl Read, mut found: impl FnMut(u64, usize, &'static str)) -> io::Result<u64> {
        let mut buffer = Vec::with_capacity(CHUNK + self.longest);
        // Where in the stream the buffer begins, and how much of it is kept from the chunk before.
        let (mut start, mut kept) = (0_u64, 0);
        loop {
            let fresh = from.by_ref().take(CHUNK as u64).read_to_end(&mut buffer)?;
            if fresh == 0 {
                return Ok(start + kept as u64);
            }
            for end in (kept + 1).max(KEY)..=buffer.len() {
                for needle in self.ending(&buffer[..end]) {
                    found(start + (end - needle.bytes.len()) as u64, needle.owner, needle.form);
                }
            }
            let done = buffer.len().saturating_sub(self.longest - 1);
            buffer.drain(..done);
            start += done as u64;
            kept = buffer.len();
        }
    }

    fn ending<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = &'a Needle> {
        let key = key(&text[text.len() - KEY..]);
        let (word, bit) = place(key);
        let same = if self.filter[word] & bit == 0 {
            None
        } else {
            self.by_key.get(&key)
        };
        same.into_iter()
            .flatten()
            .map(|index| &self.needles[*index])
            .filter(|needle| text.ends_with(&needle.bytes))
    }
}

/// What of a secret is looked for: its halves, because a secret may be cut, and its long runs of letters that no
/// encoding of text touches, because there are more of those than we know.
fn pieces(secret: &[u8]) -> Vec<&[u8]> {
    // A letter of several bytes stays whole.
    let middle = (secret.len() / 2..).find(|at| secret.get(*at).is_none_or(|byte| byte & 0xC0 != 0x80));
    let (first, second) = secret.split_at(middle.unwrap_or(secret.len() / 2));
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let runs = secret
        .split(|byte| !plain(byte))
        .filter(|run| run.len() >= SHORTEST_RUN && run.len() < secret.len());
    [first, second].into_iter().chain(runs).collect()
}

fn key(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("as long as a key"))
}

/// The word and the bit of the filter that stand for a key.
fn place(key: u64) -> (usize, u64) {
    // Fibonacci hashing: the golden ratio's bits spread the key over the upper ones.
    let hash = (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - FILTER_BITS)) as usize;
    (hash / 64, 1 << (hash % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both halves have letters that encodings write in their own way.
    const SECRET: &str = "a-1b/2c d\"e\\3f+4g?~5h&i=j\"k/6l\\mé";

    fn found(secret: &str, text: &[u8]) -> Vec<(u64, &'static str)> {
        let mut found = Vec::new();
        let read =
            Needles::new([secret.as_bytes()].into_iter()).find(text, |offset, _, form| found.push((offset, form)));
        assert_eq!(read.unwrap(), text.len() as u64);
        found
    }

    /// Every form, written by other hands than ours (Python's `base64`, `urllib`, `json`).
    #[test]
    fn e8_every_form_is_found() {
        let utf16 = |to: fn(u16) -> [u8; 2]| SECRET.encode_utf16().flat_map(to).collect::<Vec<u8>>();
        let (little, big) = (utf16(u16::to_le_bytes), utf16(u16::to_be_bytes));
        for (text, form) in [
            (SECRET.as_bytes(), "raw"),
            (br###"YS0xYi8yYyBkImVcM2YrNGc/fjVoJmk9aiJrLzZsXG3DqQ=="###, "base64"),
            (br###"YS0xYi8yYyBkImVcM2YrNGc/fjVoJmk9aiJrLzZsXG3DqXp6"###, "base64"),
            (br###"eGEtMWIvMmMgZCJlXDNmKzRnP341aCZpPWoiay82bFxtw6k="###, "base64"),
            (br###"eGEtMWIvMmMgZCJlXDNmKzRnP341aCZpPWoiay82bFxtw6l6eg=="###, "base64"),
            (br###"eHlhLTFiLzJjIGQiZVwzZis0Zz9+NWgmaT1qImsvNmxcbcOp"###, "base64"),
            (br###"eHlhLTFiLzJjIGQiZVwzZis0Zz9+NWgmaT1qImsvNmxcbcOpeno="###, "base64"),
            (br###"YS0xYi8yYyBkImVcM2YrNGc_fjVoJmk9aiJrLzZsXG3DqQ"###, "base64url"),
            (br###"eHlhLTFiLzJjIGQiZVwzZis0Zz9-NWgmaT1qImsvNmxcbcOp"###, "base64url"),
            (br###"612d31622f3263206422655c33662b34673f7e356826693d6a226b2f366c5c6dc3a9"###, "hex"),
            (br###"612D31622F3263206422655C33662B34673F7E356826693D6A226B2F366C5C6DC3A9"###, "upper hex"),
            (br###"a-1b%2F2c%20d%22e%5C3f%2B4g%3F~5h%26i%3Dj%22k%2F6l%5Cm%C3%A9"###, "percent-encoded"),
            (br###"a-1b%2f2c%20d%22e%5c3f%2b4g%3f~5h%26i%3dj%22k%2f6l%5cm%c3%a9"###, "percent-encoded"),
            (br###"%61%2D%31%62%2F%32%63%20%64%22%65%5C%33%66%2B%34%67%3F%7E%35%68%26%69%3D%6A%22%6B%2F%36%6C%5C%6D%C3%A9"###, "percent-encoded"),
            (br###"a-1b%2F2c+d%22e%5C3f%2B4g%3F~5h%26i%3Dj%22k%2F6l%5Cm%C3%A9"###, "form-encoded"),
            (r###"a-1b/2c d\"e\\3f+4g?~5h&i=j\"k/6l\\mé"###.as_bytes(), "JSON"),
            (br###"a-1b/2c d\"e\\3f+4g?~5h&i=j\"k/6l\\m\u00e9"###, "JSON"),
            (r###"a-1b\/2c d\"e\\3f+4g?~5h&i=j\"k\/6l\\mé"###.as_bytes(), "JSON"),
            (br###"\"a-1b/2c d\\\"e\\\\3f+4g?~5h&i=j\\\"k/6l\\\\m\u00e9\""###, "JSON in JSON"),
            (br###"[97, 45, 49, 98, 47, 50, 99, 32, 100, 34, 101, 92, 51, 102, 43, 52, 103, 63, 126, 53, 104, 38, 105, 61, 106, 34, 107, 47, 54, 108, 92, 109, 195, 169]"###, "list of bytes"),
            (br###"[97,45,49,98,47,50,99,32,100,34,101,92,51,102,43,52,103,63,126,53,104,38,105,61,106,34,107,47,54,108,92,109,195,169]"###, "list of bytes"),
            (br###"a-1b/2c d\"e\\3f+4g?~5h&i=j\"k/6l\\m\xc3\xa9"###, "byte string"),
            (&little, "UTF-16LE"),
            (&big, "UTF-16BE"),
        ] {
            let shown = String::from_utf8_lossy(text);
            let around = [b"\0\xFFbefore ".as_slice(), text, b" after\0"].concat();
            let hits = found(SECRET, &around);
            assert!(hits.iter().any(|(_, hit)| *hit == form), "{form}: {shown}: {hits:?}");
            // The negative control: one letter wrong in each half.
            let mut other = text.to_vec();
            let quarter = text.len() / 4;
            other[quarter] ^= 1;
            other[3 * quarter] ^= 1;
            assert_eq!(found(SECRET, &other), [], "{form}: {shown}");
        }
    }

    #[test]
    fn e8_letters_that_no_encoding_touches_are_found_in_any() {
        let secret = "0123456789abcdef&<\"fedcba9876543210";
        assert_eq!(
            found(secret, b"0123456789abcdef&amp;&lt;&quot;fedcba9876543210")[0],
            (0, "raw")
        );
    }

    #[test]
    fn a_needle_between_two_chunks_is_found_once_where_it_is() {
        let secret = "0123456789abcdefghijklmnopqrstuv";
        for before in [CHUNK - 32, CHUNK - 17, CHUNK - 16, CHUNK - 1, CHUNK] {
            let text = [vec![b' '; before], secret.as_bytes().to_vec(), vec![b' '; CHUNK]].concat();
            let halves = [(before as u64, "raw"), (before as u64 + 16, "raw")];
            assert_eq!(found(secret, &text), halves);
        }
    }

    #[test]
    fn what_is_no_text_is_found_too() {
        let secret: Vec<u8> = (100..132).map(|byte: u8| byte.wrapping_mul(37)).collect();
        let mut hits = 0;
        let needles = Needles::new([secret.as_slice()].into_iter());
        needles.find(secret.as_slice(), |_, _, _| hits += 1).unwrap();
        assert_eq!(hits, 2);
    }
}

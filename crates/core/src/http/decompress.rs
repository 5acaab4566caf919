//! Decompression within bounds: the size of the result, and its ratio to what was sent.

use std::io::{self, Write};

use flate2::{Decompress, FlushDecompress, Status, write::GzDecoder};

use super::{exchange::AnswerLimits, weight::Weight};

/// Why a compressed body is not read further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is over the limit.
    TooLarge,
    /// There is no memory left for it.
    Spent,
    /// It grows faster than honest content.
    Bomb,
    /// It is not what it says it is.
    Broken,
    /// It stopped before its end, or its check sum is wrong.
    Ended,
}

/// A body on its way through decompression.
pub(super) struct Decompressor {
    codec: Codec,
    fed: usize,
    limits: AnswerLimits,
}

enum Codec {
    Gzip(Box<GzDecoder<Sink>>),
    Deflate(Deflate),
}

impl Decompressor {
    pub(super) fn gzip(limits: AnswerLimits, weight: Weight) -> Self {
        Self {
            codec: Codec::Gzip(Box::new(GzDecoder::new(Sink::new(limits, weight)))),
            fed: 0,
            limits,
        }
    }

    pub(super) fn deflate(limits: AnswerLimits, weight: Weight) -> Self {
        Self {
            codec: Codec::Deflate(Deflate::new(Sink::new(limits, weight))),
            fed: 0,
            limits,
        }
    }

    /// Takes in the next piece.
    pub(super) fn write(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        self.fed += piece.len();
        if self.fed > self.limits.bytes {
            return Err(Refusal::TooLarge);
        }
        self.codec.sink().fed = self.fed;
        let written = match &mut self.codec {
            // One member only: a second would be a second file, and endless empty ones cost us a set-up each.
            Codec::Gzip(gzip) => gzip.write_all(piece),
            Codec::Deflate(deflate) => deflate.write(piece),
        };
        written.map_err(|_| self.codec.sink().refusal.unwrap_or(Refusal::Broken))
    }

    /// The whole content, and what it weighs. Nothing at all is the empty content of an answer that has none.
    pub(super) fn finish(mut self) -> Result<(Vec<u8>, Weight), Refusal> {
        if self.fed == 0 {
            return Ok(self.codec.sink().taken());
        }
        let finished = match &mut self.codec {
            Codec::Gzip(gzip) => gzip.try_finish().is_ok(),
            Codec::Deflate(deflate) => deflate.ended,
        };
        if finished {
            Ok(self.codec.sink().taken())
        } else {
            Err(self.codec.sink().refusal.unwrap_or(Refusal::Ended))
        }
    }
}

impl Codec {
    fn sink(&mut self) -> &mut Sink {
        match self {
            Self::Gzip(gzip) => gzip.get_mut(),
            Self::Deflate(deflate) => &mut deflate.sink,
        }
    }
}

/// Where content lands, as long as it keeps within the limits.
struct Sink {
    out: Vec<u8>,
    fed: usize,
    limits: AnswerLimits,
    weight: Weight,
    refusal: Option<Refusal>,
}

impl Sink {
    fn new(limits: AnswerLimits, weight: Weight) -> Self {
        Self {
            out: Vec::new(),
            fed: 0,
            limits,
            weight,
            refusal: None,
        }
    }

    fn taken(&mut self) -> (Vec<u8>, Weight) {
        (std::mem::take(&mut self.out), std::mem::take(&mut self.weight))
    }
}

impl Write for Sink {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let size = self.out.len() + piece.len();
        self.refusal = if size > self.limits.bytes {
            Some(Refusal::TooLarge)
        } else if size > self.limits.free_bytes && size / self.limits.ratio.max(1) > self.fed {
            Some(Refusal::Bomb)
        } else if !self.weight.grow(size) {
            Some(Refusal::Spent)
        } else {
            None
        };
        if self.refusal.is_some() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.out.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// HTTP's deflate: the zlib format (RFC 9110 section 8.4.1.2), or the bare stream that some servers send instead.
struct Deflate {
    inner: Option<Decompress>,
    buffer: Box<[u8]>,
    sink: Sink,
    ended: bool,
}

impl Deflate {
    /// Room for one step of decompression.
    const BUFFER: usize = 32 * 1024;

    fn new(sink: Sink) -> Self {
        Self {
            inner: None,
            buffer: vec![0; Self::BUFFER].into_boxed_slice(),
            sink,
            ended: false,
        }
    }

    fn write(&mut self, mut piece: &[u8]) -> io::Result<()> {
        let Some(first) = piece.first() else {
            return Ok(());
        };
        // RFC 1950: the low half of zlib's first byte is its method, 8.
        let inner = self.inner.get_or_insert_with(|| Decompress::new(first & 0x0f == 8));
        while !self.ended {
            let (read, written) = (inner.total_in(), inner.total_out());
            let status = inner.decompress(piece, &mut self.buffer, FlushDecompress::None)?;
            let read = (inner.total_in() - read) as usize;
            let written = (inner.total_out() - written) as usize;
            self.sink.write_all(&self.buffer[..written])?;
            piece = &piece[read..];
            self.ended = status == Status::StreamEnd;
            if read == 0 && written == 0 {
                break;
            }
        }
        if piece.is_empty() {
            Ok(())
        } else {
            Err(io::ErrorKind::InvalidData.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };
    use proptest::prelude::*;

    use super::*;

    const LIMITS: AnswerLimits = AnswerLimits {
        bytes: 100_000,
        ratio: 10,
        free_bytes: 1_000,
    };

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(content: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn bare(content: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn gzipped(limits: AnswerLimits) -> Decompressor {
        Decompressor::gzip(limits, Weight::default())
    }

    fn deflated(limits: AnswerLimits) -> Decompressor {
        Decompressor::deflate(limits, Weight::default())
    }

    fn run(mut decompressor: Decompressor, body: &[u8], step: usize) -> Result<Vec<u8>, Refusal> {
        for piece in body.chunks(step) {
            decompressor.write(piece)?;
        }
        decompressor.finish().map(|(content, _)| content)
    }

    /// Content that compresses to about two thirds.
    fn honest(length: usize) -> Vec<u8> {
        let mut state = 1_u32;
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b'a' + (state >> 24) as u8 % 26
        })
        .take(length)
        .collect()
    }

    #[test]
    fn honest_content_comes_through_in_any_pieces() {
        let content = honest(90_000);
        for step in [1, 7, 10_000, usize::MAX] {
            assert_eq!(run(gzipped(LIMITS), &gzip(&content), step).as_ref(), Ok(&content));
            assert_eq!(run(deflated(LIMITS), &zlib(&content), step).as_ref(), Ok(&content));
            assert_eq!(run(deflated(LIMITS), &bare(&content), step).as_ref(), Ok(&content));
        }
        assert_eq!(run(gzipped(LIMITS), b"", 1), Ok(Vec::new()));
    }

    #[test]
    fn l1_size_and_ratio_are_bounded() {
        for step in [1, 100, usize::MAX] {
            assert_eq!(
                run(gzipped(LIMITS), &gzip(&honest(100_001)), step),
                Err(Refusal::TooLarge)
            );
            for bomb in [gzip(&[0; 50_000]), gzip(&[0; 10_000_000])] {
                let refusal = run(gzipped(LIMITS), &bomb, step).unwrap_err();
                assert!(matches!(refusal, Refusal::Bomb | Refusal::TooLarge), "{refusal:?}");
            }
            assert_eq!(run(deflated(LIMITS), &zlib(&[0; 50_000]), step), Err(Refusal::Bomb));
        }
        // Under the free size no ratio is held against it.
        assert_eq!(run(gzipped(LIMITS), &gzip(&[0; 1_000]), 100), Ok(vec![0; 1_000]));
    }

    #[test]
    fn every_cut_is_seen() {
        let content = honest(500);
        for (make, body) in [
            (gzipped as fn(AnswerLimits) -> Decompressor, gzip(&content)),
            (deflated, zlib(&content)),
            (deflated, bare(&content)),
        ] {
            for cut in 1..body.len() {
                assert_eq!(
                    run(make(LIMITS), &body[..cut], 64),
                    Err(Refusal::Ended),
                    "at {cut} of {}",
                    body.len()
                );
            }
        }
    }

    #[test]
    fn damage_and_what_follows_the_end_are_refused() {
        let mut altered = gzip(&honest(500));
        let middle = altered.len() / 2;
        altered[middle] ^= 0xff;
        assert!(run(gzipped(LIMITS), &altered, 64).is_err());
        let mut followed = gzip(b"one");
        followed.extend(gzip(b"two"));
        assert_eq!(run(gzipped(LIMITS), &followed, 64), Err(Refusal::Broken));
        let mut followed = zlib(b"one");
        followed.push(0);
        assert_eq!(run(deflated(LIMITS), &followed, 64), Err(Refusal::Broken));
        assert_eq!(run(gzipped(LIMITS), b"{\"not\":\"gzip\"}", 64), Err(Refusal::Broken));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_overrun(body in proptest::collection::vec(any::<u8>(), 0..2_000), step in 1_usize..500) {
            for decompressor in [gzipped(LIMITS), deflated(LIMITS)] {
                if let Ok(content) = run(decompressor, &body, step) {
                    prop_assert!(content.len() <= LIMITS.bytes);
                }
            }
        }
    }
}

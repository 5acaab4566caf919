//! The protocol of Redis, as much of it as appending to a stream needs (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

use crate::limits::{MAX_RESP_BULK_BYTES, MAX_RESP_LINE_BYTES};

/// Adds a command to what is sent: an array of binary strings.
pub(super) fn command(out: &mut Vec<u8>, words: &[&[u8]]) {
    out.extend(format!("*{}\r\n", words.len()).bytes());
    for word in words {
        out.extend(format!("${}\r\n", word.len()).bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

/// Reads one answer. The outer result is the connection's, the inner the server's.
pub(super) async fn answer(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Result<(), String>> {
    let mut line = Vec::new();
    (&mut *from)
        .take(MAX_RESP_LINE_BYTES)
        .read_until(b'\n', &mut line)
        .await?;
    let Some(line) = line.strip_suffix(b"\r\n") else {
        return Err(odd("a line without an end"));
    };
    let text = String::from_utf8_lossy(line.get(1..).unwrap_or_default());
    match line.first() {
        Some(b'+' | b':') => Ok(Ok(())),
        Some(b'-') => Ok(Err(text.into_owned())),
        Some(b'$') => {
            let length: i64 = text.parse().map_err(|_| odd("a length that is no number"))?;
            // A length of -1 stands for nothing.
            let Ok(length) = u64::try_from(length) else {
                return Ok(Ok(()));
            };
            if length > MAX_RESP_BULK_BYTES {
                return Err(odd("an answer that is too long"));
            }
            let mut rest = vec![0; length as usize + 2];
            from.read_exact(&mut rest).await?;
            Ok(Ok(()))
        }
        _ => Err(odd("an answer of another kind")),
    }
}

fn odd(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(text: &str) -> io::Result<Result<(), String>> {
        answer(&mut text.as_bytes()).await
    }

    #[tokio::test]
    async fn answers_are_read_and_what_is_none_is_refused() {
        for good in ["+OK\r\n", ":7\r\n", "$3\r\n1-0\r\n", "$-1\r\n", "$0\r\n\r\n"] {
            assert_eq!(read(good).await.unwrap(), Ok(()), "{good:?}");
        }
        assert_eq!(read("-NOAUTH x\r\n").await.unwrap(), Err("NOAUTH x".to_owned()));
        let long = format!("+{}\r\n", "x".repeat(10_000));
        for bad in [
            "",
            "\r\n",
            "+OK",
            "$x\r\n",
            "$9\r\nabc\r\n",
            "$999999999999\r\n",
            "*1\r\n",
            &long,
        ] {
            assert!(read(bad).await.is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_word_may_hold_anything() {
        let mut out = Vec::new();
        command(&mut out, &[b"XADD", b"a\r\n*1"]);
        assert_eq!(out, b"*2\r\n$4\r\nXADD\r\n$5\r\na\r\n*1\r\n");
    }
}

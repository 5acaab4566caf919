//! Bodies of any size through a server, with plain sockets and threads on both sides: what is measured is what stands
//! between them.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    thread,
};

/// How much is written and read at once.
const PIECE: usize = 64 * 1024;

/// A service that swallows and pours: `GET …/down` answers with as many bytes as `x-bytes` says, `POST …/up` with how
/// many came, and `POST …/both` with what comes, while it comes. It listens until the process ends.
pub fn service() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            // A client that goes away early is no trouble of the service.
            thread::spawn(|| drop(serve(stream)));
        }
    });
    address
}

fn serve(mut stream: TcpStream) -> io::Result<()> {
    let head = read_head(&mut stream)?;
    let path = head.split(' ').nth(1).unwrap_or_default();
    let sent = header(&head, "content-length");
    if path.ends_with("/down") {
        let bytes = header(&head, "x-bytes");
        write_head(&mut stream, bytes)?;
        pour(&mut stream, bytes)?;
    } else if path.ends_with("/both") {
        write_head(&mut stream, sent)?;
        let mut piece = vec![0; PIECE];
        let mut left = sent;
        while left > 0 {
            let read = stream.read(&mut piece)?;
            if read == 0 {
                break;
            }
            stream.write_all(&piece[..read])?;
            left -= read as u64;
        }
    } else {
        let came = swallow(&mut stream, sent)?.to_string();
        write_head(&mut stream, came.len() as u64)?;
        stream.write_all(came.as_bytes())?;
    }
    stream.shutdown(Shutdown::Write)?;
    swallow(&mut stream, u64::MAX).map(drop)
}

/// Fetches so many bytes; answers how many came.
pub fn down(server: SocketAddr, path: &str, key: &str, bytes: u64) -> u64 {
    let mut stream = ask(
        server,
        &format!("GET {path}/down"),
        key,
        &format!("x-bytes: {bytes}\r\n"),
    );
    swallow(&mut stream, u64::MAX).expect("an answer")
}

/// Sends so many bytes; answers how many the service says came.
pub fn up(server: SocketAddr, path: &str, key: &str, bytes: u64) -> u64 {
    let mut stream = dial(
        server,
        &format!("POST {path}/up"),
        key,
        &format!("content-length: {bytes}\r\n"),
    );
    pour(&mut stream, bytes).expect("a server that takes it");
    let mut told = String::new();
    expect_ok(&mut stream);
    stream.read_to_string(&mut told).expect("an answer");
    told.parse().expect("a number")
}

/// Sends so many bytes while as many come back; answers how many came.
pub fn both(server: SocketAddr, path: &str, key: &str, bytes: u64) -> u64 {
    let mut stream = dial(
        server,
        &format!("POST {path}/both"),
        key,
        &format!("content-length: {bytes}\r\n"),
    );
    let mut upload = stream.try_clone().expect("a second handle");
    let sending = thread::spawn(move || pour(&mut upload, bytes));
    expect_ok(&mut stream);
    let came = swallow(&mut stream, u64::MAX).expect("an answer");
    sending.join().expect("a sender").expect("a server that takes it");
    came
}

fn ask(server: SocketAddr, line: &str, key: &str, headers: &str) -> TcpStream {
    let mut stream = dial(server, line, key, headers);
    expect_ok(&mut stream);
    stream
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test talks to its own server, not to an upstream"
)]
fn dial(server: SocketAddr, line: &str, key: &str, headers: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server).expect("a server that listens");
    let head =
        format!("{line} HTTP/1.1\r\nhost: t\r\nconnection: close\r\nauthorization: Bearer {key}\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).expect("a server that listens");
    stream
}

fn expect_ok(stream: &mut TcpStream) {
    let head = read_head(stream).expect("an answer");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
}

/// A head, byte by byte, so that nothing of what follows is taken away.
fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn header(head: &str, name: &str) -> u64 {
    let mut values = head.lines().filter_map(|line| line.split_once(": "));
    let value = values.find(|(known, _)| known.eq_ignore_ascii_case(name));
    value.and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(0)
}

fn write_head(stream: &mut TcpStream, length: u64) -> io::Result<()> {
    stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n").as_bytes())
}

fn pour(stream: &mut TcpStream, bytes: u64) -> io::Result<()> {
    let piece = vec![b'x'; PIECE];
    let mut left = bytes;
    while left > 0 {
        let next = left.min(PIECE as u64) as usize;
        stream.write_all(&piece[..next])?;
        left -= next as u64;
    }
    Ok(())
}

/// Reads so many bytes, or to the end; answers how many came.
fn swallow(stream: &mut TcpStream, most: u64) -> io::Result<u64> {
    let (mut piece, mut came) = (vec![0; PIECE], 0);
    while came < most {
        let room = (most - came).min(PIECE as u64) as usize;
        match stream.read(&mut piece[..room])? {
            0 => break,
            read => came += read as u64,
        }
    }
    Ok(came)
}

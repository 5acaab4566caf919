//! A service that answers in every way that costs its reader memory or patience.

use std::{io::Write, net::SocketAddr, sync::Arc};

use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What each trap is called: its action, and its path.
pub(crate) const TRAPS: [&str; 15] = [
    "gzip-zeros",
    "gzip-patient",
    "deflate-zeros",
    "deflate-patient",
    "brotli",
    "announced",
    "endless",
    "large",
    "values",
    "nodes",
    "deep",
    "drip",
    "silent",
    "headers",
    "provisional",
];

/// Answers that are made once: making them is work, too.
struct Bodies {
    gzip_zeros: Vec<u8>,
    gzip_patient: Vec<u8>,
    deflate_zeros: Vec<u8>,
    deflate_patient: Vec<u8>,
    large: Vec<u8>,
    kept: Vec<u8>,
    nodes: Vec<u8>,
    values: Vec<u8>,
    deep: Vec<u8>,
}

/// Listens until the test ends. Whatever drips does so with the beat.
pub(crate) async fn start(beat: watch::Receiver<u64>) -> SocketAddr {
    let bodies = Arc::new(Bodies::new());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (bodies, beat) = (bodies.clone(), beat.clone());
            // Who asked goes away when it has enough.
            tokio::spawn(async move { serve(stream, &bodies, beat).await });
        }
    });
    address
}

impl Bodies {
    fn new() -> Self {
        // Grows a thousandfold; and so little that no ratio says no before the size does.
        let zeros = vec![0; 64 * 1024 * 1024];
        let mut state = 1_u32;
        let mut patient = Vec::new();
        while patient.len() < 12 * 1024 * 1024 {
            for _ in 0..16 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                patient.push((state >> 24) as u8);
            }
            patient.resize(patient.len() + 1000, 0);
        }
        Self {
            gzip_zeros: gzip(&zeros),
            gzip_patient: gzip(&patient),
            deflate_zeros: deflate(&zeros),
            deflate_patient: deflate(&patient),
            large: text(10_000_000),
            kept: text(200_000),
            nodes: format!("[{}0]", "0,".repeat(90_000)).into_bytes(),
            values: format!("[{}0]", "0,".repeat(5_000_000)).into_bytes(),
            deep: "[".repeat(1024 * 1024).into_bytes(),
        }
    }
}

fn text(bytes: usize) -> Vec<u8> {
    format!("{{\"text\":\"{}\"}}", "x".repeat(bytes)).into_bytes()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

async fn serve(mut stream: TcpStream, bodies: &Bodies, mut beat: watch::Receiver<u64>) -> std::io::Result<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head).to_lowercase();
        let length = head
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.lines().next()?.parse().ok());
        let mut body = (&mut stream).take(length.unwrap_or(0));
        tokio::io::copy(&mut body, &mut tokio::io::sink()).await?;
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let (encoding, body) = match path.as_str() {
            "/ok" => ("", &b"{\"ok\":true}"[..]),
            "/gzip-zeros" => ("content-encoding: gzip\r\n", &bodies.gzip_zeros[..]),
            "/gzip-patient" => ("content-encoding: gzip\r\n", &bodies.gzip_patient[..]),
            "/deflate-zeros" => ("content-encoding: deflate\r\n", &bodies.deflate_zeros[..]),
            "/deflate-patient" => ("content-encoding: deflate\r\n", &bodies.deflate_patient[..]),
            "/brotli" => ("content-encoding: br\r\n", &bodies.gzip_zeros[..]),
            "/large" => ("", &bodies.large[..]),
            "/kept" => ("", &bodies.kept[..]),
            "/nodes" => ("", &bodies.nodes[..]),
            "/values" => ("", &bodies.values[..]),
            "/deep" => ("", &bodies.deep[..]),
            _ => return trap(stream, &path, &mut beat).await,
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{encoding}content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body).await?;
    }
}

/// Answers that never end by themselves.
async fn trap(mut stream: TcpStream, path: &str, beat: &mut watch::Receiver<u64>) -> std::io::Result<()> {
    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let piece = [b"10000\r\n".to_vec(), vec![b'x'; 64 * 1024], b"\r\n".to_vec()].concat();
    match path {
        "/announced" => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 107374182400\r\n\r\n")
                .await?;
            loop {
                stream.write_all(&piece).await?;
            }
        }
        "/endless" => {
            stream.write_all(CHUNKED).await?;
            loop {
                stream.write_all(&piece).await?;
            }
        }
        "/drip" => {
            stream.write_all(CHUNKED).await?;
            while beat.changed().await.is_ok() {
                stream.write_all(b"1\r\nx\r\n").await?;
            }
            Ok(())
        }
        "/headers" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
            loop {
                stream
                    .write_all(&[b"x-more: ".to_vec(), vec![b'x'; 8000], b"\r\n".to_vec()].concat())
                    .await?;
            }
        }
        "/provisional" => loop {
            stream
                .write_all(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")
                .await?;
        },
        // Swallows what comes, says nothing.
        _ => tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.map(drop),
    }
}

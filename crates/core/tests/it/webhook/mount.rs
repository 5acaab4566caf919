//! The routes in web servers as programs have them, over real sockets.

use std::convert::Infallible;

use axum::{Router, extract::Request, routing::any};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tieline::clock::Clock;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket},
};

use super::{Lab, SIGNING, signature};

const BODY: &str = r#"{"kind":"made"}"#;

/// What a server answers to Acme, as it goes over the wire.
async fn over_the_wire(lab: &Lab, listener_port: u16, address: &str) -> String {
    let path = address.strip_prefix("https://app.example").unwrap();
    let seconds = lab.clock.now().as_second().to_string();
    let sign = signature(&SIGNING, &seconds, BODY);
    let sent = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\nx-acme-time: {seconds}\r\n\
         x-acme-signature: {sign}\r\nconnection: close\r\n\r\n{BODY}",
        BODY.len()
    );
    let socket = TcpSocket::new_v4().unwrap();
    #[allow(clippy::disallowed_methods, reason = "a test's own way to its own server")]
    let mut stream = socket.connect(([127, 0, 0, 1], listener_port).into()).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn is_taken(answer: &str) {
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with(r#"{"for":"org_1","kind":"made"}"#), "{answer}");
}

#[tokio::test]
async fn in_axum() {
    let lab = Lab::new();
    let address = lab.connect().await;
    let connectors = lab.connectors.clone();
    let routes = move |request: Request| async move { connectors.handle_path(request).await };
    let app = Router::<()>::new().route("/api/v1/connectors/{*rest}", any(routes));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    is_taken(&over_the_wire(&lab, port, &address).await);
    assert!(
        over_the_wire(&lab, port, &format!("{address}x"))
            .await
            .starts_with("HTTP/1.1 404")
    );
    serving.abort();
}

#[tokio::test]
async fn in_hyper() {
    let lab = Lab::new();
    let address = lab.connect().await;
    let connectors = lab.connectors.clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let routes = service_fn(async |request| Ok::<_, Infallible>(connectors.handle_path(request).await));
        let server = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), routes);
        server.await.unwrap();
    });
    is_taken(&over_the_wire(&lab, port, &address).await);
    serving.await.unwrap();
}

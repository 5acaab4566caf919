//! The limit: the least program that does the same job, and the upstream behind everybody.

use std::{convert::Infallible, net::SocketAddr, process::Command};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt, Either, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::net::TcpListener;

use crate::child::Running;

pub(crate) const TOKEN: &str = "a-token-of-thirty-two-characters";
pub(crate) const INPUT: &str =
    r##"{"channel":"#general","text":"Hello from the benchmark, long enough to be a message."}"##;

type Answer = Result<Response<Either<Full<Bytes>, Incoming>>, Infallible>;

/// Starts this program again in one of its roles.
pub(crate) fn start(role: &str, arguments: &[&str]) -> Running {
    let own = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(own);
    command.arg(format!("role={role}")).args(arguments);
    Running::start(&mut command, |line| line.parse().ok())
}

/// Plays the role until the process is ended.
pub(crate) async fn play(role: &str, arguments: &[String]) {
    let upstream = || arguments[0].parse::<SocketAddr>().expect("the upstream's address");
    match role {
        "upstream" => {
            let answer = answer();
            serve(move |_| std::future::ready(Ok(Response::new(Either::Left(Full::new(answer.clone())))))).await;
        }
        "call" => call(upstream()).await,
        "proxy" => proxy(upstream()).await,
        other => panic!("no role `{other}`"),
    }
}

/// About 600 bytes, like a chat service's answer.
fn answer() -> Bytes {
    let filler = "lorem ipsum dolor sit amet ".repeat(18);
    Bytes::from(format!(
        r#"{{"ok":true,"id":"1234567890","channel":"C024BE91L","text":"{filler}","ts":1700000000.000100}}"#
    ))
}

/// Reads the request, sends one with a token to the upstream, and hands the whole answer back.
async fn call(upstream: SocketAddr) {
    let client = client();
    serve(move |request| {
        let client = client.clone();
        async move {
            let body = request
                .into_body()
                .collect()
                .await
                .expect("the driver sends whole bodies")
                .to_bytes();
            let mut forwarded = Request::new(Full::new(body));
            *forwarded.method_mut() = Method::POST;
            *forwarded.uri_mut() = format!("http://{upstream}/messages").parse().expect("a URL");
            forwarded.headers_mut().insert(header::AUTHORIZATION, bearer());
            let answer = client.request(forwarded).await.expect("the upstream answers");
            let body = answer.into_body().collect().await.expect("the upstream answers whole");
            Ok(Response::new(Either::Left(Full::new(body.to_bytes()))))
        }
    })
    .await;
}

/// Passes the request on as it is but for the token, and the answer back as it comes.
async fn proxy(upstream: SocketAddr) {
    let client = client();
    serve(move |request: Request<Incoming>| {
        let client = client.clone();
        async move {
            let (mut head, body) = request.into_parts();
            head.uri = format!("http://{upstream}{}", head.uri).parse().expect("a URL");
            head.headers.remove(header::HOST);
            head.headers.insert(header::AUTHORIZATION, bearer());
            let answer = client
                .request(Request::from_parts(head, body))
                .await
                .expect("the upstream answers");
            Ok(answer.map(Either::Right))
        }
    })
    .await;
}

fn bearer() -> HeaderValue {
    HeaderValue::from_str(&format!("Bearer {TOKEN}")).expect("a header value")
}

fn client<B>() -> Client<HttpConnector, B>
where
    B: hyper::body::Body + Send,
    B::Data: Send,
{
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).build(connector)
}

async fn serve<F, R>(handle: F)
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
    R: Future<Output = Answer> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
    println!("{}", listener.local_addr().expect("a bound listener has an address"));
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let handle = handle.clone();
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(handle)),
        );
    }
}

//! Asking the server that runs on this machine.
//!
//! The one place outside core's `http` that speaks HTTP to somebody: it reaches nothing but the address that the server
//! itself wrote into the data folder, with the key it wrote beside it.

use axum::body::Body;
use http::{Request, Response};
use hyper_util::rt::TokioIo;
use tieline::{Code, Error, Result};
use tokio::{net::TcpStream, time::timeout};

use crate::{
    limits::{LOCAL_ANSWER_TIMEOUT, LOCAL_CONNECT_TIMEOUT},
    local::Running,
};

/// Sends one request over a connection of its own.
pub(super) async fn send(server: &Running, request: Request<Body>) -> Result<Response<Body>> {
    let unreachable = |why: &dyn std::fmt::Display| {
        let detail = format!(
            "The server that uses the data folder does not answer at http://{}: {why}. Try again, or restart it.",
            server.address
        );
        Error::new(Code::ServerUnreachable, detail)
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "our own server's address, from our own data folder"
    )]
    let connecting = TcpStream::connect(server.address);
    let stream = timeout(LOCAL_CONNECT_TIMEOUT, connecting)
        .await
        .map_err(|_| unreachable(&"no connection in time"))?
        .map_err(|error| unreachable(&error))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| unreachable(&error))?;
    tokio::spawn(connection);
    timeout(LOCAL_ANSWER_TIMEOUT, sender.send_request(request))
        .await
        .map_err(|_| unreachable(&"no answer in time"))?
        .map(|response| response.map(Body::new))
        .map_err(|error| unreachable(&error))
}

//! L3: what one tenant sends is bounded in memory, and no other tenant is kept out by it.

use tieline::limits::{MAX_MEMORY_PER_TENANT, MEMORY_PIECE, SMALL_BYTES};
use tieline_server::limits::MAX_BODY_BYTES;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Ask, Tenant, TestApp, dial};

/// A request whose body is announced and waited for, and does not come.
async fn hold(app: &TestApp, tenant: &Tenant, length: &str) -> TcpStream {
    let mut stream = dial(app.address).await;
    let head = format!(
        "POST /api/v1/connections HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n{length}\r\nexpect: 100-continue\r\n\r\n",
        tenant.key
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut asked = [0; 12];
    stream.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100", "the server waits for the body");
    stream
}

#[tokio::test]
async fn l3_held_bodies_are_bounded_for_each_tenant() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.tenant("alice").await, app.tenant("bob").await);
    let mut held = Vec::new();
    let whole = MAX_MEMORY_PER_TENANT / MAX_BODY_BYTES - 1;
    for _ in 0..whole {
        held.push(hold(&app, &alice, &format!("content-length: {MAX_BODY_BYTES}")).await);
    }
    // Who does not say how much will come has memory made sure of piece by piece, once it is more than a little.
    for _ in 0..MAX_BODY_BYTES / MEMORY_PIECE {
        let mut chunked = hold(&app, &alice, "transfer-encoding: chunked").await;
        let piece = format!("{:x}\r\n{}", MEMORY_PIECE, " ".repeat(MEMORY_PIECE));
        chunked.write_all(piece.as_bytes()).await.unwrap();
        held.push(chunked);
    }
    let create = |tenant: &Tenant, size: usize| {
        let ask = Ask::post("/api/v1/connections").key(&tenant.key);
        ask.text("application/json", format!("{}{{}}", " ".repeat(size)))
    };
    // Their pieces come in their own time.
    while app.ask(create(&alice, 2 * SMALL_BYTES)).await.status != 503 {}
    let refused = app.ask(create(&alice, 2 * SMALL_BYTES)).await;
    assert_eq!(
        (refused.status, refused.code()),
        (503, "OVERLOADED"),
        "{}",
        refused.text
    );
    assert_eq!(refused.headers["retry-after"], "1");
    let one_more = held.last_mut().unwrap();
    one_more.write_all(b"\r\n1\r\n ").await.unwrap();
    let mut answer = String::new();
    one_more.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("HTTP/1.1 503 "), "{answer}");
    for size in [0, 2 * SMALL_BYTES] {
        assert_eq!(app.ask(create(&bob, size)).await.status, 422, "bob's body was read");
    }
    drop(held);
    // The server sees the end of the held ones in its own time.
    while app.ask(create(&alice, 2 * SMALL_BYTES)).await.status == 503 {}
}

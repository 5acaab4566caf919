//! What bounds a webhook: its body, its time, and how many there are at once.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::join_all;
use http::Request;
use http_body::{Body, Frame};
use tieline::{
    action::ActionContext,
    connector::Delivered,
    limits::{WEBHOOK_BODY_BYTES, WEBHOOK_BODY_TIMEOUT, WEBHOOK_TIMEOUT, WEBHOOKS_AT_ONCE},
};
use tokio::{sync::Semaphore, time::Instant};

use super::{Lab, Made, read};

const BODY: &str = r#"{"kind":"made"}"#;

/// A body that goes on for ever, or stands still, and says nothing of its length.
struct Endless {
    stands_still: bool,
    given: Arc<AtomicUsize>,
}

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.stands_still {
            return Poll::Pending;
        }
        let piece = Bytes::from_static(&[b' '; 64 * 1024]);
        self.given.fetch_add(piece.len(), Ordering::SeqCst);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

fn endless(address: &str, stands_still: bool) -> (Request<Endless>, Arc<AtomicUsize>) {
    let given = Arc::new(AtomicUsize::new(0));
    let path = address.strip_prefix("https://app.example").unwrap();
    let body = Endless {
        stands_still,
        given: given.clone(),
    };
    let request = Request::post(path)
        .header("content-type", "application/json")
        .body(body);
    (request.unwrap(), given)
}

#[tokio::test]
async fn l2_a_body_without_an_end_is_read_up_to_its_bound_and_a_strangers_not_at_all() {
    let lab = Lab::new();
    let address = lab.connect().await;
    let (request, given) = endless(&address, false);
    let answer = read(lab.connectors.handle_path(request).await).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (413, "BODY_TOO_LARGE"));
    let given = given.load(Ordering::SeqCst);
    assert!(
        (WEBHOOK_BODY_BYTES..WEBHOOK_BODY_BYTES + 128 * 1024).contains(&given),
        "{given}"
    );
    let (request, given) = endless(&format!("{address}x"), false);
    assert_eq!(lab.connectors.handle_path(request).await.status(), 404);
    assert_eq!(given.load(Ordering::SeqCst), 0);
    let exactly = format!("{}{BODY}", " ".repeat(WEBHOOK_BODY_BYTES - BODY.len()));
    assert_eq!(lab.deliver(&address, &exactly).await.status, 200);
    assert_eq!(
        lab.deliver(&address, &format!(" {exactly}")).await.code(),
        "BODY_TOO_LARGE"
    );
}

#[tokio::test(start_paused = true)]
async fn l2_a_body_that_stands_still_is_not_waited_for() {
    let lab = Lab::new();
    let address = lab.connect().await;
    let began = Instant::now();
    let (request, _) = endless(&address, true);
    let answer = read(lab.connectors.handle_path(request).await).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (408, "REQUEST_TIMEOUT"));
    assert!(began.elapsed() < WEBHOOK_BODY_TIMEOUT + Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_hangs_is_cut_and_told_of() {
    let lab = Lab::shaped(|builder| {
        builder.on_webhook("acme", |_: ActionContext, _: Delivered<Made>| {
            std::future::pending::<tieline::Result<()>>()
        })
    });
    let address = lab.connect().await;
    let began = Instant::now();
    let answer = lab.deliver(&address, BODY).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (504, "UPSTREAM_TIMEOUT"));
    assert!(began.elapsed() < WEBHOOK_TIMEOUT + Duration::from_secs(1));
    let told = lab.told().await;
    assert!(
        told.contains(&"webhook.failed UPSTREAM_TIMEOUT Some(true)".to_owned()),
        "{told:?}"
    );
}

/// A handler that waits for its test.
fn waiting() -> (Lab, Arc<Semaphore>, Arc<AtomicUsize>) {
    let (go_on, begun) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let (gate, count) = (go_on.clone(), begun.clone());
    let lab = Lab::shaped(|builder| {
        builder.on_webhook("acme", move |_: ActionContext, _: Delivered<Made>| {
            count.fetch_add(1, Ordering::SeqCst);
            let gate = gate.clone();
            async move {
                gate.acquire().await.map(|seat| seat.forget()).unwrap();
                Ok::<_, tieline::Error>(())
            }
        })
    });
    (lab, go_on, begun)
}

async fn until(begun: &AtomicUsize, count: usize) {
    while begun.load(Ordering::SeqCst) < count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn only_so_many_are_worked_on_at_once() {
    let (lab, go_on, begun) = waiting();
    let address = lab.connect().await;
    let all = join_all((0..WEBHOOKS_AT_ONCE).map(|_| lab.deliver(&address, BODY)));
    let one_more = async {
        until(&begun, WEBHOOKS_AT_ONCE).await;
        let refused = lab.deliver(&address, BODY).await;
        go_on.add_permits(WEBHOOKS_AT_ONCE);
        refused
    };
    let (all, refused) = tokio::join!(all, one_more);
    assert!(all.iter().all(|answer| answer.status == 200));
    assert_eq!((refused.status.as_u16(), refused.code()), (503, "OVERLOADED"));
    assert!(refused.head.contains_key("retry-after"));
    go_on.add_permits(1);
    assert_eq!(
        lab.deliver(&address, BODY).await.status,
        200,
        "each gives its turn back"
    );
}

#[tokio::test]
async fn a_sender_that_hangs_up_cuts_nobodys_work() {
    let (lab, go_on, begun) = waiting();
    let address = lab.connect().await;
    let sent = lab.deliver(&address, BODY);
    tokio::select! {
        _ = sent => panic!("nobody let it go on"),
        () = until(&begun, 1) => {}
    }
    go_on.add_permits(1);
    assert_eq!(
        lab.told().await,
        ["webhook.received Some(true)", "webhook.processed Some(true)"]
    );
    let view = lab.org().get("acme").await.unwrap().unwrap().webhook.unwrap();
    assert!(view.last_event_at.is_some());
}

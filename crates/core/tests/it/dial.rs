//! Conversations that are no HTTP: bounded like exchanges, and their waits named like HTTP's.

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tieline::{
    ActionInput, Code, Connectors, ConnectorsBuilder, Effect, Error, MasterKey, MemoryStore, RunAction,
    admit::Admitted,
    audit::Actor,
    call::{Call, Via},
    connector::Connector,
    egress::{EgressPolicy, Resolve},
    http::Timeouts,
    limits::MAX_EXCHANGES_PER_HOST,
};
use tieline_testkit::canary;
use tokio::net::TcpListener;

use crate::lab::{LATE, SOON, TENANT};

const MANIFEST: &str =
    "{ id: talker, name: Talker, baseUrl: 'https://talker.example', auth: [{ type: none }], endpoints: [] }";

/// Dials and never hangs up.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Talk {
    host: String,
    port: u16,
    /// Whether TLS begins, with whoever is there and never answers.
    tls: bool,
}

impl ActionInput for Talk {
    type Output = Talk;
    const CONNECTOR: &'static str = "talker";
    const ACTION: &'static str = "talk";
    const NAME: &'static str = "Talk";
    const EFFECT: Effect = Effect::Read;
}

impl RunAction for Talk {
    async fn run(self, admitted: &Admitted) -> tieline::Result<Self> {
        let stream = admitted.dial(&self.host, self.port).await?;
        if self.tls {
            drop(admitted.tls(&self.host, stream).await?);
            return Ok(self);
        }
        let _held = stream;
        std::future::pending().await
    }
}

fn house(shape: impl FnOnce(ConnectorsBuilder) -> ConnectorsBuilder) -> Connectors {
    let parsed = tieline_manifest::Manifest::parse(MANIFEST, tieline_manifest::Use::Tenant).unwrap();
    let connector = Connector::from_manifest(parsed).action::<Talk>();
    let builder = Connectors::builder()
        .scope("tenant", tieline::ScopeRule::Optional)
        .store(MemoryStore::new())
        .key(MasterKey::parse(canary::master_key()).unwrap())
        .connector(connector.build().unwrap())
        .egress(EgressPolicy {
            loopback: true,
            ..EgressPolicy::default()
        });
    shape(builder).build().unwrap()
}

async fn talk(house: &Connectors, host: &str, port: u16, tls: bool) -> Result<(), Error> {
    let auth = serde_json::json!({});
    let call = Call {
        connector: Some("talker".to_owned()),
        action: "talk".to_owned(),
        input: serde_json::json!({ "host": host, "port": port, "tls": tls }).into(),
        via: Via::Inline {
            auth: None,
            config: auth.into(),
        },
        idempotency_key: None,
    };
    house.call(&Actor::new(TENANT, "test"), call).await.map(drop)
}

#[tokio::test]
async fn l1_conversations_with_one_host_are_bounded() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let house = house(|builder| builder);
    let begin = || {
        let house = house.clone();
        tokio::spawn(async move { talk(&house, "127.0.0.1", port, false).await })
    };
    let mut held = Vec::new();
    let mut talking = Vec::new();
    for _ in 0..MAX_EXCHANGES_PER_HOST {
        talking.push(begin());
        held.push(listener.accept().await.unwrap());
    }
    let refused = talk(&house, "127.0.0.1", port, false).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.nothing_sent()),
        (Code::Overloaded, true),
        "{refused}"
    );
    // Another host's seats are others, and who hangs up makes room.
    let elsewhere = talk(&house, "127.0.0.2", 1, false).await.unwrap_err();
    assert_eq!(elsewhere.code(), Code::UpstreamUnreachable, "{elsewhere}");
    let left = talking.pop().unwrap();
    left.abort();
    assert!(left.await.unwrap_err().is_cancelled());
    let again = begin();
    held.push(listener.accept().await.unwrap());
    again.abort();
    talking.iter().for_each(tokio::task::JoinHandle::abort);
}

/// Never says where a host is.
struct Silent;

impl Resolve for Silent {
    fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_wait_that_was_over_says_which_and_what_changes_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let waits = |connect: Duration, total: Duration| {
        let timeouts = Timeouts {
            connect,
            total,
            first_byte: LATE,
            idle: LATE,
        };
        house(|builder| builder.timeouts(timeouts).resolver(Arc::new(Silent)))
    };
    for (house, host, tls, setting) in [
        (waits(SOON, LATE), "silent.example", false, "outbound.connect_seconds"),
        (waits(LATE, SOON), "silent.example", false, "outbound.total_seconds"),
        (waits(SOON, LATE), "127.0.0.1", true, "outbound.connect_seconds"),
        (waits(LATE, SOON), "127.0.0.1", true, "outbound.total_seconds"),
    ] {
        let error = talk(&house, host, port, tls).await.unwrap_err();
        assert_eq!(error.code(), Code::UpstreamTimeout, "{error}");
        assert!(error.detail().contains(setting), "{setting}: {error}");
    }
}

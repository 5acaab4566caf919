//! A server on a free loopback port, an upstream beside it, and a client that judges every answer.

mod client;
mod contract;
mod data;
mod upstream;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use serde_json::{Value, json};
use tieline::{
    Connectors, ConnectorsBuilder,
    api_key::NewApiKey,
    audit::Actor,
    clock::{Clock, SystemClock},
    egress::EgressPolicy,
    id::TenantId,
    scope::ScopeRule,
    store::Store,
    vault::MasterKey,
};
use tieline_server::{App, caller::Permission, serve, site::Site};
use tieline_testkit::canary;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

pub(crate) use self::{
    client::{Answer, Ask, ask, dial, raw},
    contract::{CONTRACT, operations},
    data::Data,
    upstream::{GOOD_TOKEN, Upstream, WRONG_TOKEN},
};

/// A server of its own for one test.
pub(crate) struct TestApp {
    pub(crate) address: SocketAddr,
    pub(crate) connectors: Connectors,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) upstream: Upstream,
    pub(crate) document: &'static Value,
    stop: Option<oneshot::Sender<()>>,
    pub(crate) served: JoinHandle<()>,
    // After what uses the store.
    pub(crate) data: Data,
    /// The token of the link for the first person.
    pub(crate) setup: Option<String>,
}

/// A tenant with a key that may do everything in it.
#[derive(Clone)]
pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    pub(crate) key: String,
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same, with more connectors.
    pub(crate) async fn start_with(manifests: &[&str]) -> Self {
        Self::start_shaped(manifests, |builder| builder).await
    }

    /// The same, put together a little otherwise.
    pub(crate) async fn start_shaped(
        manifests: &[&str],
        shape: impl FnOnce(ConnectorsBuilder) -> ConnectorsBuilder,
    ) -> Self {
        Self::start_whole(manifests, None, shape).await
    }

    /// A server that nobody has set up yet, with the tenant that its first person will own, and a clock.
    pub(crate) async fn start_new(tenant: &str, clock: Option<Arc<dyn Clock>>) -> Self {
        let clock = clock.unwrap_or_else(|| Arc::new(SystemClock));
        Self::start_whole(&[], Some(tenant), |builder| builder.clock(clock)).await
    }

    async fn start_whole(
        manifests: &[&str],
        home: Option<&str>,
        shape: impl FnOnce(ConnectorsBuilder) -> ConnectorsBuilder,
    ) -> Self {
        let upstream = Upstream::start().await;
        let (store, data) = Data::make().await;
        let connectors = Connectors::builder()
            .shared_store(store.clone())
            .key(MasterKey::parse(canary::master_key()).unwrap())
            .scope("tenant", ScopeRule::Optional)
            .scope("user", ScopeRule::Required)
            .egress(EgressPolicy {
                loopback: true,
                ..EgressPolicy::default()
            })
            .connectors(tieline_catalog::connectors())
            .manifest(upstream.manifest());
        let connectors = manifests
            .iter()
            .fold(connectors, |connectors, manifest| connectors.manifest(*manifest));
        let connectors = shape(connectors).build().unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let mut app = App::new(connectors.clone()).at(Site::new(None, address));
        let mut setup = None;
        if let Some(tenant) = home {
            let made = connectors
                .create_tenant("test", tenant, new_key(&[Permission::Admin]))
                .await
                .unwrap();
            let (link, token) = connectors.setup_link(made.tenant.id).await.unwrap().unwrap();
            canary::told_once(token.reveal());
            setup = Some(token.reveal().clone());
            app = app.with_setup(link);
        }
        let served = tokio::spawn(serve(listener, app, async move {
            let _ = stopped.await;
        }));
        Self {
            address,
            connectors,
            store,
            upstream,
            document: &CONTRACT.document,
            stop: Some(stop),
            served,
            data,
            setup,
        }
    }

    /// Asks the server to end.
    pub(crate) fn stop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
    }

    /// A new tenant.
    pub(crate) async fn tenant(&self, name: &str) -> Tenant {
        let made = self
            .connectors
            .create_tenant("test", name, new_key(&[Permission::Admin]))
            .await
            .unwrap();
        let key = made.key.text.reveal().clone();
        canary::told_once(&key);
        Tenant {
            id: made.tenant.id,
            key,
        }
    }

    /// A key of a tenant with just these permissions.
    pub(crate) async fn key(&self, tenant: &Tenant, permissions: &[Permission]) -> String {
        let by = Actor::new(tenant.id, "test");
        let made = self.connectors.create_api_key(&by, new_key(permissions)).await.unwrap();
        canary::told_once(made.text.reveal());
        made.text.reveal().clone()
    }

    /// The operator's key.
    pub(crate) async fn operator(&self) -> String {
        let tenant = self.tenant("operators").await;
        self.key(&tenant, &[Permission::Operator]).await
    }

    /// A working connection of a tenant; answers its id.
    pub(crate) async fn connect(&self, tenant: &Tenant, name: &str) -> String {
        let body = json!({ "connector": "acme", "name": name, "config": { "bot_token": GOOD_TOKEN, "team": "blue" } });
        let answer = self
            .ask(Ask::post("/api/v1/connections").key(&tenant.key).json(&body))
            .await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json["id"].as_str().unwrap().to_owned()
    }

    /// A shared credential of a tenant that works; answers its id.
    pub(crate) async fn credential(&self, tenant: &Tenant, name: &str) -> String {
        let body = json!({ "name": name, "type": "token", "connector": "acme", "data": { "bot_token": GOOD_TOKEN } });
        let answer = self
            .ask(Ask::post("/api/v1/credentials").key(&tenant.key).json(&body))
            .await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json["id"].as_str().unwrap().to_owned()
    }

    /// Sends a request.
    pub(crate) async fn ask_unjudged(&self, ask: Ask) -> Answer {
        client::ask(self.address, ask).await
    }

    /// Sends a request, and judges of the answer what must hold for all of them.
    pub(crate) async fn ask(&self, ask: Ask) -> Answer {
        let (method, path) = (ask.method.clone(), ask.path.clone());
        let answer = client::ask(self.address, ask).await;
        answer.judge(&method, &path);
        answer
    }
}

pub(crate) fn new_key(permissions: &[Permission]) -> NewApiKey {
    NewApiKey {
        name: "key".to_owned(),
        permissions: permissions
            .iter()
            .map(|permission| (permission.as_str().to_owned(), true))
            .collect::<BTreeMap<_, _>>(),
        expires_at: None,
        environment: None,
        allowed_networks: None,
    }
}

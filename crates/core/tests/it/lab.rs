//! What a test of the way out needs: a resolver and a client that it owns.

use std::{
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use tieline::{
    Result,
    egress::{Egress, EgressPolicy, Resolve},
    http::{Allotted, Answer, AnswerLimits, Client, Secrets, TenantAndHost, Timeouts, TlsRoots, With, exchange},
    id::TenantId,
    limits::{MAX_CALLS_IN_FLIGHT, MAX_EXCHANGES_PER_HOST, MAX_MEMORY, MAX_MEMORY_PER_TENANT},
    shares::Shares,
};
use tieline_manifest::request::{Request, SecretRef, Text};
use tokio::time::Instant;

pub(crate) const TENANT: TenantId = TenantId::from_bytes([1; 16]);
pub(crate) const OTHER_TENANT: TenantId = TenantId::from_bytes([2; 16]);

/// A wait that is over soon: for tests in which it must end.
pub(crate) const SOON: Duration = Duration::from_millis(50);
/// A wait that does not end within a test.
pub(crate) const LATE: Duration = Duration::from_secs(60);

/// A resolver that says what a test tells it to, and counts how often it is asked.
pub(crate) struct Names {
    answers: Box<dyn Fn(usize) -> Vec<IpAddr> + Send + Sync>,
    asked: AtomicUsize,
}

impl Names {
    /// Answers the n-th question (from 0) with these addresses.
    pub(crate) fn new(answers: impl Fn(usize) -> Vec<IpAddr> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            answers: Box::new(answers),
            asked: AtomicUsize::new(0),
        })
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Resolve for Names {
    fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let answers = (self.answers)(self.asked.fetch_add(1, Ordering::SeqCst));
        Box::pin(async move { Ok(answers) })
    }
}

/// The secrets of a test: `config.<name>` and its value.
pub(crate) struct Held(pub(crate) &'static [(&'static str, &'static str)]);

impl Secrets for Held {
    fn get(&self, secret: &SecretRef) -> Option<&str> {
        let SecretRef::Config(wanted) = secret else { return None };
        self.0.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value)
    }
}

/// A client, its judge, and the terms of its exchanges.
pub(crate) struct Lab {
    pub(crate) egress: Arc<Egress>,
    pub(crate) client: Client,
    pub(crate) tenant: TenantId,
    pub(crate) allowed: Vec<String>,
    pub(crate) within: Duration,
    pub(crate) limits: AnswerLimits,
    pub(crate) memory: Shares<TenantId>,
    pub(crate) hosts: Shares<TenantAndHost>,
    pub(crate) secrets: Held,
}

impl Lab {
    /// Every name is loopback, which is open; every wait is long.
    pub(crate) fn new() -> Self {
        let names = Names::new(|_| vec!["127.0.0.1".parse().unwrap()]);
        let open = EgressPolicy {
            loopback: true,
            ..EgressPolicy::default()
        };
        Self::with(Egress::new(open, names), &TlsRoots::default())
    }

    pub(crate) fn with(egress: Egress, roots: &TlsRoots) -> Self {
        let egress = Arc::new(egress);
        let patient = Timeouts {
            connect: LATE,
            first_byte: LATE,
            idle: LATE,
            total: LATE,
        };
        Self {
            client: Client::new(Arc::clone(&egress), roots).unwrap().timeouts(patient),
            egress,
            tenant: TENANT,
            allowed: Vec::new(),
            within: LATE,
            limits: AnswerLimits::default(),
            memory: Shares::new(MAX_MEMORY, MAX_MEMORY_PER_TENANT),
            hosts: Shares::new(MAX_CALLS_IN_FLIGHT, MAX_EXCHANGES_PER_HOST),
            secrets: Held(&[]),
        }
    }

    pub(crate) fn timeouts(mut self, connect: Duration, first_byte: Duration, idle: Duration) -> Self {
        self.client = self.client.timeouts(Timeouts {
            connect,
            first_byte,
            idle,
            total: LATE,
        });
        self
    }

    pub(crate) async fn send(&self, request: &Request) -> Result<Answer> {
        let with = With {
            tenant: self.tenant,
            allowed_hosts: &self.allowed,
            deadline: Instant::now() + self.within,
            allotted: Allotted::Default(self.within),
            limits: self.limits,
            memory: &self.memory,
            hosts: &self.hosts,
        };
        exchange(&self.client, &self.egress, request, &self.secrets, &with).await
    }

    pub(crate) async fn get(&self, url: &str) -> Result<Answer> {
        self.send(&get(Text::literal(url))).await
    }

    /// Sends and reads the body whole.
    pub(crate) async fn read(&self, url: &str) -> Result<bytes::Bytes> {
        self.get(url).await?.bytes().await
    }
}

pub(crate) fn get(url: Text) -> Request {
    Request {
        method: "GET".to_owned(),
        url,
        headers: Vec::new(),
        body: None,
    }
}

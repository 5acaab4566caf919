//! A whole manifest: read, judged and compiled once.

mod errors;
mod host;
pub(crate) mod rate;
mod read;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use errors::ErrorPaths;
pub use host::HostRule;
pub use rate::Exhausted;

use crate::{
    auth::{Auth, AuthTest, FieldKind, hosts},
    endpoint::{Address, Endpoint, Header, ResponseMapping, Test},
    json::{Json, Tree},
    lint::Lint,
    path::Path,
    request::Text,
    values::{FieldProblem, Scope, Values},
};

/// For whom a manifest is read: what it must hold differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It comes with the product and is shown in the catalog.
    Shipped,
    /// A tenant's own integration.
    Tenant,
}

/// A connector as it is declared. Nothing in it is secret.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The connector's id; a tenant's manifest may have none.
    pub id: Option<String>,
    /// For people.
    pub name: String,
    /// One line.
    pub summary: Option<String>,
    /// A paragraph.
    pub description: Option<String>,
    /// One of [`CATEGORIES`].
    pub category: Option<String>,
    /// The release stage.
    pub status: Option<Status>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Where the service is documented.
    pub docs: Option<String>,
    /// Further addresses.
    pub links: Vec<Link>,
    /// Who made the manifest.
    pub publisher: Option<Publisher>,
    /// A file beside the manifest.
    pub icon: Option<String>,
    /// What it can do, in words.
    pub capabilities: Vec<Capability>,
    /// How to get connected, step by step.
    pub setup: Vec<SetupStep>,
    /// Milliseconds for one call, where it says so.
    pub timeout_ms: Option<u64>,
    /// How often one connection may be used.
    pub rate: Option<Rate>,
    /// How a call is repeated.
    pub retry: Option<RetryConfig>,
    /// The ways to sign in.
    pub auth: Vec<Auth>,
    /// The actions.
    pub endpoints: Vec<Endpoint>,
    /// Hosts as they are declared; see [`Manifest::hosts`].
    pub allowed_hosts: Vec<HostRule>,
    pub(crate) base_url: Option<Address>,
    pub(crate) default_headers: Vec<Header>,
    pub(crate) test: Option<Test>,
    /// How an array stands in a query.
    pub(crate) query_arrays: Arrays,
    pub(crate) errors: ErrorPaths,
    pub(crate) rate_limit: RateLimit,
    pub(crate) mapping: ResponseMapping,
}

/// The release stage of a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words say it")]
pub enum Status {
    Available,
    Beta,
    ComingSoon,
    Deprecated,
}

impl Status {
    pub(crate) const WORDS: &[(&'static str, Self)] = &[
        ("available", Self::Available),
        ("beta", Self::Beta),
        ("coming-soon", Self::ComingSoon),
        ("deprecated", Self::Deprecated),
    ];

    /// The word of the language.
    pub fn as_str(self) -> &'static str {
        Self::WORDS
            .iter()
            .find(|(_, status)| *status == self)
            .map_or("", |(word, _)| word)
    }
}

/// Every category, in alphabetical order.
pub const CATEGORIES: &[&str] = &[
    "accounting",
    "ai",
    "analytics",
    "assets",
    "communication",
    "crm",
    "custom",
    "database",
    "developer",
    "e-commerce",
    "email",
    "events",
    "forms",
    "marketing",
    "payment",
    "productivity",
    "project",
    "storage",
    "support",
    "ticketing",
];

/// An address with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// For people.
    pub label: String,
    /// http or https.
    pub url: String,
}

/// Who made a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publisher {
    /// For people.
    pub name: String,
    /// http or https.
    pub url: Option<String>,
}

/// Something a connector can do, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capability {
    /// Unique in the manifest.
    pub id: String,
    /// For people.
    pub label: String,
    /// For people.
    pub description: Option<String>,
}

/// A step of getting connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupStep {
    /// For people.
    pub title: String,
    /// For people.
    pub description: Option<String>,
    /// For people.
    pub bullets: Vec<String>,
}

/// How a call is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryConfig {
    /// Repeats after the first try.
    pub max_retries: u64,
    /// Milliseconds before the first repeat.
    pub retry_delay_ms: u64,
    /// Status codes that are worth a repeat.
    pub retry_on: Vec<u16>,
    /// The header in which the service says `true` or `false` to a repeat, in lower case.
    pub retry_header: Option<String>,
}

/// How an array is written as pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Arrays {
    /// The name again for each element: `a=1&a=2`.
    #[default]
    Repeat,
    /// Numbered in brackets: `a[0]=1&a[1]=2`.
    Index,
}

impl Arrays {
    pub(crate) const WORDS: &[(&'static str, Self)] = &[("repeat", Self::Repeat), ("index", Self::Index)];
}

/// How often something may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests a minute.
    pub per_minute: u32,
    /// How many of them may come at once.
    pub burst: u32,
}

/// Where an answer tells how long to wait.
#[derive(Debug, Clone)]
pub(crate) struct RateLimit {
    pub(crate) retry_after_header: String,
    pub(crate) retry_after_path: Option<Path>,
    pub(crate) remaining_header: Option<String>,
    pub(crate) reset_header: Option<String>,
    pub(crate) reset_format: ResetFormat,
}

/// How a header tells when there are requests left again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetFormat {
    /// In so many seconds.
    Seconds,
    /// At this second of the Unix clock.
    Epoch,
    /// At this millisecond of it.
    EpochMs,
}

impl ResetFormat {
    pub(crate) const WORDS: &[(&'static str, Self)] = &[
        ("seconds", Self::Seconds),
        ("epoch", Self::Epoch),
        ("epochMs", Self::EpochMs),
    ];
}

impl Default for RateLimit {
    fn default() -> Self {
        Self {
            retry_after_header: "retry-after".to_owned(),
            retry_after_path: None,
            remaining_header: None,
            reset_header: None,
            reset_format: ResetFormat::Seconds,
        }
    }
}

impl Manifest {
    /// Reads YAML or JSON and reports every problem found, in the order of the text.
    pub fn parse(text: &str, use_: Use) -> Result<Self, Vec<Lint>> {
        read::parse(text, use_)
    }

    /// An endpoint by its id.
    pub fn endpoint(&self, id: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.id == id)
    }

    /// An auth method by its id.
    pub fn auth(&self, id: &str) -> Option<&Auth> {
        self.auth.iter().find(|auth| auth.id == id)
    }

    /// The hosts a credential may be sent to: the declared ones, else those that its fields of hosts name, else the host
    /// of the base URL with the connection's public fields filled in. Empty when that host is itself a secret or missing.
    pub fn hosts(&self, config: &Tree) -> Vec<HostRule> {
        if !self.allowed_hosts.is_empty() {
            return self.allowed_hosts.clone();
        }
        let fields = self.auth.iter().flat_map(|auth| &auth.fields);
        let fields: BTreeSet<&str> = fields
            .filter(|field| field.kind == FieldKind::Hosts)
            .map(|field| field.name.as_str())
            .collect();
        let named = fields.into_iter().filter_map(|field| hosts(config.get(field)?));
        let named: Vec<HostRule> = named.flatten().collect();
        if !named.is_empty() {
            return named;
        }
        let host = self.base(config).and_then(|url| url.host_str().map(str::to_owned));
        host.as_deref().and_then(HostRule::parse).into_iter().collect()
    }

    /// Where requests go with these public fields filled in: scheme, host and port of the base URL. Nothing when that is
    /// itself a secret or missing.
    pub fn origin(&self, config: &Tree) -> Option<String> {
        self.base(config).map(|url| url.origin().ascii_serialization())
    }

    fn base(&self, config: &Tree) -> Option<url::Url> {
        let nothing = Tree::Object(Vec::new());
        let values = Values {
            input: &nothing,
            config,
            auth: None,
            secrets: &BTreeSet::new(),
        };
        let (mut text, mut problems) = (Text::default(), Vec::new());
        let scope = Scope::new(&values, &[]);
        // Whether it may have a query is for the request to judge: here only the beginning counts.
        self.base_url.as_ref()?.write(&scope, true, &mut problems, &mut text);
        text.as_literal().and_then(|text| url::Url::parse(text).ok())
    }

    /// The credential test of an auth method, if one is declared.
    pub fn test_of<'m>(&'m self, auth: Option<&'m Auth>) -> Option<&'m Test> {
        match auth.map(|auth| &auth.test) {
            Some(AuthTest::Own(test)) => Some(test),
            Some(AuthTest::None) => None,
            Some(AuthTest::Common) | None => self.test.as_ref(),
        }
    }

    /// Reads what a caller gave to connect, by an auth method's id.
    pub fn accept(&self, auth: &str, config: &Json) -> Option<Result<crate::Accepted, Vec<FieldProblem>>> {
        self.auth(auth).map(|auth| auth.accept(config))
    }

    /// Every field name of every auth method, and whether it is secret.
    pub(crate) fn field_names(auth: &[Auth]) -> BTreeMap<String, bool> {
        auth.iter()
            .flat_map(|auth| &auth.fields)
            .map(|field| (field.name.clone(), field.secret))
            .collect()
    }
}

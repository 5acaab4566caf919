//! A whole manifest: read, judged and compiled once.

mod card;
mod codes;
mod errors;
mod host;
mod presentation;
pub(crate) mod rate;
mod read;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use card::AUTH_TYPES;
pub use card::Card;
pub use codes::{FieldCodes, TestCodes};
pub(crate) use errors::ErrorPaths;
pub use host::HostRule;
pub use presentation::{Capability, ConnectionPaths, Link, Publisher, SetupStep};
pub use rate::Exhausted;

use crate::{
    auth::{Auth, AuthTest, FieldKind, hosts},
    endpoint::{Address, Endpoint, Header, Test},
    grammar,
    json::{Json, Tree},
    lint::{Lint, Position},
    mapping::ResponseMapping,
    node::Node,
    parse,
    path::Path,
    request::Text,
    response::Rules,
    values::{FieldProblem, Scope, Values},
    webhook::WebhookConfig,
};

/// For whom a manifest is read: what it must hold differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It comes with the product and is shown in the catalog.
    Shipped,
    /// A tenant's own integration.
    Tenant,
    /// What stands beside code: the code does the work, and may be all there is to call.
    Coded,
}

/// A connector as it is declared. Nothing in it is secret.
#[derive(Debug, Clone, Default)]
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
    /// A file beside the manifest; in a tenant's, a word or sign that stands for it.
    pub icon: Option<String>,
    /// A colour to show it in, as the manifest's author wrote it.
    pub color: Option<String>,
    /// How a catalog of cards shows it.
    pub card: Card,
    /// What a test that failed is called.
    pub test_codes: TestCodes,
    /// What it can do, in words.
    pub capabilities: Vec<Capability>,
    /// How to get connected, step by step.
    pub setup: Vec<SetupStep>,
    /// The host application's own paths to connect and disconnect.
    pub connection: Option<ConnectionPaths>,
    /// What a tenant's integration is mostly.
    pub integration_type: IntegrationType,
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
    /// What is done with webhooks that arrive.
    pub webhook: Option<WebhookConfig>,
    /// Hosts as they are declared; see [`Manifest::hosts`].
    pub allowed_hosts: Vec<HostRule>,
    pub(crate) base_url: Option<Address>,
    pub(crate) default_headers: Vec<Header>,
    pub(crate) test: Option<Test>,
    /// How an array stands in a query.
    pub(crate) query_arrays: Arrays,
    /// How answers are judged.
    pub(crate) rules: Rules,
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

/// What a tenant's integration is mostly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IntegrationType {
    /// It calls a service over HTTP.
    #[default]
    RestApi,
    /// It receives webhooks.
    Webhook,
    /// It calls a GraphQL service.
    GraphQl,
}

impl IntegrationType {
    pub(crate) const WORDS: &[(&'static str, Self)] = &[
        ("rest_api", Self::RestApi),
        ("webhook", Self::Webhook),
        ("graphql", Self::GraphQl),
    ];
}

/// Whether a text is a connector's id.
pub(crate) fn is_connector_id(text: &str) -> bool {
    (2..=48).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-'))
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
    /// Empty brackets behind the name: `a[]=1&a[]=2`.
    Brackets,
    /// One value, parted by commas: `a=1,2`.
    Comma,
}

impl Arrays {
    pub(crate) const WORDS: &[(&'static str, Self)] = &[
        ("repeat", Self::Repeat),
        ("index", Self::Index),
        ("brackets", Self::Brackets),
        ("comma", Self::Comma),
    ];
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
        let node = parse::parse(text).map_err(|lint| vec![lint])?;
        read::read(&node, use_)
    }

    /// A manifest's text, YAML or JSON, as a tree; nothing but its syntax is judged.
    pub fn tree(text: &str) -> Result<Tree, Vec<Lint>> {
        parse::parse(text).map(|node| node.to_tree()).map_err(|lint| vec![lint])
    }

    /// Reads what a dialect made, its places kept.
    pub(crate) fn from_node(node: &Node, use_: Use) -> Result<Self, Vec<Lint>> {
        read::read(node, use_)
    }

    /// Reads a tree that a dialect or a program made. What is wrong has a path, and the first line for a place.
    pub fn from_tree(tree: &Tree, use_: Use) -> Result<Self, Vec<Lint>> {
        read::read(&Node::from_tree(tree, Position { line: 1, column: 1 }), use_)
    }

    /// The JSON Schema (2020-12) of the language, for editors.
    pub fn language_schema(use_: Use) -> serde_json::Value {
        let title = match use_ {
            Use::Shipped => "A connector's manifest",
            Use::Tenant => "A tenant's integration",
            Use::Coded => "What stands beside a connector's code",
        };
        grammar::schema::write(title, grammar::connector::root(use_))
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

    /// Every field name of every auth method, those too that a sign-in tells, and whether it is secret.
    pub(crate) fn field_names(auth: &[Auth]) -> BTreeMap<String, bool> {
        let kept = auth.iter().flat_map(Auth::kept).map(|name| (name.to_owned(), false));
        let typed = auth.iter().flat_map(|auth| &auth.fields);
        kept.chain(typed.map(|field| (field.name.clone(), field.secret)))
            .collect()
    }
}

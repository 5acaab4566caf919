//! Who a connector is: for catalogs, cards and forms.

use super::{Card, Manifest, Status, Use};
use crate::{
    auth::is_mailbox,
    endpoint::is_plain_url,
    limits,
    lint::{self, Lints},
    node::{Fields, Spot},
};

/// An address with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// For people.
    pub label: String,
    /// http or https, or a path in a repository.
    pub url: String,
}

/// Who made a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publisher {
    /// For people.
    pub name: String,
    /// http or https.
    pub url: Option<String>,
    /// A mail address.
    pub email: Option<String>,
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

/// Paths of the host application that connect and disconnect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionPaths {
    /// Begins a sign-in.
    pub start: String,
    /// Tells whether it is connected.
    pub status: Option<String>,
    /// Ends it.
    pub disconnect: Option<String>,
}

impl Manifest {
    /// Everything about a manifest that is for people.
    pub(super) fn presented(fields: &Fields<'_>, use_: Use, lints: &mut Lints) -> Self {
        Self {
            id: fields.get("id").and_then(|spot| read_id(&spot, lints)),
            name: fields.text("name").unwrap_or_default(),
            summary: fields.text("summary"),
            description: fields.text("description"),
            category: fields.text("category"),
            status: fields.get("status").and_then(|spot| spot.one_of(Status::WORDS)),
            tags: fields.texts("tags"),
            docs: fields.get("docs").and_then(|spot| read_url_or_path(&spot, lints)),
            links: fields
                .list("links")
                .iter()
                .filter_map(|spot| read_link(spot, lints))
                .collect(),
            publisher: fields.get("publisher").and_then(|spot| read_publisher(&spot, lints)),
            icon: fields.get("icon").and_then(|spot| read_icon(&spot, use_, lints)),
            color: fields.get("color").and_then(|spot| read_sign(&spot, lints)),
            card: fields.get("card").map(|spot| Card::read(&spot)).unwrap_or_default(),
            capabilities: read_capabilities(fields, lints),
            setup: fields.list("setup").iter().filter_map(read_step).collect(),
            connection: fields.get("connection").and_then(|spot| read_connection(&spot)),
            ..Self::default()
        }
    }
}

fn read_id(spot: &Spot<'_>, lints: &mut Lints) -> Option<String> {
    let id = spot.text()?;
    if id == "custom" {
        spot.lint(lints, lint::BAD_VALUE, "`custom` is reserved; choose another id");
        return None;
    }
    Some(id)
}

fn read_url(spot: &Spot<'_>, lints: &mut Lints) -> Option<String> {
    let text = spot.text()?;
    if !is_plain_url(&text) {
        spot.lint(lints, lint::BAD_URL, "an http or https URL is expected");
        return None;
    }
    Some(text)
}

/// A path is shown and not linked, so it holds nothing that could be taken for a scheme.
fn read_url_or_path(spot: &Spot<'_>, lints: &mut Lints) -> Option<String> {
    let text = spot.text()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/#%@".contains(&byte);
    let is_path = text.bytes().all(plain) && !text.starts_with("//");
    if !is_plain_url(&text) && !is_path {
        let message = "an http or https URL is expected, or a path in a repository";
        spot.lint(lints, lint::BAD_URL, message);
        return None;
    }
    Some(text)
}

/// A shipped icon is a file of the connector's folder.
fn read_icon(spot: &Spot<'_>, use_: Use, lints: &mut Lints) -> Option<String> {
    if use_ != Use::Shipped {
        return read_sign(spot, lints);
    }
    let name = spot.text()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if !name.bytes().all(plain) || name.starts_with('.') {
        let message = "the name of a file beside the manifest is expected, such as icon.svg, or a word";
        spot.lint(lints, lint::BAD_VALUE, message);
        return None;
    }
    Some(name)
}

/// Something short that a page may show or put into an attribute.
fn read_sign(spot: &Spot<'_>, lints: &mut Lints) -> Option<String> {
    let text = spot.text()?;
    if text.chars().count() > limits::SIGN_CHARS
        || text
            .chars()
            .any(|letter| letter.is_control() || "<>\"'`".contains(letter))
    {
        let message = format!(
            "at most {} characters are expected, without quotes and angle brackets",
            limits::SIGN_CHARS
        );
        spot.lint(lints, lint::BAD_VALUE, message);
        return None;
    }
    Some(text)
}

fn read_link(spot: &Spot<'_>, lints: &mut Lints) -> Option<Link> {
    let fields = spot.fields()?;
    let label = fields.text("label");
    let url = fields.get("url").and_then(|spot| read_url_or_path(&spot, lints));
    Some(Link {
        label: label?,
        url: url?,
    })
}

fn read_publisher(spot: &Spot<'_>, lints: &mut Lints) -> Option<Publisher> {
    let fields = spot.fields()?;
    let name = fields.text("name");
    let url = fields.get("url").and_then(|spot| read_url(&spot, lints));
    let email = fields.get("email").and_then(|spot| {
        let text = spot.text().filter(|text| is_mailbox(text));
        if text.is_none() {
            spot.lint(lints, lint::BAD_VALUE, "a mail address is expected");
        }
        text
    });
    Some(Publisher {
        name: name?,
        url,
        email,
    })
}

fn read_capabilities(fields: &Fields<'_>, lints: &mut Lints) -> Vec<Capability> {
    let mut out: Vec<Capability> = Vec::new();
    for spot in fields.list("capabilities") {
        let Some(fields) = spot.fields() else { continue };
        let id = fields.text("id");
        let label = fields.text("label");
        let description = fields.text("description");
        let (Some(id), Some(label)) = (id, label) else { continue };
        if out.iter().any(|other| other.id == id) {
            spot.lint(
                lints,
                lint::DUPLICATE_NAME,
                format!("another capability has the id `{id}`"),
            );
        }
        out.push(Capability { id, label, description });
    }
    out
}

fn read_step(spot: &Spot<'_>) -> Option<SetupStep> {
    let fields = spot.fields()?;
    let title = fields.text("title");
    let description = fields.text("description");
    let bullets = fields.texts("bullets");
    Some(SetupStep {
        title: title?,
        description,
        bullets,
    })
}

fn read_connection(spot: &Spot<'_>) -> Option<ConnectionPaths> {
    let fields = spot.fields()?;
    Some(ConnectionPaths {
        start: fields.text("startPath")?,
        status: fields.text("statusPath"),
        disconnect: fields.text("disconnectPath"),
    })
}

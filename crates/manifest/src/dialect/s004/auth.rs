//! Auth methods: a definition holds their values, a manifest the fields that values are given for.

use super::{
    super::build::{Mapping, list},
    SecretAt,
};
use crate::{
    json::Tree,
    node::{Fields, Node, Spot},
    template::is_name,
    values::pointer_token,
};

/// What stood in a definition and does not belong into a manifest.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) config: Vec<(String, Tree)>,
    pub(super) secrets: Vec<SecretAt>,
    pub(super) kept: Vec<SecretAt>,
}

/// What a secret is written as where it may not be shown.
pub(super) fn mask(field: &str) -> String {
    format!("{{{{encrypted:{field}}}}}")
}

/// Whether a text stands for a secret that is stored already.
pub(super) fn is_kept(text: &str) -> bool {
    text.trim().starts_with("{{encrypted:") && text.trim().ends_with("}}")
}

/// A method being rewritten.
struct Method<'t> {
    out: Mapping,
    fields: Vec<Tree>,
    taken: &'t mut Taken,
    /// Where the method stands in what came: a JSON pointer.
    pointer: String,
}

/// The canonical method; its values go to `taken`. `key` is where it stands in what came.
pub(super) fn method(spot: &Spot<'_>, key: &str, taken: &mut Taken) -> Node {
    let mut method = Method {
        out: Mapping::at(spot.node.at),
        fields: Vec::new(),
        taken,
        pointer: format!("/{key}"),
    };
    let Some(fields) = spot.fields() else {
        return method.out.node();
    };
    method.out.take("type", fields.get("type"));
    match fields.text("type").as_deref() {
        Some("api_key") => {
            method.out.take("keyName", fields.get("keyName"));
            method.out.take("keyLocation", fields.get("keyLocation"));
            method.secret(&fields, "keyValue", "API key");
        }
        Some("bearer") => method.secret(&fields, "token", "Token"),
        Some("basic") => {
            method.public(&fields, "username", "User name");
            method.secret(&fields, "password", "Password");
        }
        Some("oauth2") => method.oauth2(&fields),
        Some("custom_headers") => method.headers(&fields),
        _ => {}
    }
    let at = spot.node.at;
    if !method.fields.is_empty() {
        let fields = method.fields.iter().map(|field| Node::from_tree(field, at)).collect();
        method.out.put("fields", list(at, fields));
    }
    method.out.node()
}

impl Method<'_> {
    /// A field of the method and the template that names it.
    fn secret(&mut self, fields: &Fields<'_>, name: &str, label: &str) {
        self.out.text(name, &format!("{{{{{name}}}}}"));
        self.secret_field(fields.get(name), name, label, name == "keyValue" || name == "token");
    }

    fn public(&mut self, fields: &Fields<'_>, name: &str, label: &str) {
        self.out.text(name, &format!("{{{{{name}}}}}"));
        self.public_field(fields.get(name), name, label);
    }

    fn secret_field(&mut self, value: Option<Spot<'_>>, name: &str, label: &str, required: bool) {
        self.field(name, label, true, required);
        if let Some(text) = value.and_then(|spot| spot.scalar()) {
            self.take(name, name, &text);
        }
    }

    /// Notes where a secret stands. Its value stays there.
    fn take(&mut self, field: &str, key: &str, text: &str) {
        let secret = SecretAt {
            name: field.to_owned(),
            pointer: format!("{}/{}", self.pointer, pointer_token(key)),
        };
        if is_kept(text) {
            self.taken.kept.push(secret);
        } else {
            self.taken.secrets.push(secret);
        }
    }

    fn public_field(&mut self, value: Option<Spot<'_>>, name: &str, label: &str) {
        self.field(name, label, false, false);
        if let Some(spot) = value {
            self.taken.config.push((name.to_owned(), spot.node.to_tree()));
        }
    }

    fn field(&mut self, name: &str, label: &str, secret: bool, required: bool) {
        let entry = |key: &str, value: Tree| (key.to_owned(), value);
        let mut entries = vec![entry("name", Tree::from(name)), entry("label", Tree::from(label))];
        for (key, holds) in [("secret", secret), ("required", required)] {
            entries.extend(holds.then(|| entry(key, Tree::Bool(true))));
        }
        self.fields.push(Tree::Object(entries));
    }

    fn oauth2(&mut self, fields: &Fields<'_>) {
        for same in ["grantType", "tokenUrl", "authorizationUrl", "redirectUri"] {
            self.out.take(same, fields.get(same));
        }
        if let Some(scope) = fields.get("scope").and_then(|spot| spot.scalar()) {
            let scopes: Vec<Tree> = scope.split_whitespace().map(Tree::from).collect();
            if !scopes.is_empty() {
                self.out.tree("oauthScopes", &Tree::Array(scopes));
            }
        }
        self.public(fields, "clientId", "Client id");
        self.secret(fields, "clientSecret", "Client secret");
        for (name, label) in [("accessToken", "Access token"), ("refreshToken", "Refresh token")] {
            self.secret_field(fields.get(name), name, label, false);
        }
        self.public_field(fields.get("expiresAt"), "expiresAt", "Expires at");
    }

    /// A field for each header, named after it where that is a name.
    fn headers(&mut self, fields: &Fields<'_>) {
        let Some(spot) = fields.get("headers") else { return };
        self.pointer.push_str("/headers");
        let mut headers = Mapping::at(spot.node.at);
        for (index, (name, value)) in spot.entries().into_iter().enumerate() {
            let field = if is_name(name) {
                name.to_owned()
            } else {
                format!("header{index}")
            };
            headers.text(name, &format!("{{{{{field}}}}}"));
            self.field(&field, name, true, true);
            self.take(&field, name, &value.text().unwrap_or_default());
        }
        self.out.put("headers", headers.node());
    }
}

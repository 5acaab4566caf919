//! From values to a request with slots.

mod proxy;

pub use proxy::Below;

use crate::{
    auth::{Auth, AuthKind, KeyLocation, OAuth2},
    endpoint::{
        Address, Endpoint, Header, Segments, Target, Test,
        address::write_segments,
        body::{self, Pairs, Shape},
        has_control,
    },
    json::Tree,
    manifest::Manifest,
    property::Input,
    request::{Body, Encode, Part, Request, Slot, Text},
    template::{Template, write_place},
    values::{FieldProblem, Found, Scope, Values, as_text, pointer_token},
};

impl Endpoint {
    /// Renders the request. Secrets become slots; every problem is reported, not only the first.
    ///
    /// `content-type` is in the body, not among the headers.
    pub fn render(&self, manifest: &Manifest, values: &Values<'_>) -> Result<Request, Vec<FieldProblem>> {
        let scope = Scope::new(values, &self.inputs);
        let mut work = Rendering::new(&scope);
        work.check_inputs(self);
        work.problems
            .extend(self.expressions.iter().map(|name| body::not_evaluated(name)));
        let auth = if self.needs_auth { work.auth(manifest) } else { None };
        work.check_method(self, auth, manifest);
        let mut url = Text::default();
        let has_query = match &self.target {
            Target::Path(path) => {
                work.base(manifest, path, &mut url);
                false
            }
            Target::Url(address) => address.write(&scope, true, &mut work.problems, &mut url),
        };
        let mut pairs = Pairs::query(manifest.query_arrays);
        for param in &self.query {
            pairs.arrays(param.arrays.unwrap_or(manifest.query_arrays));
            let written = param.shape.write_pairs(&param.name, &scope, &mut pairs);
            work.note(written);
        }
        work.query_key(auth, &mut pairs);
        if !pairs.out.0.is_empty() {
            url.push_str(if has_query { "&" } else { "?" });
            url.append(pairs.out);
        }
        let mut body = work.body(self, auth);
        let mut headers = work.headers(manifest, &self.headers, body.as_mut());
        for (name, shape) in &self.header_params {
            if let Some(value) = work.header_param(shape) {
                set_header(&mut headers, name, value);
            }
        }
        work.auth_headers(auth, &mut headers);
        work.finish(Request {
            method: self.method.clone(),
            url,
            headers,
            body,
        })
    }
}

impl Test {
    /// Renders the request, secrets as slots.
    pub fn render(&self, manifest: &Manifest, values: &Values<'_>) -> Result<Request, Vec<FieldProblem>> {
        let scope = Scope::new(values, &[]);
        let mut work = Rendering::new(&scope);
        let auth = work.auth(manifest);
        let mut url = Text::default();
        work.base(manifest, &self.path, &mut url);
        let mut pairs = Pairs::query(manifest.query_arrays);
        for (name, value) in &self.query {
            let written = value.write(&scope, Encode::Percent, pairs.start(name));
            work.note(written);
        }
        work.query_key(auth, &mut pairs);
        if !pairs.out.0.is_empty() {
            url.push_str("?");
            url.append(pairs.out);
        }
        let mut body = work.body_key(auth);
        let mut headers = work.headers(manifest, &self.headers, body.as_mut());
        work.auth_headers(auth, &mut headers);
        work.finish(Request {
            method: self.method.clone(),
            url,
            headers,
            body,
        })
    }
}

struct Rendering<'a> {
    scope: &'a Scope<'a>,
    problems: Vec<FieldProblem>,
}

impl<'a> Rendering<'a> {
    fn new(scope: &'a Scope<'a>) -> Self {
        Self {
            scope,
            problems: Vec::new(),
        }
    }

    fn note<T>(&mut self, result: Result<T, FieldProblem>) -> Option<T> {
        result.map_err(|problem| self.problems.push(problem)).ok()
    }

    fn finish(mut self, request: Request) -> Result<Request, Vec<FieldProblem>> {
        // A missing input is noticed where it is declared and again where it is used.
        let mut seen: Vec<FieldProblem> = Vec::new();
        for problem in self.problems.drain(..) {
            if !seen
                .iter()
                .any(|other| !problem.pointer.is_empty() && other.pointer == problem.pointer || *other == problem)
            {
                seen.push(problem);
            }
        }
        if seen.is_empty() { Ok(request) } else { Err(seen) }
    }

    fn is_given(&self, input: &Input) -> bool {
        if input.property.secret {
            let secret = crate::request::SecretRef::Input(input.name.clone());
            return self.scope.values.secrets.contains(&secret);
        }
        match self.scope.values.input.get(&input.name) {
            None => false,
            Some(value) => input.property.nullable || !value.is_null(),
        }
    }

    fn check_inputs(&mut self, endpoint: &Endpoint) {
        for input in &endpoint.inputs {
            let absent = self.scope.fallback(input).is_none() && !self.is_given(input);
            if input.property.required && absent {
                let message = match &input.property.from_config {
                    None => format!("`{}` is required", input.name),
                    Some(field) => format!("`{}` is required, or the connection's field `{field}`", input.name),
                };
                self.problems
                    .push(FieldProblem::new(format!("/{}", pointer_token(&input.name)), message));
            }
        }
        let names = &endpoint.at_least_one;
        let given = |name: &String| endpoint.input(name).is_some_and(|input| self.is_given(input));
        if !names.is_empty() && !names.iter().any(given) {
            let message = format!("at least one of {} is needed", names.join(", "));
            self.problems.push(FieldProblem::new("", message));
        }
    }

    /// The auth method to use. A manifest without auth methods, or with `none` among them, needs no connection.
    fn auth(&mut self, manifest: &Manifest) -> Option<&'a Auth> {
        let auth = self.scope.values.auth;
        let free = manifest.auth.is_empty() || manifest.auth.iter().any(|auth| matches!(auth.kind, AuthKind::None));
        if auth.is_none() && !free {
            self.problems.push(FieldProblem::new(
                "",
                "this needs a connection: its credential is sent with the request",
            ));
        }
        auth
    }

    /// An endpoint that works with some auth methods only is not called with another.
    fn check_method(&mut self, endpoint: &Endpoint, auth: Option<&Auth>, manifest: &Manifest) {
        if endpoint.auth_methods.is_empty() || auth.is_some_and(|auth| endpoint.takes(&auth.id)) {
            return;
        }
        let methods = endpoint.auth_methods.iter().filter_map(|id| manifest.auth(id));
        let labels: Vec<&str> = methods.map(|auth| auth.label.as_deref().unwrap_or(&auth.id)).collect();
        let message = format!("this needs a connection made with: {}", labels.join(", "));
        self.problems.push(FieldProblem::new("", message));
    }

    fn base(&mut self, manifest: &Manifest, path: &Segments, url: &mut Text) {
        match &manifest.base_url {
            Some(address) => {
                Address::write(address, self.scope, false, &mut self.problems, url);
            }
            None => self
                .problems
                .push(FieldProblem::new("", "the connector declares no baseUrl")),
        }
        write_segments(path, self.scope, &mut self.problems, url);
    }

    fn query_key(&mut self, auth: Option<&Auth>, pairs: &mut Pairs) {
        if let Some((name, value)) = api_key(auth, KeyLocation::Query) {
            let written = value.write(self.scope, Encode::Percent, pairs.start(name));
            self.note(written);
        }
    }

    fn body(&mut self, endpoint: &Endpoint, auth: Option<&Auth>) -> Option<Body> {
        match &endpoint.body {
            Some(plan) => {
                let written = plan.write(api_key(auth, KeyLocation::Body), self.scope);
                self.note(written)
            }
            None => self.body_key(auth),
        }
    }

    fn body_key(&mut self, auth: Option<&Auth>) -> Option<Body> {
        let (name, value) = api_key(auth, KeyLocation::Body)?;
        let written = body::key_only(name, value, self.scope);
        self.note(written)
    }

    /// Defaults, the manifest's, the endpoint's, auth's: the later wins.
    fn headers(&mut self, manifest: &Manifest, own: &[Header], mut body: Option<&mut Body>) -> Vec<(String, Text)> {
        let mut headers = vec![("accept".to_owned(), Text::literal("application/json"))];
        for header in manifest.default_headers.iter().chain(own) {
            let Some(value) = self.header(header) else { continue };
            if header.name != "content-type" {
                set_header(&mut headers, &header.name, value);
            } else if let (Some(body), Some(text)) = (body.as_deref_mut(), value.as_literal()) {
                text.clone_into(&mut body.content_type);
            }
        }
        headers
    }

    /// An input that is a header: the elements of an array are parted by commas (RFC 9110 section 5.3).
    fn header_param(&mut self, shape: &Shape) -> Option<Text> {
        let (tree, place) = match shape {
            Shape::Fixed(tree) => (tree, None),
            Shape::Text(template) => return self.header_value(template),
            Shape::Whole(place) => match self.scope.look(place) {
                Found::Value(tree) => (tree, Some(place)),
                Found::Nothing => return None,
                Found::Secret(_) => {
                    let mut text = Text::default();
                    let written = write_place(place, self.scope, Encode::Raw, &mut text);
                    return self.note(written).map(|()| text);
                }
            },
            Shape::Expression(name) => {
                self.problems.push(body::not_evaluated(name));
                return None;
            }
            // The grammar of header params has neither.
            Shape::Array(_) | Shape::Object(_) => return None,
        };
        let words: Vec<_> = match tree {
            Tree::Array(items) => items.iter().map(as_text).collect(),
            other => vec![as_text(other)],
        };
        let text = words.join(", ");
        if let (Some(place), true) = (place, has_control(&text)) {
            self.problems.push(FieldProblem::at(place, NO_CONTROL));
            return None;
        }
        let spent = self.scope.spend(text.len());
        self.note(spent).map(|()| Text::literal(text))
    }

    fn auth_headers(&mut self, auth: Option<&Auth>, headers: &mut Vec<(String, Text)>) {
        let Some(auth) = auth else { return };
        match &auth.kind {
            AuthKind::None | AuthKind::Custom => {}
            AuthKind::ApiKey { name, location, value } => {
                if *location == KeyLocation::Header
                    && let Some(value) = self.header_value(value)
                {
                    set_header(headers, name, value);
                }
            }
            AuthKind::Bearer { token } => {
                if let Some(value) = self.header_value(token) {
                    let mut text = Text::literal("Bearer ");
                    text.append(value);
                    set_header(headers, "authorization", text);
                }
            }
            AuthKind::OAuth2(oauth) => self.access_token(oauth, headers),
            AuthKind::Basic { username, password } => {
                let value = basic(username, password, self.scope);
                if let Some(value) = self.note(value) {
                    set_header(headers, "authorization", value);
                }
            }
            AuthKind::CustomHeaders { headers: own } => {
                for header in own {
                    if let Some(value) = self.header(header) {
                        set_header(headers, &header.name, value);
                    }
                }
            }
        }
    }

    fn access_token(&mut self, oauth: &OAuth2, headers: &mut Vec<(String, Text)>) {
        if matches!(self.scope.look(&oauth.token), Found::Nothing) {
            let message =
                "this connection has no access token: sign in for it, or connect it with one that was got elsewhere";
            return self.problems.push(FieldProblem::new("", message));
        }
        let mut text = Text::literal(&oauth.token_prefix);
        let written = write_place(&oauth.token, self.scope, Encode::Raw, &mut text);
        if self.note(written).is_some() {
            set_header(headers, &oauth.token_header, text);
        }
    }

    /// A header that is one placeholder without a value is left out.
    fn header(&mut self, header: &Header) -> Option<Text> {
        let absent = |place| matches!(self.scope.look(place), Found::Nothing);
        if header.value.whole().is_some_and(absent) {
            return None;
        }
        self.header_value(&header.value)
    }

    fn header_value(&mut self, value: &Template) -> Option<Text> {
        for place in value.places() {
            if let Found::Value(tree) = self.scope.look(place)
                && has_control(&as_text(tree))
            {
                self.problems.push(FieldProblem::at(place, NO_CONTROL));
                return None;
            }
        }
        let mut text = Text::default();
        let written = value.write(self.scope, Encode::Raw, &mut text);
        self.note(written).map(|()| text)
    }
}

const NO_CONTROL: &str = "line breaks and control characters cannot stand in a header";

fn api_key(auth: Option<&Auth>, wanted: KeyLocation) -> Option<(&str, &Template)> {
    match &auth?.kind {
        AuthKind::ApiKey { name, location, value } if *location == wanted => Some((name, value)),
        _ => None,
    }
}

/// RFC 7617: the pair is encoded as one, so it is one slot.
fn basic(username: &Template, password: &Template, scope: &Scope<'_>) -> Result<Text, FieldProblem> {
    let mut parts = Vec::new();
    for place in username.places() {
        if let Found::Value(tree) = scope.look(place)
            && as_text(tree).contains(':')
        {
            return Err(FieldProblem::at(place, "a user name cannot hold a colon (RFC 7617)"));
        }
    }
    username.parts(scope, &mut parts)?;
    match parts.last_mut() {
        Some(Part::Literal(last)) => last.push(':'),
        _ => parts.push(Part::Literal(":".to_owned())),
    }
    // An empty password is common: the key is the user name then.
    if password
        .whole()
        .is_none_or(|place| !matches!(scope.look(place), Found::Nothing))
    {
        let mut rest = Vec::new();
        password.parts(scope, &mut rest)?;
        for part in rest {
            match (parts.last_mut(), part) {
                (Some(Part::Literal(last)), Part::Literal(text)) => last.push_str(&text),
                (_, part) => parts.push(part),
            }
        }
    }
    let mut text = Text::literal("Basic ");
    text.push_slot(Slot {
        parts,
        encode: Encode::Base64,
    });
    Ok(text)
}

/// Sets a header, replacing the one of this name.
fn set_header(headers: &mut Vec<(String, Text)>, name: &str, value: Text) {
    match headers.iter_mut().find(|(other, _)| other == name) {
        Some((_, old)) => *old = value,
        None => headers.push((name.to_owned(), value)),
    }
}

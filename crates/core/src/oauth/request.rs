//! Asking the service: one request through the one door out, no redirect, a bounded answer.

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::header::RETRY_AFTER;
use tieline_manifest::{
    ClientAuth,
    request::{Body, Encode, Part, Request, SecretRef, Slot, Text},
};
use tokio::time::Instant;
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

use super::{
    answer::{Fresh, RawAnswer},
    client::Service,
    refusal::Refusal,
};
use crate::{
    connectors::Connectors,
    error::Result,
    http::{Allotted, AnswerLimits, Secrets, With, exchange, retry_after},
    id::TenantId,
    limits::{TOKEN_ANSWER_BYTES, TOKEN_REQUEST},
};

/// The secrets of one request.
#[derive(Default)]
struct Held(BTreeMap<String, Zeroizing<String>>);

impl Secrets for Held {
    fn get(&self, secret: &SecretRef) -> Option<&str> {
        match secret {
            SecretRef::Input(name) => self.0.get(name).map(|secret| secret.as_str()),
            SecretRef::Config(_) => None,
        }
    }
}

/// A form with slots for what is secret in it.
struct Form {
    text: Text,
    held: Held,
}

impl Form {
    fn new(grant_type: &str) -> Self {
        Self {
            text: Text::literal(format!("grant_type={grant_type}")),
            held: Held::default(),
        }
    }

    fn open(&mut self, name: &str, value: &str) {
        let value: String = byte_serialize(value.as_bytes()).collect();
        self.text.push_str(&format!("&{name}={value}"));
    }

    fn secret(&mut self, name: &str, value: &str) {
        self.text.push_str(&format!("&{name}="));
        self.text.push_slot(slot(name, Encode::Form));
        self.held.0.insert(name.to_owned(), Zeroizing::new(value.to_owned()));
    }
}

fn slot(name: &str, encode: Encode) -> Slot {
    Slot {
        parts: vec![Part::Secret(SecretRef::Input(name.to_owned()))],
        encode,
    }
}

/// What tokens are asked for with.
pub(super) enum Asking<'a> {
    /// A code that a person came back with.
    Code {
        code: &'a str,
        redirect_uri: &'a str,
        verifier: Option<&'a str>,
    },
    /// A refresh token.
    Refresh(&'a str),
    /// Nothing but the client itself.
    Client,
}

impl Service<'_> {
    fn form(&self, asking: &Asking<'_>) -> Form {
        let scopes = self.declared.oauth_scopes.join(&self.declared.scope_separator);
        match asking {
            Asking::Code {
                code,
                redirect_uri,
                verifier,
            } => {
                let mut form = Form::new("authorization_code");
                form.secret("code", code);
                form.open("redirect_uri", redirect_uri);
                if let Some(verifier) = verifier {
                    form.secret("code_verifier", verifier);
                }
                form
            }
            Asking::Refresh(token) => {
                let mut form = Form::new("refresh_token");
                form.secret("refresh_token", token);
                form
            }
            Asking::Client => {
                let mut form = Form::new("client_credentials");
                if !scopes.is_empty() {
                    form.open("scope", &scopes);
                }
                form
            }
        }
    }

    /// The request, and the secrets in it. They stand in its body or in a header, never in the address.
    fn request(&self, asking: &Asking<'_>) -> (Request, Held) {
        let mut form = self.form(asking);
        let mut headers = vec![("accept".to_owned(), Text::literal("application/json"))];
        match (self.declared.client_auth, &self.client_secret) {
            (ClientAuth::Basic, Some(secret)) => {
                form.held.0.insert("client".to_owned(), basic(&self.client_id, secret));
                let mut value = Text::literal("Basic ");
                value.push_slot(slot("client", Encode::Raw));
                headers.push(("authorization".to_owned(), value));
            }
            (ClientAuth::Body, Some(secret)) => {
                form.secret("client_id", &self.client_id);
                form.secret("client_secret", secret);
            }
            (_, None) | (ClientAuth::None, _) => form.secret("client_id", &self.client_id),
        }
        for (name, value) in &self.token_params {
            let encoded: String = byte_serialize(name.as_bytes()).collect();
            form.text.push_str(&format!("&{encoded}="));
            let own = format!("tokenParams.{name}");
            form.text.push_slot(slot(&own, Encode::Raw));
            form.held.0.insert(own, value.clone());
        }
        let url = match asking {
            Asking::Refresh(_) => &self.refresh,
            Asking::Code { .. } | Asking::Client => &self.token,
        };
        let request = Request {
            method: "POST".to_owned(),
            url: Text::literal(url),
            headers,
            body: Some(Body {
                content_type: "application/x-www-form-urlencoded".to_owned(),
                text: form.text,
            }),
        };
        (request, form.held)
    }
}

/// Identifier and secret as RFC 6749 section 2.3.1 has them in a header.
fn basic(id: &str, secret: &str) -> Zeroizing<String> {
    let encoded = |text: &str| -> Zeroizing<String> { Zeroizing::new(byte_serialize(text.as_bytes()).collect()) };
    let pair = Zeroizing::new(format!("{}:{}", *encoded(id), *encoded(secret)));
    Zeroizing::new(STANDARD.encode(pair.as_bytes()))
}

/// Which addresses a sign-in is made with, in short: others are another sign-in.
pub(super) fn addresses(service: &Service<'_>) -> String {
    let all = [service.authorize.as_deref().unwrap_or_default(), &service.token];
    let issuer = service.declared.issuer.as_deref().unwrap_or_default();
    let digest = digest::digest(&digest::SHA256, format!("{}\n{}\n{issuer}", all[0], all[1]).as_bytes());
    STANDARD.encode(digest)
}

impl Connectors {
    /// Asks for tokens, once.
    pub(super) async fn ask_for_tokens(
        &self,
        tenant: TenantId,
        service: &Service<'_>,
        asking: Asking<'_>,
    ) -> Result<Fresh, Refusal> {
        let (request, held) = service.request(&asking);
        let answer = self.ask(tenant, &request, &held).await.map_err(Refusal::unanswered)?;
        service.reading().tokens(&answer, self.inner.clock.now())
    }

    /// Asks who signed in.
    pub(super) async fn ask_who(&self, tenant: TenantId, url: &str, token: &str) -> Result<RawAnswer> {
        let mut held = Held::default();
        held.0
            .insert("access_token".to_owned(), Zeroizing::new(token.to_owned()));
        let mut value = Text::literal("Bearer ");
        value.push_slot(slot("access_token", Encode::Raw));
        let request = Request {
            method: "GET".to_owned(),
            url: Text::literal(url),
            headers: vec![
                ("accept".to_owned(), Text::literal("application/json")),
                ("authorization".to_owned(), value),
            ],
            body: None,
        };
        self.ask(tenant, &request, &held).await
    }

    async fn ask(&self, tenant: TenantId, request: &Request, held: &Held) -> Result<RawAnswer> {
        let inner = &self.inner;
        let with = With {
            tenant,
            // The address holds no secret: it says itself where these may go.
            allowed_hosts: &[],
            deadline: Instant::now() + TOKEN_REQUEST,
            allotted: Allotted::Fixed(TOKEN_REQUEST),
            limits: AnswerLimits {
                bytes: TOKEN_ANSWER_BYTES,
                ..AnswerLimits::default()
            },
            memory: &inner.memory,
            hosts: &inner.hosts,
        };
        let answer = exchange(&*inner.outbound, &inner.egress, request, held, &with).await?;
        let pause = answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        Ok(RawAnswer {
            status: answer.status.as_u16(),
            pause: pause.and_then(|text| retry_after(text, inner.clock.now())),
            body: answer.bytes().await?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_written_into_a_header_as_the_standard_has_it() {
        let value = basic("an id", "p:w+d%");
        assert_eq!(STANDARD.decode(value.as_bytes()).unwrap(), b"an+id:p%3Aw%2Bd%25");
    }
}

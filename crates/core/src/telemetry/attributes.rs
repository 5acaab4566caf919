//! An event's attributes, under exactly the keys that are declared for it.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::event::{Event, EventKind, Facts};

/// The attributes, and what the envelope says of an error. Zero and false are values like any other.
pub(super) fn of(event: &Event) -> (Map<String, Value>, Option<Value>) {
    let mut attributes = Map::new();
    let mut put = |key: &str, value: Value| drop(attributes.insert(format!("ctx.{key}"), value));
    if let Some(connector) = &event.connector {
        put("connector.provider", json!(connector));
    }
    if let Some(scope) = &event.scope {
        put("connector.scope", json!(scope.kind));
        if !scope.identity.is_empty() {
            put("connector.identity", json!(scope.identity));
        }
    }
    if let Some(group @ ("action" | "webhook" | "adapter")) = event.kind.as_str().split('.').next()
        && let Some(took) = event.duration
    {
        put(&format!("{group}.durationMs"), json!(millis(took)));
    }
    if event.kind != EventKind::ErrorOccurred
        && let Some(action) = &event.action
    {
        put("action.name", json!(action));
    }
    match event.kind {
        EventKind::ActionCompleted => put("action.success", json!(true)),
        EventKind::ActionFailed => put("action.success", json!(false)),
        _ => {}
    }
    facts(&event.facts, &mut put);
    let error = event.failure.as_ref().map(|failure| {
        put("error.code", json!(failure.code));
        put("error.message", json!(failure.message));
        if !failure.operation.is_empty() {
            put("error.operation", json!(failure.operation));
        }
        if let Some(action) = &event.action {
            put("error.action", json!(action));
        }
        json!({ "code": failure.code, "message": failure.message })
    });
    (attributes, error)
}

fn facts(facts: &Facts, put: &mut impl FnMut(&str, Value)) {
    match facts {
        Facts::Nothing => {}
        Facts::Connection { encrypted_fields } => {
            put("connector.encrypted", json!(*encrypted_fields > 0));
            put("connector.encryptedFields", json!(encrypted_fields));
        }
        Facts::OAuth {
            authorization_url,
            token_url,
            pkce,
            scopes,
            has_state,
        } => {
            if let Some(url) = authorization_url {
                put("oauth.authorizationUrl", json!(url));
            }
            if let Some(url) = token_url {
                put("oauth.tokenUrl", json!(url));
            }
            put("oauth.pkce", json!(pkce));
            put("oauth.scopes", json!(scopes));
            put("oauth.hasState", json!(has_state));
        }
        Facts::Webhook { method, path, verified } => {
            put("webhook.method", json!(method));
            put("webhook.path", json!(path));
            if let Some(verified) = verified {
                put("webhook.verified", json!(verified));
            }
        }
        Facts::Adapter { found, count, inserted } => {
            if let Some(found) = found {
                put("adapter.found", json!(found));
            }
            if let Some(count) = count {
                put("adapter.count", json!(count));
            }
            if let Some(inserted) = inserted {
                put("adapter.inserted", json!(inserted));
            }
        }
    }
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

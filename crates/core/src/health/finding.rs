//! What a failed test is called: the connector's own word, else everybody's.

use std::collections::BTreeMap;

use tieline_manifest::{Json, Tree};

use super::TestResult;
use crate::{
    connector::Connector,
    error::{Code, Error},
};

/// Nothing was found out.
pub(super) const NO_TEST: &str = "TEST_FAILED";

const UNSUPPORTED: &str = "UNSUPPORTED_TYPE";
const NETWORK: &str = "NETWORK_ERROR";
const MISSING: &str = "MISSING_CREDENTIALS";
const MISSING_SIGN_IN: &str = "OAUTH_REQUIRED";
const REFUSED: &str = "INVALID_TOKEN";
const FAILED: &str = "CONNECTION_FAILED";

/// The word for an error that the test ended with.
pub(super) fn of(connector: &Connector, error: &Error) -> String {
    let own = &connector.manifest().test_codes;
    let (own, common) = match error.code() {
        Code::UpstreamUnauthorized | Code::CredentialExpired => (own.refused.as_deref(), REFUSED),
        Code::UpstreamUnreachable | Code::UpstreamTimeout | Code::EgressForbidden | Code::UpstreamAnswerTruncated => {
            (None, NETWORK)
        }
        Code::ConnectorActionFailed
        | Code::UpstreamRateLimited
        | Code::UpstreamUnavailable
        | Code::UpstreamAnswerInvalid
        | Code::UpstreamAnswerTooLarge
        | Code::SmtpTlsRequired => (own.failed.as_deref(), FAILED),
        Code::ConnectorConfigInvalid => return of_config(connector, &Json::from_tree(Tree::Object(Vec::new())), error),
        _ => (None, NO_TEST),
    };
    own.unwrap_or(common).to_owned()
}

/// The word for a configuration that was refused before anything was sent. What is missing goes before what is wrong:
/// whoever gives nothing hears that something is to be given.
pub(super) fn of_config(connector: &Connector, config: &Json, error: &Error) -> String {
    let manifest = connector.manifest();
    let own = &manifest.test_codes;
    let named = |pointer: &str| {
        let given = pointer.strip_prefix("/config/")?;
        manifest.auth.iter().find_map(|auth| Some((auth, auth.field(given)?)))
    };
    let fields: Vec<_> = error
        .fields()
        .iter()
        .filter_map(|field| named(&field.pointer))
        .collect();
    let is_given = |name: &str, aliases: &[String]| {
        let names = std::iter::once(name).chain(aliases.iter().map(String::as_str));
        let mut values = names.filter_map(|name| config.get(name));
        values.any(|value| !value.is_null() && value.as_str() != Some(""))
    };
    let missing = fields.iter().find(|(_, field)| !is_given(&field.name, &field.aliases));
    if let Some((auth, field)) = missing {
        let common = if auth.kind.as_str() == "oauth2" {
            MISSING_SIGN_IN
        } else {
            MISSING
        };
        let special = own.fields.get(&field.name).and_then(|codes| codes.missing.as_ref());
        return special
            .or(own.missing.as_ref())
            .map_or(common, String::as_str)
            .to_owned();
    }
    let Some((_, field)) = fields.first() else {
        return NO_TEST.to_owned();
    };
    let special = own.fields.get(&field.name).and_then(|codes| codes.invalid.as_ref());
    let refused = if field.secret {
        own.refused.as_deref().unwrap_or(REFUSED)
    } else {
        NO_TEST
    };
    special.map_or(refused, String::as_str).to_owned()
}

/// What a test of a connector finds that there is not.
pub(super) fn unsupported(connector: &str) -> TestResult {
    TestResult {
        success: false,
        message: format!("Connector type '{connector}' not supported yet"),
        label: None,
        details: BTreeMap::new(),
        error_code: Some(Code::ConnectorNotFound),
        finding: Some(UNSUPPORTED.to_owned()),
        latency_ms: 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ACME: &str = "
id: acme
name: Acme
baseUrl: https://api.acme.example
testCodes: { refused: INVALID_KEY, fields: { url: { missing: MISSING_URL, invalid: BAD_URL } } }
auth:
  - type: bearer
    token: '{{key}}'
    fields:
      - { name: key, secret: true, required: true, aliases: [api_key], pattern: '^k_' }
      - { name: url, type: url, required: true }
      - { name: team, pattern: '^t' }
endpoints: []
";

    #[test]
    fn the_connectors_word_goes_before_everybodys() {
        let connector = Connector::parse(ACME).unwrap();
        for (code, word) in [
            (Code::UpstreamUnauthorized, "INVALID_KEY"),
            (Code::CredentialExpired, "INVALID_KEY"),
            (Code::ConnectorActionFailed, "CONNECTION_FAILED"),
            (Code::UpstreamUnavailable, "CONNECTION_FAILED"),
            (Code::UpstreamTimeout, "NETWORK_ERROR"),
            (Code::EgressForbidden, "NETWORK_ERROR"),
            (Code::HostNotAllowed, "TEST_FAILED"),
        ] {
            assert_eq!(of(&connector, &Error::new(code, "x")), word, "{code}");
        }
    }

    #[test]
    fn what_is_missing_is_told_before_what_is_wrong() {
        let connector = Connector::parse(ACME).unwrap();
        for (config, word) in [
            (json!({}), "MISSING_CREDENTIALS"),
            (
                json!({ "api_key": "", "url": "https://a.example" }),
                "MISSING_CREDENTIALS",
            ),
            (json!({ "key": "k_1" }), "MISSING_URL"),
            (json!({ "api_key": "wrong" }), "MISSING_URL"),
            (json!({ "api_key": "wrong", "url": "https://a.example" }), "INVALID_KEY"),
            (json!({ "key": "k_1", "url": "not a url" }), "BAD_URL"),
            (
                json!({ "key": "k_1", "url": "https://a.example", "team": "u" }),
                "TEST_FAILED",
            ),
        ] {
            let config = Json::from_value(&config);
            let Err(error) = connector.accept(None, &config) else {
                panic!("{config:?} is taken");
            };
            assert_eq!(of_config(&connector, &config, &error), word, "{config:?}");
        }
    }
}

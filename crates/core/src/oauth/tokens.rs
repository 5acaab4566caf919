//! Tokens: one sealed field of their connection, written and opened as one.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use crate::{
    clock::Timestamp,
    connector::Account,
    error::{Error, Result},
    secret::Secret,
};

/// The field that a connection's tokens lie sealed in. No connector that signs in with OAuth has one of its own.
pub(crate) const FIELD: &str = "oauth";

/// The tokens of a connection, opened.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TokenSet {
    pub(crate) access_token: Secret,
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) token_type: Option<String>,
    /// The permissions that were granted, as the service writes them.
    pub(crate) granted: Option<String>,
    pub(crate) account: Option<KnownAccount>,
}

/// Who signed in, as it is kept.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct KnownAccount {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) avatar: Option<String>,
}

impl From<Account> for KnownAccount {
    fn from(account: Account) -> Self {
        Self {
            id: account.id,
            name: account.name,
            email: account.email,
            avatar: account.avatar,
        }
    }
}

impl KnownAccount {
    /// What people know it by.
    pub(crate) fn label(&self) -> &str {
        let named = self.name.as_ref().or(self.email.as_ref());
        named.unwrap_or(&self.id)
    }
}

impl TokenSet {
    /// The tokens, as they were sealed.
    pub(crate) fn read(text: &Secret) -> Result<Self> {
        serde_json::from_str(text.reveal())
            .map_err(|error| Error::internal("sealed tokens cannot be read", format!("column {}", error.column())))
    }

    /// The tokens, to be sealed.
    pub(crate) fn text(&self) -> Secret {
        let mut pairs = vec![("accessToken", Some(self.access_token.reveal().as_str()))];
        let refresh = self.refresh_token.as_ref().map(|token| token.reveal().as_str());
        pairs.push(("refreshToken", refresh));
        pairs.push(("tokenType", self.token_type.as_deref()));
        pairs.push(("granted", self.granted.as_deref()));
        let bytes: usize = pairs.iter().map(|(_, value)| value.map_or(0, str::len) + 32).sum();
        let account = self.account.as_ref().map(account);
        // At its full size first, and more: what has to be escaped grows, and a text that grows leaves copies behind.
        let mut text = String::with_capacity(2 * bytes + account.as_ref().map_or(0, String::len) + 32);
        text.push('{');
        for (name, value) in pairs.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            let mark = if text.len() > 1 { "," } else { "" };
            let quoted = zeroize::Zeroizing::new(Value::from(value).to_string());
            text.push_str(&format!("{mark}\"{name}\":"));
            text.push_str(&quoted);
        }
        if let Some(account) = account {
            text.push_str(",\"account\":");
            text.push_str(&account);
        }
        text.push('}');
        Secret::new(text)
    }
}

fn account(account: &KnownAccount) -> String {
    let KnownAccount {
        id,
        name,
        email,
        avatar,
    } = account;
    serde_json::json!({ "id": id, "name": name, "email": email, "avatar": avatar }).to_string()
}

/// Tokens that somebody got elsewhere. Without a refresh token they work until they are over, and are not renewed.
pub struct PastedTokens {
    /// What requests carry.
    pub access_token: Secret,
    /// What gets a new one.
    pub refresh_token: Option<Secret>,
    /// Until when the access token works, where that is known.
    pub expires_at: Option<Timestamp>,
}

impl fmt::Debug for PastedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PastedTokens")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_as_they_were_sealed_and_have_no_end_to_show() {
        let secret = |text: &str| Secret::new(text.to_owned());
        let set = TokenSet {
            access_token: secret("a \"quoted\" \u{1F511} token"),
            refresh_token: Some(secret("another\\one")),
            token_type: None,
            granted: Some("read write".to_owned()),
            account: Some(KnownAccount {
                id: "7".to_owned(),
                name: None,
                email: Some("a@example.com".to_owned()),
                avatar: None,
            }),
        };
        let text = set.text();
        assert_eq!(text.last4(), None, "R4: nothing of it is shown");
        let read = TokenSet::read(&text).unwrap();
        assert_eq!(read.access_token.reveal(), set.access_token.reveal());
        assert_eq!(read.refresh_token.unwrap().reveal(), "another\\one");
        assert_eq!((read.token_type, read.granted.as_deref()), (None, Some("read write")));
        assert_eq!(read.account.unwrap().label(), "a@example.com");
    }
}

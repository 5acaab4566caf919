//! Reading what the service answers: tokens, and who signed in.

use std::time::Duration;

use tieline_manifest::{Grant, Json, Manifest, OAuth2, Path, Tree};

use super::{
    refusal::{Refusal, RefusalKind, refusal},
    standing::after,
    tokens::{KnownAccount, TokenSet},
};
use crate::{
    action::OAuthTokens,
    clock::Timestamp,
    connector::{Account, OAuth},
    error::{Code, Error, Result},
    limits::{MAX_SECRET_BYTES, TOKEN_LIFE_MOST},
    secret::Secret,
};

/// What the service answered, read no further than that.
pub(super) struct RawAnswer {
    pub(super) status: u16,
    pub(super) body: bytes::Bytes,
    /// For how long it asked to be left alone.
    pub(super) pause: Option<Duration>,
}

/// New tokens.
pub(super) struct Fresh {
    pub(super) set: TokenSet,
    pub(super) expires_at: Option<Timestamp>,
    /// The answer they came in, for the values that are kept of it.
    pub(super) json: Json,
}

/// How the tokens of a connector are read.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) service: &'a str,
    pub(super) declared: &'a OAuth2,
    pub(super) coded: Option<&'a OAuth>,
}

const ACCESS: &[&str] = &["access_token", "accessToken", "token"];
const REFRESH: &[&str] = &["refresh_token", "refreshToken"];
const EXPIRES: &[&str] = &["expires_in", "expiresIn", "expires"];
const TYPE: &[&str] = &["token_type", "tokenType"];
const GRANTED: &[&str] = &["scope", "scopes"];
const ID: &[&str] = &["id", "sub", "user_id", "userId", "uid"];
const NAME: &[&str] = &[
    "name",
    "displayName",
    "display_name",
    "username",
    "full_name",
    "fullName",
];
const EMAIL: &[&str] = &["email", "emailAddress", "email_address", "mail"];
const AVATAR: &[&str] = &[
    "avatar",
    "picture",
    "avatar_url",
    "avatarUrl",
    "photo",
    "image",
    "profile_image",
    "profileImage",
];

impl Reading<'_> {
    /// The tokens in an answer, or why there are none.
    pub(super) fn tokens(&self, answer: &RawAnswer, now: Timestamp) -> Result<Fresh, Refusal> {
        let json = Json::parse_bytes(&answer.body).ok();
        let word = json.as_ref().and_then(|json| word(json.tree()));
        let none = || refusal(self.service, answer.status, word, answer.pause);
        if !(200..300).contains(&answer.status) {
            return Err(none());
        }
        let Some(json) = &json else { return Err(none()) };
        let read = match self.coded.and_then(OAuth::tokens_reader) {
            // Of a refusal in the guise of a success, what it says counts, not what a reader makes of it.
            Some(_) if word.is_some() => None,
            Some(read) => Some(own(read(json)).map_err(unreadable)?),
            None => self.declared(json.tree(), now),
        };
        let (set, expires_at) = read.ok_or_else(none)?;
        let tokens = [Some(&set.access_token), set.refresh_token.as_ref()];
        if tokens.into_iter().flatten().any(|token| !is_token(token.reveal())) {
            let detail = format!("{} answered with a token that no request can carry.", self.service);
            return Err(unreadable(Error::new(Code::ConnectorOauthParseTokenFailed, detail)));
        }
        Ok(Fresh {
            set,
            expires_at,
            json: json.clone(),
        })
    }

    fn declared(&self, tree: &Tree, now: Timestamp) -> Option<(TokenSet, Option<Timestamp>)> {
        let paths = &self.declared.token_paths;
        let secret = |path, keys| text(at(tree, path, keys)?).map(Secret::new);
        let access_token = secret(&paths.access_token, ACCESS)?;
        let life = at(tree, &paths.expires_in, EXPIRES).and_then(seconds);
        let declared = self.declared.expires_in.map(Duration::from_secs);
        let life = life.or(declared).filter(|life| *life <= TOKEN_LIFE_MOST);
        let set = TokenSet {
            access_token,
            refresh_token: secret(&paths.refresh_token, REFRESH),
            token_type: at(tree, &paths.token_type, TYPE).and_then(text),
            granted: at(tree, &paths.scope, GRANTED).and_then(text),
            account: None,
        };
        Some((set, life.map(|life| after(now, life))))
    }

    /// Who signed in, from the answer that tells it.
    pub(super) fn account(&self, body: &[u8]) -> Result<KnownAccount> {
        let unknown = || {
            let detail = format!("{} did not tell who signed in.", self.service);
            Error::new(Code::ConnectorOauthParseUserinfoFailed, detail)
        };
        let json = Json::parse_bytes(body).map_err(|_| unknown())?;
        if let Some(read) = self.coded.and_then(OAuth::account_reader) {
            return read(&json)
                .map(KnownAccount::from)
                .map_err(|error| unknown().caused_by(error));
        }
        let find = |keys| at(json.tree(), &None, keys).and_then(text);
        let account = Account {
            id: find(ID).ok_or_else(unknown)?,
            name: find(NAME),
            email: find(EMAIL),
            avatar: find(AVATAR),
        };
        Ok(account.into())
    }

    /// Whether tokens can be renewed without a person.
    pub(super) fn renews(&self, set: &TokenSet) -> bool {
        self.declared.grant != Grant::AuthorizationCode || set.refresh_token.is_some()
    }
}

/// What a connector's own reader read.
fn own(read: Result<OAuthTokens>) -> Result<(TokenSet, Option<Timestamp>)> {
    let read = read.map_err(|error| {
        let detail = "The connector's own reader found no tokens in the service's answer.";
        Error::new(Code::ConnectorOauthParseTokenFailed, detail).caused_by(error)
    })?;
    let set = TokenSet {
        access_token: read.access_token,
        refresh_token: read.refresh_token,
        token_type: None,
        granted: None,
        account: None,
    };
    Ok((set, read.expires_at))
}

/// The answer said that it worked, and nobody can read with what.
fn unreadable(error: Error) -> Refusal {
    Refusal {
        kind: RefusalKind::Transient { is_known: false },
        error,
    }
}

/// The code of a refusal: what a program may show, which is a word and no text of the service.
pub(super) fn is_word(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

fn word(tree: &Tree) -> Option<&str> {
    let error = tree.get("error")?;
    let word = error
        .as_str()
        .or_else(|| error.get("code").or_else(|| error.get("type"))?.as_str());
    word.filter(|word| is_word(word))
}

/// A token has no blank and no control character (RFC 6749, appendix A.12), and is bounded.
fn is_token(text: &str) -> bool {
    (1..=MAX_SECRET_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn at<'t>(tree: &'t Tree, path: &Option<Path>, keys: &[&str]) -> Option<&'t Tree> {
    match path {
        Some(path) => path.first(tree),
        None => keys
            .iter()
            .filter_map(|key| tree.get(key))
            .find(|found| !found.is_null()),
    }
}

fn text(tree: &Tree) -> Option<String> {
    match tree {
        Tree::String(text) => Some(text.clone()),
        Tree::Number(number) => Some(number.to_string()),
        _ => None,
    }
    .filter(|text| !text.is_empty())
}

fn seconds(tree: &Tree) -> Option<Duration> {
    let text = tree.as_number().or_else(|| tree.as_str())?;
    Duration::try_from_secs_f64(text.trim().parse().ok()?).ok()
}

/// The values of a token answer that are kept as public fields.
pub(super) fn kept_of_tokens(declared: &OAuth2, json: &Json) -> Vec<(String, Tree)> {
    let kept = declared.keep.iter().filter_map(|kept| match &kept.from {
        tieline_manifest::KeptFrom::Token(path) => Some((kept.name.clone(), path.first(json.tree())?.clone())),
        _ => None,
    });
    kept.collect()
}

/// Whether any of a manifest's methods is of OAuth and has a field of the name that tokens lie under.
pub(crate) fn clashes(manifest: &Manifest) -> bool {
    let is_oauth = |auth: &&tieline_manifest::Auth| matches!(auth.kind, tieline_manifest::AuthKind::OAuth2(_));
    let mut methods = manifest.auth.iter().filter(is_oauth);
    methods.any(|auth| auth.fields.iter().any(|field| field.name == super::FIELD))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tieline_manifest::Use;

    fn manifest(more: &str) -> Manifest {
        let text = format!(
            "{{ id: acme, name: Acme, baseUrl: 'https://acme.example', endpoints: [], auth: [{{ type: oauth2, \
             authorizationUrl: 'https://acme.example/a', tokenUrl: 'https://acme.example/t', {more} }}] }}"
        );
        Manifest::parse(&text, Use::Tenant).unwrap()
    }

    fn declared(manifest: &Manifest) -> &OAuth2 {
        match &manifest.auth[0].kind {
            tieline_manifest::AuthKind::OAuth2(oauth) => oauth,
            other => panic!("{other:?}"),
        }
    }

    fn read(more: &str, body: &str) -> Result<Fresh, Refusal> {
        let manifest = manifest(more);
        let answer = RawAnswer {
            status: 200,
            body: body.to_owned().into(),
            pause: None,
        };
        let reading = Reading {
            service: "Acme",
            declared: declared(&manifest),
            coded: None,
        };
        reading.tokens(&answer, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn tokens_are_found_under_their_usual_names() {
        for (body, refresh, life) in [
            (
                r#"{"access_token":"a","refresh_token":"r","expires_in":60}"#,
                Some("r"),
                Some(60),
            ),
            (
                r#"{"accessToken":"a","refreshToken":"r","expiresIn":"60"}"#,
                Some("r"),
                Some(60),
            ),
            (r#"{"access_token":null,"token":"a","expires":60.0}"#, None, Some(60)),
            (
                r#"{"access_token":"a","refresh_token":null,"expires_in":null}"#,
                None,
                None,
            ),
            (
                r#"{"access_token":"a","refresh_token":"","expires_in":1e300}"#,
                None,
                None,
            ),
            (r#"{"access_token":"a","expires_in":-5}"#, None, None),
        ] {
            let fresh = read("", body).unwrap_or_else(|refusal| panic!("{body}: {}", refusal.error));
            assert_eq!(fresh.set.access_token.reveal(), "a", "{body}");
            assert_eq!(
                fresh.set.refresh_token.as_ref().map(|token| token.reveal().as_str()),
                refresh
            );
            assert_eq!(fresh.expires_at.map(Timestamp::as_second), life, "{body}");
        }
    }

    #[test]
    fn declared_places_win() {
        let paths = "tokenPaths: { accessToken: $.authed_user.access_token }, expiresIn: 30";
        let fresh = read(paths, r#"{"access_token":"bot","authed_user":{"access_token":"a"}}"#);
        let fresh = fresh.unwrap_or_else(|refusal| panic!("{}", refusal.error));
        assert_eq!(fresh.set.access_token.reveal(), "a");
        assert_eq!(fresh.expires_at.map(Timestamp::as_second), Some(30));
    }

    #[test]
    fn o9_an_answer_without_a_token_is_a_refusal_and_quotes_nothing() {
        for body in [
            "<html>s3cret</html>",
            "",
            "[]",
            r#"{"ok":true}"#,
            r#"{"access_token":""}"#,
            r#"{"access_token":"a\nb"}"#,
            r#"{"access_token":["s3cret"]}"#,
            r#"{"error":"s3cret text of the service"}"#,
            r#"{"access_token":"a","access_token":"b"}"#,
        ] {
            let refusal = read("", body).err().unwrap_or_else(|| panic!("{body}"));
            assert_eq!(refusal.kind, RefusalKind::Transient { is_known: false }, "{body}");
            assert_eq!(refusal.error.code(), Code::ConnectorOauthParseTokenFailed, "{body}");
            assert!(!refusal.error.detail().contains("s3cret"), "{}", refusal.error);
        }
        let refused = read("", r#"{"ok":false,"error":"invalid_grant"}"#).err().unwrap();
        assert_eq!(refused.kind, RefusalKind::Grant);
    }

    #[test]
    fn who_signed_in_is_found_under_the_usual_names() {
        let manifest = manifest("");
        let reading = Reading {
            service: "Acme",
            declared: declared(&manifest),
            coded: None,
        };
        let account = reading
            .account(br#"{"sub":7,"full_name":"Ada","mail":"a@example.com","profileImage":"i"}"#)
            .unwrap();
        assert_eq!((account.id.as_str(), account.label()), ("7", "Ada"));
        assert_eq!(
            (account.email.as_deref(), account.avatar.as_deref()),
            (Some("a@example.com"), Some("i"))
        );
        let error = reading.account(br#"{"name":"s3cret"}"#).unwrap_err();
        assert_eq!(error.code(), Code::ConnectorOauthParseUserinfoFailed);
        assert!(!error.detail().contains("s3cret"));
    }

    #[test]
    fn no_field_of_a_connector_lies_where_tokens_do() {
        assert!(!clashes(&manifest("")));
        assert!(clashes(&manifest("fields: [{ name: oauth, secret: true }]")));
    }
}

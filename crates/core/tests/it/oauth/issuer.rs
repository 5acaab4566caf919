//! An authorization server of our own making, which is as strict as the strictest and as hostile as a test wants it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Condvar, Mutex},
};

use serde_json::json;
use tieline_testkit::{
    canary::Canary,
    twin::{Reply, Seen, Twin},
};
use url::form_urlencoded;

pub(super) static ACCESS: Canary = Canary::new("access token");
pub(super) static REFRESH: Canary = Canary::new("refresh token");
pub(super) static CODE: Canary = Canary::new("authorization code");
pub(super) static CLIENT_SECRET: Canary = Canary::new("client secret");
/// What the server says where nobody may hear it.
pub(super) static WORDS: Canary = Canary::shaped("words of the service", "words-################-################");

/// What the token address does.
#[derive(Clone)]
pub(super) enum Mode {
    /// What an honest one does: a refresh token works once.
    Strict,
    /// The same, and the old refresh token works for ever.
    Lenient,
    /// It does what was asked, and the answer is lost.
    Lost,
    /// It does what was asked, and the answer never comes.
    Silent,
    /// It answers this, and does nothing.
    Says(Reply),
    /// It answers without a new refresh token.
    Keeps,
}

pub(super) struct State {
    pub(super) mode: Mode,
    /// How often tokens were made; the newest bear this number.
    pub(super) issued: usize,
    pub(super) lives: u64,
    /// Token requests, by grant.
    pub(super) asked: BTreeMap<String, usize>,
    /// The tokens that the API takes: those from this number on.
    pub(super) good_from: usize,
    /// What holds answers to renewals back.
    pub(super) gate: Option<Arc<Gate>>,
    /// Whether the API says in a body of success that a token is over.
    pub(super) says_in_body: bool,
}

/// Holds an answer back until it is opened. It takes a thread for that.
#[derive(Default)]
pub(super) struct Gate(Mutex<bool>, Condvar);

impl Gate {
    pub(super) fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }

    fn pass(&self) {
        let closed = self.0.lock().unwrap();
        drop(self.1.wait_while(closed, |open| !*open).unwrap());
    }
}

pub(super) struct Issuer {
    pub(super) twin: Twin,
    pub(super) state: Arc<Mutex<State>>,
}

/// The first token has number 1.
pub(super) fn token(of: &Canary, number: usize) -> String {
    format!("{}.{number}", &**of)
}

fn form(seen: &Seen) -> BTreeMap<String, String> {
    form_urlencoded::parse(&seen.body).into_owned().collect()
}

impl Issuer {
    pub(super) async fn start() -> Self {
        let state = Arc::new(Mutex::new(State {
            mode: Mode::Strict,
            issued: 0,
            lives: 3600,
            asked: BTreeMap::new(),
            good_from: 1,
            gate: None,
            says_in_body: false,
        }));
        let own = state.clone();
        let twin = Twin::answering(move |seen| {
            let mut state = own.lock().unwrap();
            let reply = answer(&mut state, seen);
            let is_renewal = form(seen)
                .get("grant_type")
                .is_some_and(|grant| grant == "refresh_token");
            let gate = state.gate.clone().filter(|_| is_renewal);
            drop(state);
            if let Some(gate) = gate {
                gate.pass();
            }
            reply
        })
        .await;
        Self { twin, state }
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    pub(super) fn mode(&self, mode: Mode) {
        self.set(|state| state.mode = mode);
    }

    pub(super) fn asked(&self, grant: &str) -> usize {
        self.state.lock().unwrap().asked.get(grant).copied().unwrap_or_default()
    }

    /// The connector, with more words of its auth method.
    pub(super) fn manifest(&self, more: &str) -> String {
        let port = self.twin.port();
        format!(
            r#"
id: acme
name: Acme
baseUrl: http://127.0.0.1:{port}/api
allowedHosts: [127.0.0.1]
answers: {{ expired: {{ path: $.error, equals: token_expired }} }}
auth:
  - type: oauth2
    authorizationUrl: http://127.0.0.1:{port}/authorize
    tokenUrl: http://127.0.0.1:{port}/token
    clientId: '{{{{client}}}}'
    clientSecret: '{{{{client_secret}}}}'
    oauthScopes: [read, offline_access]
    keep: [{{ name: team, from: token, path: $.team.id }}, {{ name: realm, from: callback, path: realmId }}]
    fields:
      - {{ name: client, default: the-client }}
      - {{ name: client_secret, secret: true }}
      - {{ name: region, default: eu }}
    {more}
endpoints:
  - {{ id: look, method: GET, path: /look }}
  - {{ id: write, method: POST, path: /look }}
"#
        )
    }
}

fn answer(state: &mut State, seen: &Seen) -> Reply {
    match seen.target.split('?').next() {
        Some("/token") => tokens(state, seen),
        Some("/me") => Reply::json(200, &json!({ "sub": 7, "name": "Ada" })),
        Some("/anonymous") => Reply::json(200, &json!({ "name": &*WORDS })),
        _ => api(state, seen),
    }
}

fn tokens(state: &mut State, seen: &Seen) -> Reply {
    let form = form(seen);
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    *state.asked.entry(field("grant_type").to_owned()).or_default() += 1;
    if let Mode::Says(reply) = &state.mode {
        return reply.clone();
    }
    let newest = token(&REFRESH, state.issued);
    let is_good = match field("grant_type") {
        "authorization_code" => field("code") == &*CODE && field("code_verifier").len() == 43,
        "refresh_token" => matches!(state.mode, Mode::Lenient | Mode::Keeps) || field("refresh_token") == newest,
        _ => true,
    };
    if !is_good {
        return Reply::json(400, &json!({ "error": "invalid_grant", "error_description": &*WORDS }));
    }
    state.issued += 1;
    let mut body = json!({
        "access_token": token(&ACCESS, state.issued), "token_type": "bearer", "expires_in": state.lives,
        "scope": "read offline_access", "team": { "id": "T1" },
    });
    if !matches!(state.mode, Mode::Keeps) && field("grant_type") != "client_credentials" {
        body["refresh_token"] = token(&REFRESH, state.issued).into();
    }
    match state.mode {
        Mode::Lost => Reply::Reset,
        Mode::Silent => Reply::Stall(Vec::new()),
        _ => Reply::json(200, &body),
    }
}

fn api(state: &mut State, seen: &Seen) -> Reply {
    let good = (state.good_from..=state.issued).map(|number| format!("Bearer {}", token(&ACCESS, number)));
    let sent = seen.header("authorization").unwrap_or_default();
    match good.into_iter().any(|good| good == sent) {
        true => Reply::json(200, &json!({ "ok": true })),
        false if state.says_in_body => Reply::json(200, &json!({ "ok": false, "error": "token_expired" })),
        false => Reply::json(401, &json!({ "error": "unauthorized" })),
    }
}

//! The services that the documents speak of, as twins on loopback under their own names.

use std::sync::Mutex;

use serde_json::{Value, json};
use tieline_testkit::{
    cert::Authority,
    smtp::SmtpServer,
    twin::{Reply, Seen, Twin},
};

use super::rows;
use crate::binary::{Folder, Server};

/// The hosts that are one HTTPS server here.
const HOSTS: [&str; 5] = [
    "slack.com",
    "api.stripe.com",
    "discord.com",
    "api.xero.com",
    "api.example.com",
];

/// The mail server of the guide, with its user.
const MAIL: (&str, &str, &str) = ("smtp.gmail.com", "your-email@gmail.com", "your-app-password");

pub(super) struct Services {
    web: Twin,
    mail: Option<SmtpServer>,
    authority: String,
    /// How many requests were told of.
    told: Mutex<usize>,
}

impl Services {
    /// Starts them; nothing where there is to be mail and its server cannot run.
    pub(super) async fn start(with_mail: bool) -> Option<Self> {
        let authority = Authority::new();
        let pem = authority.pem().to_owned();
        let certificate = authority.server(&HOSTS);
        let answers = rows("upstreams.json");
        let web = Twin::answering_over_tls(&certificate, move |seen| answer(&answers, seen)).await;
        let mail = if with_mail {
            let (host, user, password) = MAIL;
            Some(SmtpServer::start_as(authority, &[host], user, password)?)
        } else {
            None
        };
        Some(Self {
            web,
            mail,
            authority: pem,
            told: Mutex::default(),
        })
    }

    /// A server that reaches them.
    pub(super) fn serve(&self, folder: &Folder, settings: &[(&str, &str)]) -> Server {
        folder.write("authority.pem", &self.authority);
        let mut detours: Vec<String> = HOSTS
            .iter()
            .map(|host| format!("{host}:443={}", self.web.address()))
            .collect();
        detours.extend(
            self.mail
                .iter()
                .map(|mail| format!("{}:587=127.0.0.1:{}", MAIL.0, mail.starttls)),
        );
        let detours = detours.join(",");
        let mut all = vec![
            ("TIELINE__TLS__EXTRA_CA_FILES", "authority.pem"),
            ("TIELINE__EGRESS__LOOPBACK", "true"),
            ("TIELINE__EGRESS__DETOURS", detours.as_str()),
        ];
        all.extend_from_slice(settings);
        folder.serve(&all)
    }

    /// The mail that was sent.
    pub(super) fn mailed(&self) -> Value {
        let mail = self.mail.as_ref().expect("a mail server").next_message();
        let line = |name: &str| {
            let mut lines = mail.data.lines();
            lines.find(|line| line.starts_with(name)).unwrap_or_default().to_owned()
        };
        json!({
            "user": mail.user,
            "secure": mail.secure,
            "to": mail.to,
            "from": line("From:"),
            "copy": line("Cc:"),
            "subject": line("Subject:"),
            "file": mail.data.contains("report.pdf") && mail.data.contains("cmVwb3J0"),
        })
    }

    /// What they were sent since this was asked last, mail aside.
    pub(super) fn sent(&self) -> Vec<Value> {
        let seen = self.web.seen();
        let mut told = self.told.lock().unwrap();
        let new = seen[*told..].iter().map(shown).collect();
        *told = seen.len();
        new
    }
}

/// A request as reviewers read it.
fn shown(seen: &Seen) -> Value {
    let header = |name: &str| seen.header(name).unwrap_or_default();
    let body = serde_json::from_slice(&seen.body).unwrap_or_else(|_| json!(String::from_utf8_lossy(&seen.body)));
    json!({
        "request": format!("{} https://{}{}", seen.method, header("host"), seen.target),
        "authorization": header("authorization"),
        "apiKey": header("x-api-key"),
        "contentType": header("content-type"),
        "body": body,
    })
}

/// The first answer that is for this request.
fn answer(answers: &[Value], seen: &Seen) -> Reply {
    let header = |name: &str| seen.header(name).unwrap_or_default();
    let (host, key) = (header("host"), header("authorization"));
    let is_for = |row: &&Value| {
        let asked = [
            ("method", seen.method.as_str()),
            ("host", host),
            ("path", seen.target.as_str()),
        ];
        asked.iter().all(|(name, value)| row[name] == **value)
            && row["authorization"].as_str().is_none_or(|part| key.contains(part))
    };
    let found = answers.iter().find(is_for);
    let Some(found) = found else {
        return Reply::json(404, &json!({ "message": "The twin has no answer for this." }));
    };
    match (found["status"].as_u64(), &found["body"]) {
        (Some(0), _) => Reply::Raw(Vec::new()),
        (Some(status), Value::Null) => Reply::empty(u16::try_from(status).unwrap()),
        (Some(status), body) => Reply::json(u16::try_from(status).unwrap(), body),
        (None, _) => panic!("an answer without a status: {found}"),
    }
}

//! Real mail from the real binary: by the command line and by `curl`, with STARTTLS and with TLS from the first byte.

use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tieline_testkit::smtp::{PASSWORD, Received, SmtpServer, USER};

use crate::binary::{Folder, Ran, Server};

const README: &str = include_str!("../../../../README.md");

/// The mail server's authority is trusted and its address open by settings, as an operator would do it.
const OPEN: [(&str, &str); 2] = [
    ("TIELINE__TLS__EXTRA_CA_FILES", "authority.pem"),
    ("TIELINE__EGRESS__LOOPBACK", "true"),
];

/// The two ways that TLS begins, each with its listener's name at the mail server.
fn ways(mail: &SmtpServer) -> [(&'static str, Value); 2] {
    let fields = |port: u16, tls: &str| {
        json!({
            "host": "localhost", "port": port, "tls": tls, "secure": true,
            "user": USER, "password": PASSWORD, "from": "Example Team <team@example.com>",
        })
    };
    [
        ("starttls", fields(mail.starttls, "starttls")),
        ("implicit", fields(mail.implicit, "implicit")),
    ]
}

fn folder(mail: &SmtpServer) -> Folder {
    let folder = Folder::new();
    folder.write("authority.pem", mail.authority.pem());
    folder
}

fn input(subject: &str) -> Value {
    json!({ "to": "ada@example.com", "subject": subject, "text": "It works." })
}

/// Connects and sends by the command line, through whatever serves the data folder.
fn by_command(folder: &Folder, mail: &SmtpServer) {
    let run = |args: &[&str], stdin: &Value| folder.run_with(args, &OPEN, Some(&stdin.to_string()));
    for (way, fields) in ways(mail) {
        let connected = run(&["connect", "smtp", "-", "--name", way, "--json"], &fields).json();
        assert_eq!(connected["status"], "active", "{connected}");
        assert_eq!(
            connected["test"]["label"],
            format!("{USER} at localhost"),
            "{connected}"
        );
        let id = connected["id"].as_str().unwrap();
        let sent = run(
            &["call", "smtp", "send_email", "--connection", id, "--input", "-"],
            &input(way),
        );
        assert!(!PASSWORD.is_in(&sent.all()));
        arrived(mail, way, way, &serde_json::from_str(sent.worked()).unwrap());
    }
}

/// The mail came through this listener, in TLS, from who signed in, and is the one that was answered.
fn arrived(mail: &SmtpServer, way: &str, subject: &str, sent: &Value) -> Received {
    let received = mail.next_message();
    assert_eq!(
        (received.listener.as_str(), received.secure, received.user.as_deref()),
        (way, true, Some(USER))
    );
    assert_eq!(received.to, ["ada@example.com"]);
    assert_eq!(sent["accepted"], json!(["ada@example.com"]), "{sent}");
    for line in [
        format!("Subject: {subject}"),
        format!("Message-ID: {}", sent["messageId"].as_str().unwrap()),
    ] {
        assert!(received.data.lines().any(|said| said == line), "{line}");
    }
    received
}

/// A request by `curl`, as a person would make it.
fn curl(folder: &Folder, server: &Server, path: &str, body: &Value) -> Value {
    folder.write("body.json", &body.to_string());
    let command = format!(
        "curl -sS -H \"Authorization: Bearer $(cat data/bootstrap-key)\" -H 'Content-Type: application/json' \
         --data-binary @body.json http://{}/api/v1{path}",
        server.address
    );
    let done = folder.command("sh", &["-c", &command]).output().unwrap();
    let ran = Ran {
        code: done.status.code().unwrap(),
        stdout: String::from_utf8(done.stdout).unwrap(),
        stderr: String::from_utf8(done.stderr).unwrap(),
    };
    assert!(!PASSWORD.is_in(&ran.all()));
    ran.json()
}

#[test]
fn by_command_without_a_server() {
    let Some(mail) = SmtpServer::start() else { return };
    by_command(&folder(&mail), &mail);
}

#[test]
fn by_command_through_the_server() {
    let Some(mail) = SmtpServer::start() else { return };
    let folder = folder(&mail);
    let server = folder.serve(&OPEN);
    by_command(&folder, &mail);
    let (code, log) = server.stop();
    assert!(code == 0 && !PASSWORD.is_in(&log), "{log}");
}

/// The commands of the README as they are printed, but for the binary's place and the mail server's.
#[test]
fn as_the_readme_says() {
    let Some(mail) = SmtpServer::start() else { return };
    let folder = folder(&mail);
    folder.write("smtp-password", &format!("{PASSWORD}\n"));
    let here = format!(
        "host=localhost --field port={} --field tls=starttls --field user={USER} ",
        mail.starttls
    );
    let mut sent = 0;
    let lines = README
        .lines()
        .filter_map(|line| line.strip_prefix("cargo run -q --bin tieline -- "));
    for line in lines {
        let line = line.replace("host=smtp.example.com --field user=team ", &here);
        let command = format!("'{}' {line}", env!("CARGO_BIN_EXE_tieline"));
        let mut command = folder.command("sh", &["-c", &command]);
        let done = command.envs(OPEN).env("HOME", folder.path("")).output().unwrap();
        let [stdout, stderr] = [done.stdout, done.stderr].map(|said| String::from_utf8(said).unwrap());
        assert!(done.status.success(), "{line}\n{stdout}{stderr}");
        if line.starts_with("call") && !line.ends_with("--help") {
            arrived(&mail, "starttls", "Welcome", &serde_json::from_str(&stdout).unwrap());
            sent += 1;
        }
    }
    assert_eq!(sent, 2);
}

#[test]
fn by_curl() {
    let Some(mail) = SmtpServer::start() else { return };
    let folder = folder(&mail);
    let server = folder.serve(&OPEN);
    for (way, fields) in ways(&mail) {
        let connect = json!({ "connector": "smtp", "name": way, "config": fields });
        let connected = curl(&folder, &server, "/connections", &connect);
        assert_eq!(connected["status"], "active", "{connected}");
        let id = connected["id"].as_str().unwrap();
        let path = format!("/connections/{id}/actions/send_email");
        let sent = curl(&folder, &server, &path, &input(way));
        arrived(&mail, way, way, &sent["output"]);
        // As a workflow's step says it.
        let mut step = json!({ "connectorType": "smtp", "action": "send_email", "connectionId": id });
        step.as_object_mut()
            .unwrap()
            .extend(input("a step").as_object().unwrap().clone());
        let sent = curl(&folder, &server, "/actions", &step);
        arrived(&mail, way, "a step", &sent["output"]);
    }
    let (code, log) = server.stop();
    assert!(code == 0 && !PASSWORD.is_in(&log), "{log}");
}

/// As much as the guide promises, and not one byte more.
#[test]
fn ten_mebibytes_of_files_go_through() {
    const MIB: usize = 1024 * 1024;
    let Some(mail) = SmtpServer::start() else { return };
    let folder = folder(&mail);
    let server = folder.serve(&OPEN);
    let [(way, fields), _] = ways(&mail);
    let connect = json!({ "connector": "smtp", "name": way, "config": fields });
    let connected = curl(&folder, &server, "/connections", &connect);
    let id = connected["id"].as_str().unwrap();
    let with_file = |bytes: usize| {
        let file = json!({ "filename": "file.bin", "content": STANDARD.encode(vec![7; bytes]) });
        let mut input = input("a file");
        input["attachments"] = json!([file]);
        input
    };
    let path = format!("/connections/{id}/actions/send_email");
    let sent = curl(&folder, &server, &path, &with_file(10 * MIB));
    let received = arrived(&mail, way, "a file", &sent["output"]);
    assert!(received.data.len() > 13 * MIB, "{}", received.data.len());
    let refused = curl(&folder, &server, &path, &with_file(10 * MIB + 1));
    assert_eq!(refused["code"], "CONNECTOR_ACTION_INPUT_INVALID", "{refused}");

    // The command line reads as much.
    fs::write(folder.path("mail.json"), with_file(10 * MIB).to_string()).unwrap();
    let args = [
        "call",
        "smtp",
        "send_email",
        "--connection",
        id,
        "--input",
        "@mail.json",
    ];
    let sent = folder.run_with(&args, &OPEN, None);
    arrived(&mail, way, "a file", &serde_json::from_str(sent.worked()).unwrap());
}

/// S001: the documented credential and step. A path on the server is refused (F1), and nothing is sent for it.
#[test]
fn the_documented_step_goes_over_a_shared_credential() {
    let Some(mail) = SmtpServer::start() else { return };
    let folder = folder(&mail);
    let server = folder.serve(&OPEN);
    let data = json!({
        "host": "localhost", "port": mail.starttls, "secure": true,
        "user": USER, "password": PASSWORD, "from": "Your Name <team@example.com>",
    });
    let new = json!({ "name": "mail", "type": "custom", "connector": "smtp", "data": data });
    let credential = curl(&folder, &server, "/credentials", &new);
    let mut step = json!({
        "connectorType": "smtp",
        "action": "send_email",
        "credentialId": credential["id"],
        "to": "ada@example.com",
        "subject": "Workflow Notification",
        "html": "<h1>Hello!</h1><p>Your workflow completed successfully.</p>",
        "text": "Hello! Your workflow completed successfully.",
        "attachments": [{ "filename": "report.pdf", "path": "/path/to/report.pdf" }],
    });
    let refused = curl(&folder, &server, "/actions", &step);
    assert_eq!(refused["code"], "ATTACHMENT_PATH_NOT_SUPPORTED", "{refused}");
    step["attachments"] = json!([{ "filename": "report.pdf", "content": STANDARD.encode("a report") }]);
    let sent = curl(&folder, &server, "/actions", &step);
    let received = arrived(&mail, "starttls", "Workflow Notification", &sent["output"]);
    assert!(
        received.data.contains("report.pdf") && received.data.contains("<h1>Hello!</h1>"),
        "{}",
        received.data
    );
    let (code, log) = server.stop();
    assert!(code == 0 && !PASSWORD.is_in(&log), "{log}");
}

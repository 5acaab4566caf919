//! Searching, exporting and verifying the audit log over HTTP.

use futures_util::FutureExt;
use serde::Deserialize;
use serde_json::value::RawValue;
use tieline::{
    audit::{AuditEntry, GENESIS, chain},
    clock::Timestamp,
    store::AuditRow,
};

use crate::support::{Ask, Tenant, TestApp};

/// An entry of an export, read as anybody would.
#[derive(Deserialize)]
struct Entry<'a> {
    seq: u64,
    id: tieline::id::AuditId,
    at: Timestamp,
    actor: String,
    action: String,
    subject: String,
    #[serde(borrow)]
    detail: &'a RawValue,
    hash: String,
}

#[derive(Deserialize)]
struct Export<'a> {
    #[serde(borrow)]
    data: Vec<Entry<'a>>,
}

impl Entry<'_> {
    fn row(self, tenant: &Tenant) -> AuditRow {
        let mut hash = GENESIS;
        for (place, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&self.hash[2 * place..2 * place + 2], 16).unwrap();
        }
        AuditRow {
            seq: self.seq,
            hash,
            entry: AuditEntry {
                id: self.id,
                tenant: tenant.id,
                at: self.at,
                actor: self.actor,
                action: self.action,
                subject: self.subject,
                detail: self.detail.get().to_owned(),
            },
        }
    }
}

async fn log(app: &TestApp, tenant: &Tenant, query: &str) -> String {
    let answer = app
        .ask(Ask::get(format!("/api/v1/audit-logs?{query}")).key(&tenant.key))
        .await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    answer.text
}

fn subjects(text: &str) -> Vec<String> {
    let json: serde_json::Value = serde_json::from_str(text).unwrap();
    let rows = json["data"].as_array().unwrap().iter();
    rows.map(|row| row["subject"].as_str().unwrap().to_owned()).collect()
}

/// Fills a tenant's log with more than one step of an export.
async fn fill(app: &TestApp, tenant: &Tenant) {
    let link = app.connectors.audit_link(tenant.id);
    let entries = (0..1_200).map(|n| {
        let mut entry = tieline::store::conformance::sample::entry(tenant.id, &format!("row {n}"));
        if n % 7 == 0 {
            entry.actor = "=cmd|' /C calc'!A0".to_owned();
        }
        entry
    });
    let trail = tieline::audit::Trail {
        entries: entries.collect(),
        events: Vec::new(),
        link,
    };
    app.store.record(tenant.id, trail).await.unwrap();
}

#[tokio::test]
async fn a2_an_export_holds_the_whole_chain_and_verifies_by_itself() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.tenant("alice").await, app.tenant("bob").await);
    app.connect(&alice, "main").await;
    fill(&app, &alice).await;
    let text = log(&app, &alice, "format=json").await;
    let export: Export<'_> = serde_json::from_str(&text).unwrap();
    let mut rows: Vec<AuditRow> = export.data.into_iter().map(|entry| entry.row(&alice)).collect();
    assert!(rows.len() > 1_200);
    let head = app.store.audit_head(alice.id).await.unwrap();
    let link = app.connectors.audit_link(alice.id);
    assert_eq!(chain::verify(&rows, &link, head).ok(), head);
    rows[700].entry.actor.push('x');
    assert_eq!(chain::verify(&rows, &link, head).unwrap_err().seq, 701);
    assert!(!log(&app, &bob, "format=json").await.contains("row 1"), "T1");

    let csv = log(&app, &alice, "format=csv&entityType=sample").await;
    let lines: Vec<&str> = csv.split_terminator("\r\n").collect();
    assert_eq!(
        lines[0],
        "Timestamp,Action,Entity Type,Entity ID,User ID,IP Address,User Agent,Detail,Sequence,ID,Hash"
    );
    assert_eq!(lines.len(), 1_201);
    assert!(
        lines[1].contains(",sample.changed,sample,row 0,'=cmd|' /C calc'!A0,,,"),
        "{}",
        lines[1]
    );
    assert!(!csv.contains(",=cmd"), "no cell is a formula");
}

#[tokio::test]
async fn the_log_is_searched_in_both_spellings() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let (one, _) = (app.connect(&tenant, "one").await, app.connect(&tenant, "other").await);
    let all = log(&app, &tenant, "action=connection.created").await;
    assert_eq!(subjects(&all).len(), 2);
    let actor: serde_json::Value = serde_json::from_str(&all).unwrap();
    let actor = actor["data"][0]["actor"].as_str().unwrap().to_owned();
    for query in [
        format!("subject={one}&action=connection.created"),
        format!("entityType=connection&entityId={one}&action=connection.created"),
        format!("userId={actor}&action=connection.created&subject={one}"),
        format!("startDate=2020-01-01&endDate=2099-01-01&subject={one}&action=connection.created"),
    ] {
        assert_eq!(subjects(&log(&app, &tenant, &query).await), [one.as_str()], "{query}");
    }
    assert_eq!(subjects(&log(&app, &tenant, "endDate=2020-01-01").await), [""; 0]);
    let mut asc = subjects(&log(&app, &tenant, "limit=200").await);
    asc.reverse();
    assert_eq!(subjects(&log(&app, &tenant, "limit=200&order=desc").await), asc);
    // Pages of either order meet.
    let (mut seen, mut query) = (Vec::new(), "order=desc&limit=2".to_owned());
    loop {
        let page = log(&app, &tenant, &query).await;
        seen.extend(subjects(&page));
        let page: serde_json::Value = serde_json::from_str(&page).unwrap();
        let Some(cursor) = page["nextCursor"].as_str() else {
            break;
        };
        query = format!("order=desc&limit=2&cursor={cursor}");
    }
    assert_eq!(seen, asc);
    let twice = app
        .ask(Ask::get("/api/v1/audit-logs?userId=a&actor=b").key(&tenant.key))
        .await;
    assert_eq!(twice.status, 422, "{}", twice.text);
}

#[tokio::test]
async fn a3_the_use_of_a_key_is_told_and_verification_holds() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    app.connect(&tenant, "main").await;
    app.connectors.flush_calls().await.unwrap();
    let used = subjects(&log(&app, &tenant, "action=api_key.used").await);
    assert_eq!(used.len(), 1, "sampled: {used:?}");
    let verified = app.ask(Ask::get("/api/v1/audit-logs/verify").key(&tenant.key)).await;
    assert_eq!(
        (&verified.json["holds"], &verified.json["calls"]),
        (&true.into(), &1.into()),
        "{}",
        verified.text
    );
    let other = format!("{}0", verified.json["head"].as_str().unwrap());
    let wrong = app
        .ask(Ask::get(format!("/api/v1/audit-logs/verify?head={other}")).key(&tenant.key))
        .await;
    assert_eq!(wrong.status, 422, "a head of another length: {}", wrong.text);
    let later = format!("999:{}", "0".repeat(64));
    let cut = app
        .ask(Ask::get(format!("/api/v1/audit-logs/verify?head={later}")).key(&tenant.key))
        .await;
    assert_eq!(
        (&cut.json["holds"], &cut.json["tampered"]["ledger"]),
        (&false.into(), &"audit".into()),
        "{}",
        cut.text
    );
    let operator = app.operator().await;
    for (tenant, status) in [("alice", 200), (tenant.id.to_string().as_str(), 200), ("nobody", 404)] {
        let answer = app
            .ask(Ask::get(format!("/api/v1/tenants/verify?tenant={tenant}")).key(&operator))
            .await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
}

/// The places of a page or a JSON file.
fn places(text: &str) -> Vec<u64> {
    let json: serde_json::Value = serde_json::from_str(text).unwrap();
    let rows = json["data"].as_array().unwrap().iter();
    rows.map(|row| row["seq"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn skip_and_take_cut_a_window_out_of_what_fits() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    fill(&app, &tenant).await;
    let all = places(&log(&app, &tenant, "format=json&entityType=sample").await);
    assert_eq!(all.len(), 1_200);
    for (query, range) in [
        ("skip=0", 0..50),
        ("skip=0&take=50", 0..50),
        ("skip=3&take=7", 3..10),
        // Beyond one step of an export.
        ("skip=1100&take=200", 1_100..1_200),
        ("skip=1200", 1_200..1_200),
        ("skip=1200&take=1&format=json", 1_200..1_200),
        ("skip=700&take=300&format=json", 700..1_000),
        ("take=600&format=json", 0..600),
        ("skip=1190&format=json", 1_190..1_200),
    ] {
        let got = log(&app, &tenant, &format!("{query}&entityType=sample")).await;
        assert_eq!(places(&got), all[range], "{query}");
    }
    let newest = log(&app, &tenant, "skip=1&take=2&order=desc&entityType=sample").await;
    assert_eq!(places(&newest), [all[1_198], all[1_197]]);
    let csv = log(&app, &tenant, "skip=10&take=20&format=csv&entityType=sample").await;
    assert_eq!(csv.split_terminator("\r\n").count(), 21);
    // A window goes on by cursor too.
    let page = log(&app, &tenant, "skip=5&take=5&entityType=sample").await;
    let page: serde_json::Value = serde_json::from_str(&page).unwrap();
    let cursor = page["nextCursor"].as_str().unwrap();
    let next = log(&app, &tenant, &format!("cursor={cursor}&take=5&entityType=sample")).await;
    assert_eq!(places(&next), all[10..15]);
    for (wrong, field) in [
        ("take=0", "/take"),
        ("take=201", "/take"),
        ("take=10001&format=csv", "/take"),
        ("skip=10001", "/skip"),
        ("skip=-1", "/skip"),
    ] {
        let answer = Ask::get(format!("/api/v1/audit-logs?{wrong}")).key(&tenant.key);
        let answer = app.ask(answer).await;
        assert_eq!(answer.status, 422, "{wrong}: {}", answer.text);
        assert!(answer.text.contains(field), "{wrong}: {}", answer.text);
    }
}

#[tokio::test]
async fn an_end_date_includes_its_day() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let entries = ["2001-03-04T23:59:59.999999Z", "2001-03-05T00:00:00Z"].map(|at| AuditEntry {
        at: at.parse().unwrap(),
        ..tieline::store::conformance::sample::entry(tenant.id, at)
    });
    let trail = tieline::audit::Trail {
        entries: entries.to_vec(),
        events: Vec::new(),
        link: app.connectors.audit_link(tenant.id),
    };
    app.store.record(tenant.id, trail).await.unwrap();
    for (query, count) in [
        ("endDate=2001-03-03", 0),
        ("startDate=2001-03-04&endDate=2001-03-04", 1),
        ("to=2001-03-04", 0),
        ("endDate=2001-03-04T23:59:59.999999Z", 1),
        ("to=2001-03-04T23:59:59.999999Z", 0),
        ("endDate=2001-03-05&to=2001-03-05", 1),
        ("endDate=2001-03-05", 2),
    ] {
        assert_eq!(subjects(&log(&app, &tenant, query).await).len(), count, "{query}");
    }
}

#[tokio::test]
async fn a1_a_row_that_is_no_row_any_more_is_shown_and_named() {
    let app = TestApp::start().await;
    let tenant = app.tenant("alice").await;
    let other = app.connect(&tenant, "other").await;
    // PostgreSQL's own types keep most of this out; what is left is altered in the store's tests.
    let Some(database) = app.data.file() else { return };
    // As somebody with the file.
    let guards = "DROP TRIGGER audit_is_never_updated; CREATE TABLE kept AS SELECT * FROM audit";
    tieline_testkit::tamper::with_database(&database, guards);
    let digits = tenant.id.as_bytes().map(|byte| format!("{byte:02x}")).concat();
    let alter = |what: &str| {
        let update = format!("UPDATE audit SET {what} WHERE tenant = x'{digits}' AND seq = 2");
        let update = format!("PRAGMA ignore_check_constraints = on; {update}");
        tieline_testkit::tamper::with_database(&database, &update);
    };
    for (alteration, shown) in [
        ("detail = 'not { JSON'", serde_json::json!("not { JSON")),
        ("detail = CAST(x'7bff' AS TEXT)", serde_json::json!("{\u{fffd}")),
        ("id = x'00'", serde_json::Value::Null),
        ("at = 9223372036854775807", serde_json::Value::Null),
        ("hash = x''", serde_json::Value::Null),
    ] {
        alter(alteration);
        let listed = log(&app, &tenant, "limit=200").await;
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        if !shown.is_null() {
            assert_eq!(listed["data"][1]["detail"], shown);
        }
        for format in ["csv", "json"] {
            assert!(log(&app, &tenant, &format!("format={format}")).await.contains(&other));
        }
        let told = app.ask(Ask::get("/api/v1/audit-logs/verify").key(&tenant.key)).await;
        assert_eq!(told.status, 200, "{alteration}: {}", told.text);
        let place = (&told.json["tampered"]["ledger"], &told.json["tampered"]["seq"]);
        assert_eq!(place, (&"audit".into(), &2.into()), "{alteration}");
        alter(
            "(id, at, detail, hash) = (SELECT kept.id, kept.at, kept.detail, kept.hash FROM kept \
             WHERE kept.tenant = audit.tenant AND kept.seq = audit.seq)",
        );
        let told = app.ask(Ask::get("/api/v1/audit-logs/verify").key(&tenant.key)).await;
        assert_eq!(told.json["holds"], true, "{alteration}: {}", told.text);
    }
}

#[tokio::test]
async fn t6_a_tenants_ledgers_are_verified_once_at_a_time_and_others_are_served_meanwhile() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.tenant("alice").await, app.tenant("bob").await);
    fill(&app, &alice).await;
    let verify = |tenant: &Tenant| Ask::get("/api/v1/audit-logs/verify").key(&tenant.key);
    let mut running = Box::pin(app.connectors.verify_ledgers(alice.id, None));
    assert!((&mut running).now_or_never().is_none(), "it reads");
    let second = app.ask(verify(&alice)).await;
    assert_eq!((second.status, second.code()), (409, "AUDIT_VERIFY_IN_PROGRESS"));
    assert!(second.headers.contains_key("retry-after"));
    let operator = Ask::get("/api/v1/tenants/verify?tenant=alice").key(&app.operator().await);
    assert_eq!(app.ask(operator).await.status, 409);
    assert_eq!(app.ask(verify(&bob)).await.json["holds"], true);
    assert!(subjects(&log(&app, &alice, "limit=1").await).len() == 1);
    // Who gives up makes room.
    drop(running);
    assert_eq!(app.ask(verify(&alice)).await.json["holds"], true);
    assert_eq!(app.ask(verify(&alice)).await.json["holds"], true);
}

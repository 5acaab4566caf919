//! A real PostgreSQL, through all of the library's gates.

mod server;

use serde_json::{Value, json};
use tieline::{
    Code, Connectors, Error, Result,
    audit::Actor,
    call::{Call, Via},
    egress::EgressPolicy,
};
use tieline_testkit::{canary::Canary, evidence};

use self::server::{Database, PASSWORD, Private};
use crate::library;

fn connectors(authorities: &[&str]) -> Connectors {
    library::with(tieline_catalog::connectors(), authorities)
}

fn caller() -> Actor {
    library::stranger()
}

/// One call with these fields.
async fn call(connectors: &Connectors, fields: Value, action: &str, input: Value) -> Result<Value> {
    let call = Call {
        connector: Some("postgres".to_owned()),
        action: action.to_owned(),
        input: input.into(),
        via: Via::Inline {
            auth: None,
            config: fields.into(),
        },
        idempotency_key: None,
    };
    Ok(evidence::told(connectors.call(&caller(), call).await.map(|called| called.output))?.to_value())
}

async fn query(database: &Database, sql: &str, params: Value) -> Result<Value> {
    call(
        &connectors(&[]),
        database.fields(),
        "query",
        json!({ "sql": sql, "params": params }),
    )
    .await
}

async fn execute(database: &Database, sql: &str, params: Value) -> Result<Value> {
    let input = json!({ "sql": sql, "params": params });
    call(&connectors(&[]), database.writable(), "execute", input).await
}

#[tokio::test]
async fn values_both_ways() {
    let Some(database) = Database::make().await else { return };
    database.run("CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE DOMAIN small AS int CHECK (VALUE < 10)");
    let sql = "SELECT $1::bool AS bool, $2::int2 AS int2, $3::int4 AS int4, $4::int8 AS int8, $5::int8 AS long, \
        $6::numeric AS numeric, $7::float8 AS float8, $8::text AS text, $9::bytea AS bytea, $10::jsonb AS jsonb, \
        $11::json AS json, $12::uuid AS uuid, $13::timestamptz AS timestamptz, $14::timestamp AS timestamp, \
        $15::date AS date, $16::interval AS interval, $17::int4[] AS ints, $18::text[][] AS texts, $19::mood AS mood, \
        $20::small AS small, $21::text AS nothing, $22::inet AS inet, $23::mood[] AS moods, $24::jsonb AS word, \
        'NaN'::float8 AS nan, int4range(1, 5) AS range";
    let params = json!([
        true, -7, 2147483647, 9007199254740991_i64, "9223372036854775807", "12345678901234567890.1234567890", 0.1,
        "a'; DROP TABLE t; --\u{1F389}", "AP8=", { "a": [1, null] }, [1.5], "123E4567-e89b-12d3-a456-426614174000",
        "2026-11-20T10:00:00.5+01:00", "2026-11-20T10:00:00", "2026-11-20", "1 day 2 hours", [1, null, 3],
        [["a,b", "\"c\""], ["", "NULL"]], "glad", 9, null, "10.0.0.1/8", ["sad", "glad"], "word",
    ]);
    let output = query(&database, sql, params).await.unwrap();
    let row = json!({
        "bool": true, "int2": -7, "int4": 2147483647, "int8": 9007199254740991_i64, "long": "9223372036854775807",
        "numeric": "12345678901234567890.1234567890", "float8": 0.1, "text": "a'; DROP TABLE t; --\u{1F389}",
        "bytea": "AP8=", "jsonb": { "a": [1, null] }, "json": [1.5], "uuid": "123e4567-e89b-12d3-a456-426614174000",
        "timestamptz": "2026-11-20T09:00:00.5Z", "timestamp": "2026-11-20T10:00:00", "date": "2026-11-20",
        "interval": "P1DT2H", "ints": [1, null, 3], "texts": [["a,b", "\"c\""], ["", "NULL"]], "mood": "glad", "small": 9,
        "nothing": null, "inet": "10.0.0.1/8", "moods": "{sad,glad}", "word": "word", "nan": "NaN", "range": "[1,5)",
    });
    assert_eq!(output["rows"], json!([row]));
    assert_eq!((&output["rowCount"], &output["truncated"]), (&json!(1), &json!(false)));
    let types: Vec<&str> = output["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| column["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        types[18..],
        [
            "mood",
            "integer",
            "text",
            "inet",
            "mood[]",
            "jsonb",
            "double precision",
            "int4range"
        ]
    );
    let twice = query(&database, "SELECT 1 AS a, 2 AS a, 3", json!([])).await.unwrap();
    assert_eq!(twice["rows"], json!([{ "a": 1, "a_2": 2, "?column?": 3 }]));
}

#[tokio::test]
async fn rows_are_written_found_and_changed() {
    let Some(database) = Database::make().await else { return };
    let made = execute(
        &database,
        "CREATE TABLE customers (id int PRIMARY KEY, email text, seen timestamptz DEFAULT 'epoch')",
        json!([]),
    )
    .await;
    assert_eq!(made.unwrap()["rowCount"], 0);
    let added = execute(
        &database,
        "INSERT INTO customers SELECT n, 'u' || n FROM generate_series(1, $1) n RETURNING id",
        json!([3]),
    )
    .await
    .unwrap();
    assert_eq!(
        (&added["rowCount"], &added["rows"]),
        (&json!(3), &json!([{ "id": 1 }, { "id": 2 }, { "id": 3 }]))
    );
    let (connectors, fields) = (connectors(&[]), database.writable());
    let act = async |action: &str, input: Value| call(&connectors, fields.clone(), action, input).await;
    let insert = json!({
        "table": "customers", "values": { "id": 3, "email": "new" }, "returning": ["id", "email", "seen"],
        "onConflict": { "columns": ["id"], "action": "update" },
    });
    let row = act("insert_row", insert.clone()).await.unwrap();
    assert_eq!(
        row["rows"],
        json!([{ "id": 3, "email": "new", "seen": "1970-01-01T00:00:00Z" }])
    );
    let mut again = insert;
    again["onConflict"]["action"] = json!("nothing");
    assert_eq!(act("insert_row", again.clone()).await.unwrap()["rowCount"], 0);
    again.as_object_mut().unwrap().remove("onConflict");
    let twin = act("insert_row", again).await.unwrap_err();
    assert_eq!(twin.code(), Code::ConnectorActionFailed);
    // R3: the server adds the row's data in DETAIL, which stays there.
    assert!(
        twin.detail().contains("23505") && !twin.detail().contains("(3)"),
        "{twin}"
    );
    let changed = act(
        "update_rows",
        json!({ "table": "customers", "values": { "email": null }, "where": { "id": 1 } }),
    )
    .await;
    assert_eq!(changed.unwrap()["rowCount"], 1);
    let input =
        json!({ "table": "customers", "values": { "email": "x" }, "where": { "email": null }, "returning": ["id"] });
    assert_eq!(act("update_rows", input).await.unwrap()["rows"], json!([{ "id": 1 }]));
    for (pointer, input) in [
        (
            "/where",
            json!({ "table": "customers", "values": { "email": "x" }, "where": {} }),
        ),
        (
            "/values",
            json!({ "table": "customers", "values": {}, "where": { "id": 1 } }),
        ),
    ] {
        let error = act("update_rows", input).await.unwrap_err();
        assert_eq!(
            (error.code(), &*error.fields()[0].pointer),
            (Code::ConnectorActionInputInvalid, pointer)
        );
    }
    let tables = act("list_tables", json!({})).await.unwrap();
    assert_eq!(
        tables["tables"],
        json!([{ "schema": "public", "name": "customers", "type": "BASE TABLE" }])
    );
    let columns = act("describe_table", json!({ "table": "customers" })).await.unwrap();
    let column = |name: &str, kind: &str, nullable: bool, default: Value| json!({ "name": name, "type": kind, "nullable": nullable, "default": default });
    let seen = json!("'1970-01-01 00:00:00+00'::timestamp with time zone");
    assert_eq!(
        columns["columns"],
        json!([
            column("id", "integer", false, Value::Null),
            column("email", "text", true, Value::Null),
            column("seen", "timestamp with time zone", true, seen),
        ])
    );
}

/// Q2: nothing is written over a connection that reads, whichever way it is tried.
#[tokio::test]
async fn q2_a_reading_connection_writes_nothing() {
    let Some(database) = Database::make().await else { return };
    database.run(
        "CREATE TABLE t (a int); INSERT INTO t VALUES (1); CREATE SEQUENCE s;
         CREATE FUNCTION writes() RETURNS int LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES (2); RETURN 1; END $$;
         CREATE FUNCTION opens() RETURNS int LANGUAGE plpgsql AS $$ BEGIN SET transaction_read_only = off; INSERT INTO t VALUES (2); RETURN 1; END $$;
         CREATE FUNCTION turns() RETURNS int LANGUAGE plpgsql AS $$ BEGIN SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; INSERT INTO t VALUES (2); RETURN 1; END $$;
         CREATE FUNCTION ends() RETURNS int LANGUAGE plpgsql AS $$ BEGIN COMMIT; INSERT INTO t VALUES (2); RETURN 1; END $$;
         CREATE FUNCTION does() RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'SET LOCAL transaction_read_only TO off'; EXECUTE 'DELETE FROM t'; RETURN 1; END $$",
    );
    for fields in [database.fields(), database.writable()] {
        for (sql, code) in [
            (
                "WITH x AS (INSERT INTO t VALUES (2) RETURNING a) SELECT * FROM x",
                Code::ConnectionReadOnly,
            ),
            ("SELECT * INTO t2 FROM t", Code::ConnectionReadOnly),
            ("SELECT writes()", Code::ConnectionReadOnly),
            ("SELECT nextval('s')", Code::ConnectionReadOnly),
            ("SELECT * FROM t FOR UPDATE", Code::ConnectionReadOnly),
            ("EXPLAIN ANALYZE DELETE FROM t", Code::ConnectionReadOnly),
            ("SELECT opens()", Code::ConnectorActionFailed),
            ("SELECT turns()", Code::ConnectionReadOnly),
            ("SELECT ends()", Code::ConnectorActionFailed),
            ("SELECT does()", Code::ConnectorActionFailed),
            (
                "SELECT set_config('transaction_read_only', 'off', true), writes()",
                Code::ConnectorActionFailed,
            ),
            (
                "SELECT set_config('transaction_read_only', 'off', false)",
                Code::ConnectorActionFailed,
            ),
            (
                "SELECT set_config('default_transaction_read_only', 'off', false), writes()",
                Code::ConnectionReadOnly,
            ),
            ("DELETE FROM t", Code::ConnectorActionInputInvalid),
            ("COPY t TO '/tmp/t'", Code::ConnectorActionInputInvalid),
            ("COPY (SELECT 1) TO PROGRAM 'true'", Code::ConnectorActionInputInvalid),
            ("SET transaction_read_only = off", Code::ConnectorActionInputInvalid),
            (
                "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
                Code::ConnectorActionInputInvalid,
            ),
            ("COMMIT", Code::ConnectorActionInputInvalid),
            ("DO $$ BEGIN DELETE FROM t; END $$", Code::ConnectorActionInputInvalid),
            ("CALL p()", Code::ConnectorActionInputInvalid),
        ] {
            let error = call(&connectors(&[]), fields.clone(), "query", json!({ "sql": sql }))
                .await
                .unwrap_err();
            assert_eq!(error.code(), code, "{sql}: {error}");
        }
    }
    let connectors = connectors(&[]);
    for (action, input) in [
        ("execute", json!({ "sql": "DELETE FROM t" })),
        ("insert_row", json!({ "table": "t", "values": { "a": 2 } })),
        (
            "update_rows",
            json!({ "table": "t", "values": { "a": 2 }, "where": { "a": 1 } }),
        ),
    ] {
        let error = call(&connectors, database.fields(), action, input).await.unwrap_err();
        assert_eq!(error.code(), Code::ConnectionReadOnly, "{action}");
        assert!(error.nothing_sent());
    }
    assert_eq!(database.ask("SELECT string_agg(a::text, ',') FROM t"), "1");
    assert_eq!(database.ask("SELECT count(*) FROM pg_class WHERE relname = 't2'"), "0");
}

/// Q2: one statement, by the protocol's own rule.
#[tokio::test]
async fn q2_stacked_statements_are_refused() {
    let Some(database) = Database::make().await else { return };
    database.run("CREATE TABLE t (a int)");
    for sql in [
        "SELECT 1; DROP TABLE t",
        "SELECT 1; SELECT 2",
        "SELECT 'a;b'; COMMIT; DROP TABLE t; --",
        "INSERT INTO t VALUES (1); DROP TABLE t",
    ] {
        let error = execute(&database, sql, json!([])).await.unwrap_err();
        assert_eq!(
            (error.code(), &*error.fields()[0].pointer),
            (Code::ConnectorActionInputInvalid, "/sql"),
            "{sql}"
        );
        assert!(error.detail().contains("several statements"), "{error}");
    }
    assert_eq!(database.ask("SELECT count(*) FROM t"), "0");
    assert_eq!(
        query(&database, "SELECT ';' AS a;", json!([])).await.unwrap()["rows"],
        json!([{ "a": ";" }])
    );
    // A mistake is told as one.
    let error = query(&database, "SELECT FROM WHERE", json!([])).await.unwrap_err();
    assert_eq!(error.code(), Code::ConnectorActionFailed);
    assert!(
        error.detail().contains("42601") && error.detail().contains("at character"),
        "{error}"
    );
}

/// Q2: names of the input are found in the catalog or refused, and are quoted.
#[tokio::test]
async fn q2_hostile_identifiers() {
    let Some(database) = Database::make().await else { return };
    database.run(r#"CREATE TABLE "Odd ""; DROP TABLE t; --" ("a""b" int, "select" text); CREATE TABLE t (a int)"#);
    let (connectors, fields) = (connectors(&[]), database.writable());
    let act = async |action: &str, input: Value| call(&connectors, fields.clone(), action, input).await;
    let odd = "Odd \"; DROP TABLE t; --";
    let input = json!({ "table": odd, "values": { "a\"b": 1, "select": "x" }, "returning": ["select", "a\"b"] });
    assert_eq!(
        act("insert_row", input).await.unwrap()["rows"],
        json!([{ "select": "x", "a\"b": 1 }])
    );
    for (input, pointer) in [
        (json!({ "table": "t; DROP TABLE t", "values": { "a": 1 } }), "/table"),
        (
            json!({ "table": "t\" (a) VALUES (1); --", "values": { "a": 1 } }),
            "/table",
        ),
        (json!({ "table": "T", "values": { "a": 1 } }), "/table"),
        (json!({ "table": "public.t", "values": { "a": 1 } }), "/table"),
        (json!({ "table": "", "values": { "a": 1 } }), "/table"),
        (
            json!({ "table": "t", "schema": "public\".\"t", "values": { "a": 1 } }),
            "/table",
        ),
        (json!({ "table": "x".repeat(300), "values": { "a": 1 } }), "/table"),
        (
            json!({ "table": "t", "values": { "a) VALUES (1); DROP TABLE t; --": 1 } }),
            "/values/a) VALUES (1); DROP TABLE t; --",
        ),
        (json!({ "table": "t", "values": { "xmin": 1 } }), "/values/xmin"),
        (
            json!({ "table": "t", "values": { "a": 1 }, "returning": ["a, pg_sleep(9)"] }),
            "/returning/0",
        ),
        (
            json!({ "table": "t", "values": { "a": 1 }, "onConflict": { "columns": ["a) DO NOTHING; --"], "action": "nothing" } }),
            "/onConflict/columns/0",
        ),
    ] {
        let error = act("insert_row", input.clone()).await.unwrap_err();
        assert_eq!(
            (error.code(), &*error.fields()[0].pointer),
            (Code::ConnectorActionInputInvalid, pointer),
            "{input}"
        );
    }
    assert_eq!(database.ask("SELECT count(*) FROM t"), "0");
}

/// L1: rows and bytes are bounded while they come, a single row too.
#[tokio::test]
async fn l1_large_results_are_cut_or_refused() {
    let Some(database) = Database::make().await else { return };
    let (connectors, fields) = (connectors(&[]), database.fields());
    let ask = async |input: Value| call(&connectors, fields.clone(), "query", input).await;
    // In the list of columns it is made row by row, as it is asked for.
    let endless = "SELECT generate_series(1, 1000000000000) AS n";
    let output = ask(json!({ "sql": endless, "maxRows": 10 })).await.unwrap();
    assert_eq!((&output["rowCount"], &output["truncated"]), (&json!(10), &json!(true)));
    assert_eq!(output["rows"][9], json!({ "n": 10 }));
    let output = ask(json!({ "sql": endless })).await.unwrap();
    assert_eq!(
        (&output["rowCount"], &output["truncated"]),
        (&json!(1000), &json!(true))
    );
    let all = ask(json!({ "sql": "SELECT n FROM generate_series(1, 10) n", "maxRows": 10 }))
        .await
        .unwrap();
    assert_eq!((&all["rowCount"], &all["truncated"]), (&json!(10), &json!(false)));
    // More values than our JSON may have.
    let wide = format!(
        "SELECT {} FROM generate_series(1, 10000)",
        (0..50).map(|n| format!("1 AS c{n}")).collect::<Vec<_>>().join(", ")
    );
    let output = ask(json!({ "sql": wide, "maxRows": 10000 })).await.unwrap();
    assert!(
        output["truncated"] == true && output["rowCount"].as_u64() > Some(500),
        "{}",
        output["rowCount"]
    );
    for sql in [
        "SELECT repeat('x', 1000000) AS x FROM generate_series(1, 100)",
        // One row, larger than is read.
        "SELECT repeat('x', 100000000) AS x",
    ] {
        let error = ask(json!({ "sql": sql })).await.unwrap_err();
        assert_eq!(error.code(), Code::UpstreamAnswerTooLarge, "{sql}");
    }
    // Nothing of what was written with too much to say of it stays.
    database.run("CREATE TABLE t (a text)");
    let sql = "INSERT INTO t SELECT repeat('x', 1000000) FROM generate_series(1, 20) RETURNING a";
    let error = execute(&database, sql, json!([])).await.unwrap_err();
    assert_eq!(error.code(), Code::UpstreamAnswerTooLarge);
    assert_eq!(database.ask("SELECT count(*) FROM t"), "0");
    for bad in [json!(0), json!(10001)] {
        let error = ask(json!({ "sql": "SELECT 1", "maxRows": bad })).await.unwrap_err();
        assert_eq!(error.code(), Code::ConnectorActionInputInvalid);
    }
}

/// L1: what takes too long is ended on the server, by a word of ours: neither its own limit nor our absence is waited for.
#[tokio::test]
async fn l1_an_overdue_statement_is_cancelled_on_the_server() {
    let Some(server) = Private::start().await else { return };
    let open = connectors(&[server.authority.pem()]);
    let input = json!({ "sql": "SELECT pg_sleep(600)", "timeout": 1000 });
    let error = call(&open, server.fields("scram", "verify-full"), "query", input)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::UpstreamTimeout);
    assert!(error.detail().contains("cancelled on the server"), "{error}");
    // The server writes this down before it says it to us, and we hear it out.
    let log = server.log();
    assert!(log.contains("canceling statement due to user request"), "{log}");
}

/// L1: when the caller leaves, the server notices.
#[tokio::test]
async fn l1_a_statement_whose_caller_left_ends() {
    let Some(database) = Database::make().await else { return };
    let connectors = connectors(&[]);
    let input = json!({ "sql": "SELECT pg_sleep(600)", "timeout": 100_000 });
    let fields = database.fields();
    let running = tokio::spawn(async move { call(&connectors, fields, "query", input).await });
    let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep%' AND state = 'active' AND pid <> pg_backend_pid()";
    let until = async |count: &str| {
        while database.ask(sleeping) != count {
            tokio::task::yield_now().await;
        }
    };
    until("1").await;
    running.abort();
    until("0").await;
}

#[tokio::test]
async fn values_and_places_must_agree() {
    let Some(database) = Database::make().await else { return };
    for (sql, params, pointer) in [
        ("SELECT $1::int", json!([]), "/params"),
        ("SELECT 1", json!([1]), "/params"),
        ("SELECT $1::text", json!([{ "a": 1 }]), "/params/0"),
        ("SELECT $1::bytea", json!(["no base64!"]), "/params/0"),
    ] {
        let error = query(&database, sql, params).await.unwrap_err();
        assert_eq!(
            (error.code(), &*error.fields()[0].pointer),
            (Code::ConnectorActionInputInvalid, pointer),
            "{sql}"
        );
    }
}

/// R3: neither the database's data nor the caller's values stand in errors or logs.
#[tokio::test]
async fn r3_errors_tell_no_values() {
    static CARD: Canary = Canary::new("value of a query");
    static CELL: Canary = Canary::new("cell of a table");
    let Some(database) = Database::make().await else { return };
    database.run(&format!(
        "CREATE TABLE t (a text UNIQUE); INSERT INTO t VALUES ($${}$$)",
        &*CELL
    ));
    for (sql, params) in [
        ("SELECT $1::int", json!([CARD])),
        ("SELECT $1::text::int", json!([CARD])),
        ("SELECT a::int FROM t", json!([])),
        ("SELECT a::date FROM t WHERE a <> $1", json!([CARD])),
        ("SELECT nothing_of_the_kind FROM t WHERE a = $1", json!([CARD])),
    ] {
        let error = query(&database, sql, params).await.unwrap_err();
        assert_eq!(error.code(), Code::ConnectorActionFailed, "{sql}");
        let told = format!("{error:?}");
        assert!(!CARD.is_in(&told) && !CELL.is_in(&told), "{told}");
    }
    let error = execute(&database, "INSERT INTO t SELECT a FROM t WHERE a <> $1", json!([CARD]))
        .await
        .unwrap_err();
    assert!(
        error.detail().contains("23505") && !CELL.is_in(&format!("{error:?}")),
        "{error:?}"
    );
    let raise = "DO $$ BEGIN RAISE EXCEPTION 'the words of a function'; END $$";
    let error = execute(&database, raise, json!([])).await.unwrap_err();
    assert!(
        error.detail().contains("the words of a function") && error.detail().contains("P0001"),
        "{error}"
    );
}

/// N3, N5: the judge of addresses stands before databases too, and our own is never reached.
#[tokio::test]
async fn n_refused_addresses() {
    let Some(database) = Database::make().await else { return };
    let fields = |host: &str| {
        let mut fields = database.fields();
        fields["host"] = json!(host);
        fields
    };
    let ask = json!({ "sql": "SELECT 1" });
    let open = connectors(&[]);
    for host in [
        "10.0.0.1",
        "169.254.169.254",
        "0x0a000001",
        "::ffff:10.0.0.1",
        "fe80::1",
    ] {
        let error = call(&open, fields(host), "query", ask.clone()).await.unwrap_err();
        assert_eq!(error.code(), Code::EgressForbidden, "{host}");
    }
    for host in [
        "localhost/x",
        "a b",
        "",
        "user@host",
        "/var/run/postgresql",
        "host:5432",
    ] {
        let error = call(&open, fields(host), "query", ask.clone()).await.unwrap_err();
        assert_eq!(error.code(), Code::ConnectorConfigInvalid, "{host}");
    }
    let closed = library::guarded(tieline_catalog::connectors(), EgressPolicy::default());
    let error = call(&closed, database.fields(), "query", ask.clone())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::EgressForbidden);
    let own = EgressPolicy {
        loopback: true,
        own_database: vec![("localhost".to_owned(), database.port)],
        ..EgressPolicy::default()
    };
    let own = library::guarded(tieline_catalog::connectors(), own);
    for host in ["localhost", "127.0.0.1", "127.0.0.2", "127.1", "2130706433", "::1"] {
        let error = call(&own, fields(host), "query", ask.clone()).await.unwrap_err();
        assert_eq!(error.code(), Code::EgressForbidden, "{host}");
    }
}

/// Passwords by each method, and never one in the clear.
#[tokio::test]
async fn signing_in() {
    let Some(server) = Private::start().await else { return };
    let open = connectors(&[server.authority.pem()]);
    let ask = async |user: &str, password: &str, sslmode: &str| {
        let mut fields = server.fields(user, sslmode);
        fields["password"] = json!(password);
        call(
            &open,
            fields,
            "query",
            json!({ "sql": "SELECT current_user::text AS me" }),
        )
        .await
    };
    for (user, sslmode) in [
        ("scram", "verify-full"),
        ("scram", "require"),
        ("scram", "disable"),
        ("md5", "verify-full"),
        ("clear", "verify-full"),
    ] {
        let output = ask(user, &PASSWORD, sslmode).await.unwrap();
        assert_eq!(output["rows"], json!([{ "me": user }]), "{sslmode}");
    }
    static WRONG: Canary = Canary::new("wrong PostgreSQL password");
    for (user, sslmode) in [
        ("scram", "verify-full"),
        ("scram", "disable"),
        ("md5", "require"),
        ("clear", "require"),
    ] {
        let error = ask(user, &WRONG, sslmode).await.unwrap_err();
        assert_eq!(error.code(), Code::UpstreamUnauthorized, "{user} {error}");
        assert!(error.nothing_sent() && !WRONG.is_in(&format!("{error:?}")), "{error:?}");
    }
    for user in ["md5", "clear"] {
        let error = ask(user, &PASSWORD, "disable").await.unwrap_err();
        assert_eq!(error.code(), Code::UpstreamUnauthorized);
        assert!(error.detail().contains("nothing was said"), "{error}");
    }
    let error = ask("nobody", &PASSWORD, "verify-full").await.unwrap_err();
    assert_eq!(error.code(), Code::UpstreamUnauthorized);
    assert!(!server.log().contains(&*PASSWORD) && server.log().contains("connection authorized"));
}

/// N6: certificates are verified, and nothing in a connection turns that off.
#[tokio::test]
async fn n6_tls_is_verified() {
    let Some(server) = Private::start().await else { return };
    let ask = async |open: &Connectors, more: Value| {
        let mut fields = server.fields("scram", "verify-full");
        for (name, value) in more.as_object().unwrap() {
            fields[name] = value.clone();
        }
        call(open, fields, "query", json!({ "sql": "SELECT 1 AS one" })).await
    };
    let (trusting, strange) = (connectors(&[server.authority.pem()]), connectors(&[]));
    ask(&trusting, json!({})).await.unwrap();
    // The certificate is for `localhost` alone.
    for (open, more, words) in [
        (&trusting, json!({ "host": "127.0.0.1" }), "another host name"),
        (
            &trusting,
            json!({ "host": "127.0.0.1", "sslmode": "require" }),
            "another host name",
        ),
        (&strange, json!({}), "nobody we trust"),
        (&strange, json!({ "sslmode": "require" }), "nobody we trust"),
    ] {
        let error = ask(open, more.clone()).await.unwrap_err();
        assert_eq!(error.code(), Code::UpstreamUnreachable, "{more}");
        assert!(error.detail().contains(words) && error.nothing_sent(), "{error}");
    }
    // An authority of the connection's own is trusted, and then no other.
    ask(&strange, json!({ "sslrootcert": server.authority.pem() }))
        .await
        .unwrap();
    let other = tieline_testkit::cert::Authority::new();
    let error = ask(&trusting, json!({ "sslrootcert": other.pem() })).await.unwrap_err();
    assert_eq!(error.code(), Code::UpstreamUnreachable, "{error}");
    let error = ask(&trusting, json!({ "sslrootcert": "no certificate" }))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::ConnectorConfigInvalid, "{error}");
    for mode in ["prefer", "allow", "none"] {
        let error = ask(&trusting, json!({ "sslmode": mode })).await.unwrap_err();
        assert_eq!(error.code(), Code::ConnectorConfigInvalid);
    }
    let Some(plain) = Private::without_tls().await else {
        return;
    };
    let error = call(
        &trusting,
        plain.fields("scram", "require"),
        "query",
        json!({ "sql": "SELECT 1" }),
    )
    .await
    .unwrap_err();
    assert_eq!(error.code(), Code::UpstreamUnreachable);
    assert!(error.detail().contains("offers no TLS"), "{error}");
    assert!(!plain.log().contains("connection authenticated"));
}

/// S003: the test asks for the version, and tells database and host.
#[tokio::test]
async fn the_test_of_the_documents() {
    let Some(database) = Database::make().await else { return };
    let connectors = connectors(&[]);
    let test = async |more: Value| {
        let mut fields = database.fields();
        for (name, value) in more.as_object().unwrap() {
            fields[name] = value.clone();
        }
        let connect = library::connect("postgres", fields);
        evidence::told(connectors.test_unsaved(&caller(), &connect).await)
    };
    let works = test(json!({})).await.unwrap();
    assert!(works.success, "{}", works.message);
    assert_eq!(
        (&works.details["database"], &works.details["host"]),
        (&json!(database.name), &json!("127.0.0.1"))
    );
    assert!(works.details["version"].as_str().unwrap().starts_with("PostgreSQL "));
    assert_eq!(works.label, Some(format!("postgres@127.0.0.1/{}", database.name)));
    for (more, code, words) in [
        (
            json!({ "database": "nothing_of_the_kind" }),
            Code::ConnectorActionFailed,
            "3D000",
        ),
        (
            json!({ "username": "nobody_of_the_kind" }),
            Code::UpstreamUnauthorized,
            "28000",
        ),
        (json!({ "port": 1 }), Code::UpstreamUnreachable, "cannot be reached"),
    ] {
        let failed = test(more).await.unwrap();
        assert_eq!((failed.success, failed.error_code), (false, Some(code)));
        assert!(failed.message.contains(words), "{}", failed.message);
    }
    let missing = test(json!({ "host": null, "database": null })).await.unwrap_err();
    let pointers: Vec<&str> = missing.fields().iter().map(|field| field.pointer.as_str()).collect();
    assert_eq!(
        (missing.code(), pointers),
        (Code::ConnectorConfigInvalid, vec!["/config/host", "/config/database"])
    );
}

/// What is no PostgreSQL, or one that means no good.
#[tokio::test]
async fn servers_that_are_none() {
    let connectors = connectors(&[]);
    let ask = async |bytes: Vec<u8>, more: Value| -> Error {
        let port = server::says(bytes).await;
        let mut fields = json!({ "host": "127.0.0.1", "port": port, "database": "d", "username": "u", "password": PASSWORD, "sslmode": "disable" });
        for (name, value) in more.as_object().unwrap() {
            fields[name] = value.clone();
        }
        call(
            &connectors,
            fields,
            "query",
            json!({ "sql": "SELECT 1", "timeout": 2000 }),
        )
        .await
        .unwrap_err()
    };
    let message = |tag: u8, length: i32, body: &[u8]| [&[tag][..], &length.to_be_bytes(), body].concat();
    let authentication = |kind: i32, more: &[u8]| {
        let body = [&kind.to_be_bytes()[..], more].concat();
        message(b'R', 4 + i32::try_from(body.len()).unwrap(), &body)
    };
    let none = json!({});
    for (bytes, code) in [
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            Code::UpstreamAnswerInvalid,
        ),
        (message(b'N', i32::MAX, b"x"), Code::UpstreamAnswerInvalid),
        (message(b'N', -1, b"x"), Code::UpstreamAnswerInvalid),
        (message(b'N', 3, b"x"), Code::UpstreamAnswerInvalid),
        (message(b'?', 4, b""), Code::UpstreamAnswerInvalid),
        (authentication(3, b""), Code::UpstreamUnauthorized),
        (authentication(5, b"salt"), Code::UpstreamUnauthorized),
        (authentication(7, b""), Code::UpstreamUnauthorized),
        (authentication(10, b"SCRAM-SHA-1\0\0"), Code::UpstreamUnauthorized),
        (
            // It ends the sign-in without the proof that it knows the password.
            [authentication(10, b"SCRAM-SHA-256\0\0"), authentication(0, b"")].concat(),
            Code::UpstreamAnswerInvalid,
        ),
        (Vec::new(), Code::UpstreamTimeout),
    ] {
        let error = ask(bytes.clone(), none.clone()).await;
        assert_eq!(error.code(), code, "{}: {error}", String::from_utf8_lossy(&bytes));
        assert!(error.nothing_sent() && !PASSWORD.is_in(&format!("{error:?}")));
    }
    // Bytes behind the yes to TLS are no part of it.
    for (bytes, code) in [
        ([&b"S"[..], &authentication(0, b"")].concat(), Code::UpstreamUnreachable),
        (b"N".to_vec(), Code::UpstreamUnreachable),
        (b"E".to_vec(), Code::UpstreamAnswerInvalid),
    ] {
        let error = ask(bytes, json!({ "sslmode": "require" })).await;
        assert_eq!(error.code(), code, "{error}");
    }
}

//! Custom integrations: what a definition says is what comes back, and no secret goes along.

use std::collections::BTreeSet;

use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};
use tieline_manifest::{
    Json, Manifest, Tree, Use,
    dialect::s004::{Connection, Exported, Imported, WEBHOOK_SECRET, from_s004, to_s004},
};

const CONTACTS: &str = include_str!("../s004/contacts.json");
const WEBHOOK: &str = include_str!("../s004/webhook.json");

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn imported(definition: &Value) -> Imported {
    from_s004(&definition.to_string()).unwrap_or_else(|lints| panic!("{definition:#}\n{lints:#?}"))
}

fn exported(imported: &Imported) -> Exported {
    let secrets = imported.secrets.iter().chain(&imported.kept);
    let mut present: BTreeSet<String> = secrets.map(|secret| secret.name.clone()).collect();
    present.extend(imported.webhook_secret.iter().map(|_| WEBHOOK_SECRET.to_owned()));
    let connection = Connection {
        row: &imported.row,
        config: &imported.config,
        present: &present,
    };
    to_s004(&imported.manifest, &connection)
}

/// The definition with what is documented to differ: secrets are masked, and defaults written.
fn expected(definition: &Value, imported: &Imported) -> Value {
    let mut out = definition.clone();
    for secret in imported.secrets.iter().chain(&imported.kept) {
        *out.pointer_mut(&secret.pointer).unwrap() = json!(format!("{{{{encrypted:{}}}}}", secret.name));
    }
    if let Some(pointer) = &imported.webhook_secret {
        *out.pointer_mut(pointer).unwrap() = json!("{{encrypted:webhookSecret}}");
    }
    if let Some(webhook) = out.get_mut("webhookConfig").and_then(Value::as_object_mut) {
        webhook.remove("webhookUrl");
        webhook.entry("responseStatus").or_insert(json!(200));
    }
    let all = out.as_object_mut().unwrap();
    all.entry("endpoints").or_insert(json!([]));
    out
}

fn comes_back(definition: &Value) {
    let imported = imported(definition);
    let exported = exported(&imported);
    assert_eq!(exported.lost, Vec::<String>::new());
    let expected = Tree::from_value(&expected(definition, &imported));
    assert_eq!(
        exported.definition,
        expected,
        "\n{}\n{}",
        exported.definition.to_text(),
        expected.to_text()
    );
    let again = from_s004(&exported.definition.to_text()).unwrap();
    let (again_read, read) = (format!("{:?}", again.read), format!("{:?}", imported.read));
    assert_eq!(again_read, read, "what comes back says the same");
    assert!(again.secrets.is_empty(), "a mask is no secret");
    Manifest::from_tree(&imported.manifest, Use::Tenant).unwrap();
}

#[test]
fn the_documents_literals_come_back() {
    comes_back(&value(CONTACTS));
    comes_back(&value(WEBHOOK));
}

#[test]
fn every_way_to_sign_in_comes_back() {
    for auth in [
        json!({ "type": "none" }),
        json!({ "type": "api_key", "keyName": "api_key", "keyLocation": "query", "keyValue": "s3cret-value" }),
        json!({ "type": "api_key", "keyName": "key", "keyLocation": "body", "keyValue": "s3cret-value" }),
        json!({ "type": "bearer", "token": "s3cret-value" }),
        json!({ "type": "basic", "username": "ada", "password": "s3cret-value" }),
        json!({ "type": "basic", "username": "ada", "password": "" }),
        json!({ "type": "custom_headers", "headers": { "X-One": "s3cret-value", "9~Two/x!": "s3cret-value" } }),
        json!({ "type": "oauth2", "grantType": "authorization_code", "tokenUrl": "https://a.example/t", "clientId": "c", "clientSecret": "s3cret-value",
            "scope": "a b", "authorizationUrl": "https://a.example/a", "redirectUri": "https://us.example/cb",
            "accessToken": "s3cret-value", "refreshToken": "s3cret-value", "expiresAt": "2026-01-01T00:00:00Z" }),
        json!({ "type": "oauth2", "grantType": "refresh_token", "tokenUrl": "https://a.example/t", "clientId": "c", "clientSecret": "s3cret-value" }),
    ] {
        let mut definition = value(WEBHOOK);
        definition["auth"] = auth.clone();
        if auth["headers"].get("9~Two/x!").is_some() {
            // `/` is no letter of a header's name.
            let lints = from_s004(&definition.to_string()).unwrap_err();
            assert_eq!(lints[0].path, "auth[0].headers.9~Two/x!");
            definition["auth"]["headers"] = json!({ "X-One": "s3cret-value", "9~Two!": "s3cret-value" });
        }
        comes_back(&definition);
        let imported = imported(&definition);
        let shown = format!("{}{:?}", imported.manifest.to_text(), imported.read);
        assert!(!shown.contains("s3cret-value"), "a manifest holds no secret: {shown}");
        assert!(!exported(&imported).definition.to_text().contains("s3cret-value"));
        for secret in &imported.secrets {
            let found = definition.pointer(&secret.pointer).unwrap();
            assert!(found == "s3cret-value" || found == "", "{secret:?}");
            assert!(
                imported.read.auth[0]
                    .fields
                    .iter()
                    .any(|field| field.name == secret.name && field.secret)
            );
        }
    }
}

#[test]
fn the_api_s_form_of_auth_is_the_same() {
    let mut definition = value(WEBHOOK);
    let auth = definition.as_object_mut().unwrap().remove("auth").unwrap();
    let whole = imported(&value(WEBHOOK)).manifest;
    let mut config = auth;
    config.as_object_mut().unwrap().remove("type");
    config["clientSecret"] = json!("s3cret-value");
    definition["authType"] = json!("oauth2");
    definition["authConfig"] = config;
    let imported = imported(&definition);
    assert_eq!(imported.manifest, whole);
    assert_eq!(imported.secrets[0].pointer, "/authConfig/clientSecret");
    definition["auth"] = json!({ "type": "none" });
    assert!(
        from_s004(&definition.to_string()).is_err(),
        "two forms contradict each other"
    );
    for key in ["auth", "authConfig"] {
        definition.as_object_mut().unwrap().remove(key);
    }
    definition["authType"] = json!("none");
    assert_eq!(from_s004(&definition.to_string()).unwrap().read.auth[0].id, "none");
}

#[test]
fn leniences_are_written_out() {
    let mut definition = value(CONTACTS);
    definition["description"] = json!("");
    definition["endpoints"][2]["description"] = json!(" ");
    definition["endpoints"][2]["responseMapping"]["dataPath"] = json!("data.items[0]");
    definition["endpoints"][2]["responseMapping"]["fieldMappings"][0]["source"] = json!("first_name");
    let back = exported(&imported(&definition)).definition;
    assert_eq!(back.get("description"), None);
    assert_eq!(back.pointer("/endpoints/2/description"), None);
    let at = |pointer: &str| back.pointer(pointer).and_then(Tree::as_str).map(str::to_owned);
    assert_eq!(
        at("/endpoints/2/responseMapping/dataPath").as_deref(),
        Some("$.data.items[0]")
    );
    assert_eq!(
        at("/endpoints/2/responseMapping/fieldMappings/0/source").as_deref(),
        Some("$.first_name")
    );
}

#[test]
fn what_a_definition_cannot_say_is_told() {
    let manifest = Json::parse(
        r#"{"name":"A","baseUrl":"https://a.example","allowedHosts":["a.example"],
            "auth":[{"type":"bearer","token":"Bot {{t}}","label":"L","fields":[{"name":"t","secret":true}]},{"type":"none"}],
            "endpoints":[{"id":"a","method":"HEAD","path":"/"},
              {"id":"b","method":"POST","path":"/","effect":"read","queryParams":[{"name":"q","type":"integer","maximum":3}],
               "body":{"schema":{"properties":{"x":{"type":"string","maxLength":3},"y":{}}}},
               "responseMapping":{"recordType":"thing"}}]}"#,
    )
    .unwrap();
    let nothing = Tree::Object(Vec::new());
    let exported = to_s004(
        manifest.tree(),
        &Connection {
            row: &nothing,
            config: &nothing,
            present: &BTreeSet::new(),
        },
    );
    let mut lost = exported.lost.clone();
    lost.sort();
    assert_eq!(
        lost,
        [
            "allowedHosts",
            "auth[0].label",
            "auth[0].token",
            "auth[1]",
            "endpoints[0]",
            "endpoints[0].method",
            "endpoints[1].body.schema.properties.x.maxLength",
            "endpoints[1].effect",
            "endpoints[1].queryParams[0].maximum",
        ]
    );
    let back = from_s004(&exported.definition.to_text()).unwrap_or_else(|lints| panic!("{lints:#?}"));
    assert_eq!(back.read.endpoints.len(), 1);
    let mapping = exported
        .definition
        .pointer("/endpoints/0/responseMapping/targetShardTypeId");
    assert_eq!(mapping.and_then(Tree::as_str), Some("thing"));
}

#[test]
fn mistakes_have_their_place_in_what_was_written() {
    let text = CONTACTS.replacen("\"timeout\": 30000", "\"timeout\": 999", 1).replacen(
        "\"keyLocation\": \"header\"",
        "\"keyLocation\": \"headers\"",
        1,
    );
    let lints: Vec<String> = from_s004(&text).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        lints,
        [
            "12:14 timeout: a whole number from 1000 to 120000 is expected (bad-value)",
            "14:71 auth.keyLocation: `headers` is none of header, query, body; did you mean `header`? (bad-value)",
        ]
    );
    let text = CONTACTS.replacen("\"cursorPath\": \"$.data.next\"", "\"cursorPath\": \"$..next\"", 1);
    let lints = from_s004(&text).unwrap_err();
    let line = text.lines().position(|line| line.contains("$..next")).unwrap() + 1;
    assert_eq!(
        (lints.len(), lints[0].line as usize, lints[0].rule),
        (1, line, "bad-path")
    );
}

fn text() -> impl Strategy<Value = String> {
    "[A-Za-z][A-Za-z0-9 _.é-]{0,10}[a-z]"
}

fn path() -> impl Strategy<Value = String> {
    prop_oneof![Just("$".to_owned()), "\\$\\.[a-z]{1,5}(\\.[a-z]{1,5}|\\[[0-9]\\]){0,2}"]
}

/// An object of some of these fields.
fn some(fields: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<serde_json::Map<String, Value>> {
    let each: Vec<_> = fields
        .into_iter()
        .map(|(key, value)| {
            proptest::option::of(value).prop_map(move |value| value.map(|value| (key.to_owned(), value)))
        })
        .collect();
    each.prop_map(|entries| entries.into_iter().flatten().collect()).boxed()
}

fn of<T: Into<Value> + std::fmt::Debug + 'static>(
    strategy: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Value> {
    strategy.prop_map(Into::into).boxed()
}

fn with(base: Value, more: serde_json::Map<String, Value>) -> Value {
    let mut base = base;
    base.as_object_mut().unwrap().extend(more);
    base
}

fn scalar() -> BoxedStrategy<Value> {
    prop_oneof![of(text()), of(any::<i32>()), of(any::<bool>())].boxed()
}

fn transform() -> BoxedStrategy<Value> {
    prop_oneof![
        select(vec!["direct", "number", "boolean"]).prop_map(|kind| json!({ "type": kind })),
        (proptest::collection::vec(path(), 1..3), "[-, ]{0,2}").prop_map(
            |(fields, separator)| json!({ "type": "concat", "config": { "fields": fields, "separator": separator } })
        ),
        "[;,|]".prop_map(|delimiter| json!({ "type": "split", "config": { "delimiter": delimiter } })),
        (text(), scalar(), scalar()).prop_map(
            |(key, value, other)| json!({ "type": "map", "config": { "mapping": { key: value }, "default": other } })
        ),
        some(vec![("inputFormat", of(text())), ("outputFormat", of(text()))])
            .prop_map(|config| json!({ "type": "date", "config": config })),
        (text(), path()).prop_map(
            |(text, path)| json!({ "type": "template", "config": { "template": format!("{text} {{{{{path}}}}}") } })
        ),
        text().prop_map(|text| json!({ "type": "expression", "config": { "expression": text } })),
        (
            text(),
            some(vec![("matchField", of(text())), ("returnField", of(text()))])
        )
            .prop_map(
                |(kind, more)| json!({ "type": "lookup", "config": with(json!({ "targetShardTypeId": kind }), more) })
            ),
    ]
    .boxed()
}

fn field_mappings() -> BoxedStrategy<Value> {
    let one = (
        path(),
        some(vec![
            ("transform", transform()),
            ("default", scalar()),
            ("skipIfEmpty", of(any::<bool>())),
        ]),
    );
    proptest::collection::vec(one, 0..4)
        .prop_map(|all| {
            let one = |(index, (path, more))| with(json!({ "source": path, "target": format!("field{index}") }), more);
            Value::Array(all.into_iter().enumerate().map(one).collect())
        })
        .boxed()
}

fn mapping() -> BoxedStrategy<Value> {
    let metadata = some(vec![("totalCount", of(path())), ("pageInfo", of(path()))]).prop_map(Value::Object);
    let more = some(vec![
        ("targetShardTypeId", of(text())),
        ("errorPath", of(path())),
        ("metadataMapping", metadata.boxed()),
    ]);
    (path(), field_mappings(), "[a-z]{1,5}", more)
        .prop_map(|(path, fields, identifier, more)| {
            with(
                json!({ "dataPath": path, "fieldMappings": fields, "identifierField": identifier }),
                more,
            )
        })
        .boxed()
}

fn param(name: String, path: bool) -> BoxedStrategy<Value> {
    let kind = select(vec!["string", "number", "boolean", "array"]);
    let source = prop_oneof![
        3 => Just(json!({})),
        1 => scalar().prop_map(|value| json!({ "valueSource": "static", "value": value })),
        1 => "[a-z]{1,5}\\.[a-z]{1,3}".prop_map(|name| json!({ "valueSource": "variable", "value": format!("var_{name}") })),
        1 => text().prop_map(|text| json!({ "valueSource": "expression", "value": text })),
    ];
    (kind, any::<bool>(), source, proptest::option::of(text()))
        .prop_map(move |(kind, required, source, description)| {
            let mut param = with(
                json!({ "name": name, "required": required || path, "type": kind }),
                source.as_object().unwrap().clone(),
            );
            if let Some(description) = description {
                param["description"] = json!(description);
            }
            param
        })
        .boxed()
}

fn body() -> BoxedStrategy<Value> {
    let property = prop_oneof![
        (select(vec!["string", "number", "boolean"]), any::<bool>())
            .prop_map(|(kind, required)| json!({ "type": kind, "required": required })),
        scalar().prop_map(|value| json!({ "type": "string", "source": "static", "value": value })),
        Just(
            json!({ "type": "object", "properties": { "inner": { "type": "array", "items": { "type": "number" } } } })
        ),
    ];
    let types = vec![
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    ];
    prop_oneof![
        (select(types.clone()), property).prop_map(|(kind, property)| json!({
            "contentType": kind, "bodyType": "schema", "schema": { "type": "object", "properties": { "body_a": property } }
        })),
        (select(types), text()).prop_map(|(kind, text)| json!({
            "contentType": kind, "bodyType": "template", "template": json!({ "a": text, "b": "{{tpl.x}}" }).to_string()
        })),
        text().prop_map(|text| json!({ "contentType": "text/plain", "bodyType": "raw", "raw": text })),
    ]
    .boxed()
}

fn pagination() -> BoxedStrategy<Value> {
    let end = prop_oneof![
        select(vec!["empty_array", "count_less_than_limit", "cursor_null"]).prop_map(|kind| json!({ "type": kind })),
        path().prop_map(|path| json!({ "type": "has_more_field", "field": path })),
    ];
    let kind = prop_oneof![
        text().prop_map(|param| json!({ "type": "offset", "offsetParam": param, "limitParam": "limit" })),
        (text(), path())
            .prop_map(|(param, path)| json!({ "type": "cursor", "cursorParam": param, "cursorPath": path })),
        text().prop_map(|param| json!({ "type": "page", "pageParam": param, "pageSizeParam": "size", "maxLimit": 10 })),
        path().prop_map(|path| json!({ "type": "link", "nextLinkPath": path })),
        Just(json!({ "type": "link", "nextLinkPath": "header:Link" })),
    ];
    (kind, end)
        .prop_map(|(kind, end)| {
            let mut kind = kind;
            kind["endCondition"] = end;
            kind
        })
        .boxed()
}

fn endpoint(index: usize) -> BoxedStrategy<Value> {
    let rate = (1..100u32).prop_map(|rate| json!({ "requestsPerMinute": rate, "burstLimit": 1 }));
    let test = (text(), path()).prop_map(|(text, path)| {
        json!({ "testParams": { "q": text }, "expectations": { "statusCode": 200, "bodyContains": [text], "jsonPath": [{ "path": path, "value": null }] } })
    });
    let more = some(vec![
        ("description", of(text())),
        ("headers", of(Just(json!({ "X-A": "{{hdr.a}}" })))),
        ("body", body()),
        ("pagination", pagination()),
        ("rateLimit", rate.boxed()),
        ("tags", of(Just(json!(["t"])))),
        ("testConfig", test.boxed()),
    ]);
    let method = select(vec!["GET", "POST", "PUT", "PATCH", "DELETE"]);
    (
        method,
        text(),
        param("in_path".to_owned(), true),
        param("q.$".to_owned(), false),
        mapping(),
        more,
    )
        .prop_map(move |(method, name, in_path, query, mapping, more)| {
            let base = json!({ "id": format!("e{index}"), "name": name, "method": method, "path": "/things/{in_path}",
                "pathParams": [in_path], "queryParams": [query], "responseMapping": mapping });
            let mut endpoint = with(base, more);
            if method == "GET" {
                endpoint.as_object_mut().unwrap().remove("body");
            }
            endpoint
        })
        .boxed()
}

fn webhook() -> BoxedStrategy<Value> {
    let route = (
        select(vec![
            "create_shard",
            "update_shard",
            "delete_shard",
            "trigger_sync",
            "custom",
        ]),
        path(),
        text(),
        field_mappings(),
    )
        .prop_map(|(action, path, value, fields)| {
            json!({ "eventTypePath": path, "eventTypeValue": value, "action": action, "targetShardTypeId": "t",
                "dataPath": path, "fieldMappings": fields, "identifierPath": path })
        });
    let signature = select(vec!["hmac-sha256", "hmac-sha1", "none"])
        .prop_map(|algorithm| json!({ "header": "X-Sig", "algorithm": algorithm, "signaturePrefix": "v=" }));
    let more = some(vec![
        ("webhookUrl", of(text())),
        ("webhookSecret", of("whsec_[a-f0-9]{8}")),
        ("signatureConfig", signature.boxed()),
        ("responseStatus", of(200..300u16)),
        ("responseBody", of(text())),
    ]);
    (proptest::collection::vec(route, 0..3), more)
        .prop_map(|(routes, more)| with(json!({ "eventRouting": routes }), more))
        .boxed()
}

fn definition() -> BoxedStrategy<Value> {
    let auth = prop_oneof![
        Just(json!({ "type": "none" })),
        (text(), text())
            .prop_map(|(user, password)| json!({ "type": "basic", "username": user, "password": password })),
        text().prop_map(|token| json!({ "type": "bearer", "token": token })),
        (select(vec!["header", "query"]), text()).prop_map(
            |(place, key)| json!({ "type": "api_key", "keyName": "X-Key", "keyLocation": place, "keyValue": key })
        ),
        text().prop_map(|value| json!({ "type": "custom_headers", "headers": { "X-One": value, "x-two": value } })),
    ];
    let more = some(vec![
        ("id", of(text())),
        ("tenantId", of(text())),
        ("description", of(text())),
        ("icon", of("[a-z]{1,9}")),
        ("color", of("#[0-9a-f]{6}")),
        ("defaultHeaders", of(Just(json!({ "X-App": "a b" })))),
        ("timeout", of(1000..120_000u32)),
        (
            "retryConfig",
            of(Just(json!({ "maxRetries": 1, "retryDelay": 2, "retryOn": [500] }))),
        ),
        ("webhookConfig", webhook()),
        ("status", of(select(vec!["active", "inactive", "error"]))),
        ("lastTestResult", of(select(vec!["success", "failure"]))),
        ("createdAt", of(Just("2026-01-01T00:00:00Z"))),
        ("createdBy", of(text())),
    ]);
    let endpoints = (0..3usize).prop_flat_map(|count| (0..count).map(endpoint).collect::<Vec<_>>());
    (text(), text(), select(vec!["rest_api", "webhook", "graphql"]), auth, endpoints, more)
        .prop_map(|(name, shown, kind, auth, endpoints, more)| {
            with(
                json!({ "name": name, "displayName": shown, "integrationType": kind, "baseUrl": "https://api.example.com/v1",
                    "auth": auth, "endpoints": endpoints }),
                more,
            )
        })
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_definition_comes_back(definition in definition()) {
        comes_back(&definition);
    }
}

//! Connector modules: the documents' examples, the schema's bounds, and the registry.

use serde_json::{Value, json};
use tieline_manifest::{
    AuthKind, Door, Manifest, Tree, Values,
    dialect::s002::{Definition, DuplicateId, Registry},
};

const EXAMPLE: &str = include_str!("../s002/example.json");
const OFFICIAL: &str = include_str!("../s002/official.yaml");

fn example() -> Value {
    serde_json::from_str(EXAMPLE).unwrap()
}

fn parsed(definition: &Value) -> Result<Definition, Vec<String>> {
    Definition::parse(&definition.to_string()).map_err(|lints| lints.iter().map(ToString::to_string).collect())
}

#[test]
fn the_example_is_a_connector() {
    let definition = Definition::parse(EXAMPLE).unwrap();
    assert_eq!(definition.id(), "example");
    assert_eq!(
        definition.tree(),
        &Tree::from_value(&example()),
        "what was written is kept"
    );
    let manifest = definition.manifest();
    assert_eq!(
        manifest.docs.as_deref(),
        Some("https://docs.example.com/connectors/marketing-tools")
    );
    assert_eq!(
        manifest.connection.as_ref().unwrap().start,
        "/api/integrations/example/connect"
    );
    let auth = &manifest.auth[0];
    let AuthKind::ApiKey { name, .. } = &auth.kind else {
        panic!("{auth:?}")
    };
    assert_eq!(name, "x-example-key");
    assert!(auth.fields[0].secret && auth.fields[0].required);
    assert_eq!(auth.description.as_deref(), Some("API key stored on the server."));
}

#[test]
fn the_official_connector_signs_in_with_pkce_in_every_environment() {
    let definition = Definition::parse(OFFICIAL).unwrap_or_else(|lints| panic!("{lints:#?}"));
    let manifest: &Manifest = definition.manifest();
    let AuthKind::OAuth2(oauth) = &manifest.auth[0].kind else {
        panic!("{:?}", manifest.auth)
    };
    assert_eq!(
        oauth.oauth_scopes,
        ["events:read", "venues:read", "guests:read", "offline_access"]
    );
    assert!(oauth.without_pkce.is_none());
    let nothing = Tree::Object(Vec::new());
    let values = Values {
        input: &nothing,
        config: &nothing,
        auth: None,
        secrets: &std::collections::BTreeSet::new(),
    };
    let address = |door, environment| oauth.address(door, environment, &values).map(Result::unwrap);
    assert_eq!(
        address(Door::Token, "development").unwrap(),
        "http://localhost:4000/oauth/token"
    );
    assert_eq!(
        address(Door::Refresh, "production").unwrap(),
        "https://auth.example/oauth/token"
    );
    assert_eq!(address(Door::Jwks, "production").unwrap(), "https://auth.example/jwks");
    assert_eq!(address(Door::Jwks, "development"), None);
    assert_eq!(address(Door::Authorize, "staging"), None);
    let labels: Vec<&str> = manifest.capabilities.iter().map(|own| own.id.as_str()).collect();
    assert_eq!(labels, ["events", "venues", "guests", "branding"]);
    assert_eq!(
        manifest.publisher.as_ref().unwrap().email.as_deref(),
        Some("hello@evencio.example")
    );
    assert_eq!(manifest.links[0].label, "Status");
}

#[test]
fn every_bound_of_the_schema_holds() {
    let with = |key: &str, value: Value| {
        let mut definition = example();
        definition[key] = value;
        definition
    };
    let auth = |key: &str, value: Value| {
        let mut auth = json!({ "type": "oauth", "description": "d", "pkce": "required", "grantTypes": ["refresh_token"], "scopes": ["s"] });
        auth[key] = value;
        with("auth", auth)
    };
    let long = |count| "a".repeat(count);
    for (definition, good) in [
        (with("id", json!("ab")), true),
        (with("id", json!("-0--9-")), true),
        (with("id", json!(long(48))), true),
        (with("id", json!("a")), false),
        (with("id", json!(long(49))), false),
        (with("id", json!("Invalid Id")), false),
        (with("id", json!("a_b")), false),
        (with("name", json!("N")), false),
        (with("name", json!("Nü")), true),
        (with("summary", json!("four")), false),
        (with("summary", json!("fives")), true),
        (with("description", json!("nine char")), false),
        (with("description", json!("ten  chars")), true),
        (with("category", json!("crm")), false),
        (with("category", json!("analytics")), true),
        (with("status", json!("ready")), false),
        (with("capabilities", json!([])), false),
        (with("capabilities", json!([{ "id": "a" }])), false),
        (with("tags", json!([""])), false),
        (with("docsPath", json!("docs/connectors/example.md")), true),
        (with("links", json!([{ "label": "a" }])), false),
        (with("publisher", json!({ "name": "a", "email": "nobody" })), false),
        (with("publisher", json!({ "name": "a", "url": "nowhere" })), false),
        (with("connection", json!({ "statusPath": "/s" })), false),
        (with("auth", json!({ "type": "none" })), true),
        (with("auth", json!({ "type": "none", "description": "" })), false),
        (with("auth", json!({ "type": "api-key" })), false),
        (with("auth", json!({ "type": "api-key", "description": "d" })), true),
        (with("auth", json!({ "type": "jwt" })), false),
        (auth("pkce", json!("required")), true),
        (auth("pkce", json!("optional")), false),
        (auth("grantTypes", json!([])), false),
        (auth("grantTypes", json!(["password"])), false),
        (auth("scopes", json!([])), false),
        (auth("scopes", json!([""])), false),
        (auth("endpoints", json!({})), false),
        (
            auth(
                "endpoints",
                json!({ "prod": { "authorize": "https://a.example", "token": "https://a.example" } }),
            ),
            true,
        ),
        (
            auth("endpoints", json!({ "prod": { "authorize": "https://a.example" } })),
            false,
        ),
        (
            auth(
                "endpoints",
                json!({ "dev": { "authorize": "nowhere", "token": "https://a.example" } }),
            ),
            false,
        ),
        (auth("redirectUris", json!({ "dev": ["nowhere"] })), false),
        (auth("notes", json!([" "])), false),
    ] {
        assert_eq!(
            parsed(&definition).is_ok(),
            good,
            "{definition}: {:?}",
            parsed(&definition).err()
        );
    }
    for key in [
        "id",
        "name",
        "summary",
        "description",
        "category",
        "status",
        "auth",
        "capabilities",
    ] {
        let mut definition = example();
        definition.as_object_mut().unwrap().remove(key);
        assert_eq!(
            parsed(&definition).unwrap_err(),
            [format!("1:1 the field `{key}` is missing (missing-field)")]
        );
    }
}

#[test]
fn an_unknown_field_has_its_place_and_the_nearest_word() {
    let text = "id: example\nname: Example\nsummary: A summary.\ndescription: A description.\ncategory: events\nstatus: beta\n\
                auth: { type: api-key, description: d, header: X }\ncapabilities: [{ id: a, lable: A }]\ndocPath: x\n";
    let lints: Vec<String> = Definition::parse(text)
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        lints,
        [
            "7:40 auth.header: there is no field `header` here (unknown-field)",
            "8:16 capabilities[0]: the field `label` is missing (missing-field)",
            "8:25 capabilities[0].lable: there is no field `lable` here; did you mean `label`? (unknown-field)",
            "9:1 docPath: there is no field `docPath` here; did you mean `docsPath`? (unknown-field)",
        ]
    );
}

fn named(id: &str, name: &str) -> Definition {
    let mut definition = example();
    definition["id"] = json!(id);
    definition["name"] = json!(name);
    parsed(&definition).unwrap()
}

#[test]
fn a_registry_is_sorted_by_name_and_knows_an_id_once() {
    let all = [
        named("c1", "zoo"),
        named("c2", "Éclair"),
        named("c3", "apple"),
        named("c4", "Banana"),
    ];
    let registry = Registry::new(all.clone()).unwrap();
    let names: Vec<&str> = registry.list().iter().map(|own| own.manifest().name.as_str()).collect();
    assert_eq!(names, ["apple", "Banana", "Éclair", "zoo"]);
    assert_eq!(registry.get("c2").unwrap().manifest().name, "Éclair");
    assert!(registry.get("c5").is_none());
    let twice = Registry::new(all.into_iter().chain([named("c3", "Other")]));
    assert_eq!(twice.unwrap_err(), DuplicateId("c3".to_owned()));
    assert_eq!(DuplicateId("c3".to_owned()).to_string(), "Duplicate connector id: c3");
}

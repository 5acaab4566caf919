//! What Slack's official description of its Web API says of each method, and whether our requests are so.
//!
//! OpenAPI 2.0, version 1.7.0. A parameter is `name:type`, with `!` where it is required; the token is left out. It knows
//! forms and JSON; in JSON a text that holds JSON is the JSON itself. Times are numbers there, and texts here: a number
//! would lose digits.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tieline_manifest::{Endpoint, Json, Kind, Manifest, Property, Tree, Use, Values, request::SecretRef};

const FACTS: [(&str, &str, &str); 9] = [
    (
        "send_message",
        "POST /api/chat.postMessage json",
        "as_user:string attachments:string blocks:string channel!:string icon_emoji:string icon_url:string \
         link_names:boolean mrkdwn:boolean parse:string reply_broadcast:boolean text:string thread_ts:string \
         unfurl_links:boolean unfurl_media:boolean username:string",
    ),
    (
        "update_message",
        "POST /api/chat.update json",
        "as_user:string attachments:string blocks:string channel!:string link_names:string parse:string text:string \
         ts!:string",
    ),
    (
        "delete_message",
        "POST /api/chat.delete json",
        "ts:number channel:string as_user:boolean",
    ),
    (
        "add_reaction",
        "POST /api/reactions.add json",
        "channel!:string name!:string timestamp!:string",
    ),
    (
        "list_channels",
        "GET /api/conversations.list query",
        "exclude_archived:boolean types:string limit:integer cursor:string",
    ),
    (
        "list_users",
        "GET /api/users.list query",
        "limit:integer cursor:string include_locale:boolean",
    ),
    (
        "find_user_by_email",
        "GET /api/users.lookupByEmail query",
        "email!:string",
    ),
    (
        "open_direct_message",
        "POST /api/conversations.open json",
        "channel:string users:string return_im:boolean",
    ),
    (
        "get_channel_history",
        "GET /api/conversations.history query",
        "channel:string latest:number oldest:number inclusive:boolean limit:integer cursor:string",
    ),
];

/// Actions that the description does not hold.
const ELSEWHERE: &str = "send_incoming_webhook";

/// Whether a shape of ours is what the description calls so.
fn fits(kind: Kind, told: &str) -> bool {
    match kind {
        Kind::Boolean => told == "boolean",
        Kind::Integer => told == "integer",
        Kind::Array => told == "string",
        Kind::String => matches!(told, "string" | "number"),
        Kind::Number | Kind::Object | Kind::File => false,
    }
}

/// A value of this shape.
fn sample(property: &Property) -> Value {
    match property.kind.unwrap() {
        Kind::Integer | Kind::Number => json!(1),
        Kind::Boolean => json!(true),
        Kind::Array => json!([{}]),
        Kind::Object | Kind::File => json!({}),
        Kind::String => property.choices.first().and_then(Tree::as_str).unwrap_or("x").into(),
    }
}

/// The request of an action with every input it has: method and path with where its parameters stand, and their names.
fn sent(manifest: &Manifest, endpoint: &Endpoint) -> (String, BTreeSet<String>) {
    let input: Value = endpoint
        .inputs
        .iter()
        .map(|input| (input.name.clone(), sample(&input.property)))
        .collect();
    let input = Json::from(input);
    let secrets = BTreeSet::from([SecretRef::Config("bot_token".to_owned())]);
    let values = Values {
        input: input.tree(),
        config: &Tree::Object(Vec::new()),
        auth: manifest.auth("bot"),
        secrets: &secrets,
    };
    let request = endpoint.render(manifest, &values).unwrap();
    let url = url::Url::parse(&request.url.to_string()).unwrap();
    assert_eq!(url.host_str(), Some("slack.com"));
    let mut names: BTreeSet<String> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
    let place = match request.body {
        None => "query",
        Some(body) => {
            assert!(names.is_empty() && body.content_type == "application/json; charset=utf-8");
            let json: Value = serde_json::from_str(&body.text.to_string()).unwrap();
            names = json.as_object().unwrap().keys().cloned().collect();
            "json"
        }
    };
    (format!("{} {} {place}", request.method, url.path()), names)
}

#[test]
fn requests_are_as_the_official_description_has_them() {
    let shipped = tieline_catalog::shipped()
        .iter()
        .find(|shipped| shipped.id == "slack")
        .unwrap();
    let manifest = Manifest::parse(shipped.manifest, Use::Shipped).unwrap();
    for (action, address, text) in FACTS {
        let facts: BTreeMap<&str, (bool, &str)> = text
            .split_ascii_whitespace()
            .map(|word| {
                let (name, kind) = word.split_once(':').unwrap();
                (name.trim_end_matches('!'), (name.ends_with('!'), kind))
            })
            .collect();
        let endpoint = manifest.endpoint(action).unwrap();
        let (request, names) = sent(&manifest, endpoint);
        assert_eq!(request, address);
        let ours: BTreeSet<String> = endpoint.inputs.iter().map(|input| input.name.clone()).collect();
        assert_eq!(names, ours, "{action}: every input is sent under its own name");
        for input in &endpoint.inputs {
            let Some((required, told)) = facts.get(input.name.as_str()) else {
                panic!("{action} sends {}", input.name);
            };
            let kind = input.property.kind.unwrap();
            assert!(fits(kind, told), "{action}: {} is {told}", input.name);
            assert!(
                input.property.required || !required,
                "{action}: {} is required",
                input.name
            );
        }
        let missing = facts
            .iter()
            .find(|(name, (required, _))| *required && !ours.contains(**name));
        assert_eq!(missing, None, "{action}");
    }
    let known: BTreeSet<&str> = FACTS.iter().map(|(action, ..)| *action).chain([ELSEWHERE]).collect();
    let ours: BTreeSet<&str> = manifest.endpoints.iter().map(|endpoint| &*endpoint.id).collect();
    assert_eq!(ours, known, "an action without facts is named as such");
}

//! What Stripe's official OpenAPI description says of the actions that it holds, and that our requests keep to it.
//!
//! Taken from the description on 20 November 2026, facts only: method and path, then each parameter with its type; `!` means
//! required, a number the longest text, `|` another choice, `''` that an empty text clears. What lies inside objects is not
//! here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tieline_manifest::{Input, Json, Kind, Manifest, Property, Tree, Use, Values, request::SecretRef};

use super::FORM;

const FACTS: [(&str, &str, &str); 8] = [
    (
        "create_customer",
        "POST /v1/customers",
        "address:object|'' balance:integer cash_balance:object coupon:string(5000) description:string(5000) \
         email:string(512) expand:array invoice_prefix:string(5000) invoice_settings:object metadata:object|'' \
         name:string(256) next_invoice_sequence:integer payment_method:string(5000) phone:string(20) \
         preferred_locales:array promotion_code:string(5000) shipping:object|'' source:string(5000) tax:object \
         tax_exempt:''|'exempt'|'none'|'reverse' tax_id_data:array test_clock:string(5000)",
    ),
    (
        "update_customer",
        "POST /v1/customers/x",
        "address:object|'' balance:integer bank_account:object|string(5000) card:object|string(5000) \
         cash_balance:object coupon:string(5000) default_alipay_account:string(500) default_bank_account:string(500) \
         default_card:string(500) default_source:string(500) description:string(5000) email:string(512) expand:array \
         invoice_prefix:string(5000) invoice_settings:object metadata:object|'' name:string(256) \
         next_invoice_sequence:integer phone:string(20) preferred_locales:array promotion_code:string(5000) \
         shipping:object|'' source:string(5000) tax:object tax_exempt:''|'exempt'|'none'|'reverse'",
    ),
    ("retrieve_customer", "GET /v1/customers/x", "expand:array"),
    (
        "list_customers",
        "GET /v1/customers",
        "created:object|integer email:string(512) ending_before:string(5000) expand:array limit:integer \
         starting_after:string(5000) test_clock:string(5000)",
    ),
    (
        "create_invoice",
        "POST /v1/invoices",
        "account_tax_ids:array|'' application_fee_amount:integer auto_advance:boolean automatic_tax:object \
         collection_method:'charge_automatically'|'send_invoice' currency:string custom_fields:array|'' \
         customer:string(5000) days_until_due:integer default_payment_method:string(5000) default_source:string(5000) \
         default_tax_rates:array description:string(1500) discounts:array|'' due_date:integer expand:array \
         footer:string(5000) from_invoice:object metadata:object|'' on_behalf_of:string payment_settings:object \
         pending_invoice_items_behavior:'exclude'|'include'|'include_and_require' rendering_options:object|'' \
         shipping_cost:object shipping_details:object statement_descriptor:string(22) subscription:string(5000) \
         transfer_data:object",
    ),
    (
        "create_invoice_item",
        "POST /v1/invoiceitems",
        "amount:integer currency:string customer!:string(5000) description:string(5000) discountable:boolean \
         discounts:array|'' expand:array invoice:string(5000) metadata:object|'' period:object price:string(5000) \
         price_data:object quantity:integer subscription:string(5000) \
         tax_behavior:'exclusive'|'inclusive'|'unspecified' tax_code:string|'' tax_rates:array unit_amount:integer \
         unit_amount_decimal:string",
    ),
    (
        "create_payment_intent",
        "POST /v1/payment_intents",
        "amount!:integer application_fee_amount:integer automatic_payment_methods:object \
         capture_method:'automatic'|'automatic_async'|'manual' confirm:boolean confirmation_method:'automatic'|'manual' \
         currency!:string customer:string(5000) description:string(1000) error_on_requires_action:boolean expand:array \
         mandate:string(5000) mandate_data:object metadata:object off_session:boolean|'one_off'|'recurring' \
         on_behalf_of:string payment_method:string(5000) payment_method_data:object payment_method_options:object \
         payment_method_types:array radar_options:object receipt_email:string return_url:string \
         setup_future_usage:'off_session'|'on_session' shipping:object statement_descriptor:string(22) \
         statement_descriptor_suffix:string(22) transfer_data:object transfer_group:string use_stripe_sdk:boolean",
    ),
    ("get_balance", "GET /v1/balance", "expand:array"),
];

/// Actions that the description does not hold.
const ELSEWHERE: [&str; 4] = [
    "finalize_invoice",
    "send_invoice",
    "get_payment_intent",
    "create_refund",
];

/// A parameter as the description has it.
struct Fact<'t> {
    required: bool,
    types: Vec<&'t str>,
}

fn facts(text: &str) -> BTreeMap<&str, Fact<'_>> {
    let read = |word| {
        let (name, types): (&str, &str) = str::split_once(word, ':').unwrap();
        let types = types.split('|').collect();
        let fact = Fact {
            required: name.ends_with('!'),
            types,
        };
        (name.trim_end_matches('!'), fact)
    };
    text.split_ascii_whitespace().map(read).collect()
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::String => "string",
        Kind::Number => "number",
        Kind::Integer => "integer",
        Kind::Boolean => "boolean",
        Kind::Object => "object",
        Kind::Array => "array",
        Kind::File => "file",
    }
}

/// What of our declaration the description does not say.
fn misfit(input: &Input, fact: &Fact<'_>) -> Option<String> {
    let ours = &input.property;
    let choices: Vec<String> = ours
        .choices
        .iter()
        .map(|choice| format!("'{}'", choice.as_str().unwrap()))
        .collect();
    let kind = word(ours.kind.unwrap());
    let with_length = ours.max_length.map(|most| format!("{kind}({most})"));
    let says = |what: &str| fact.types.contains(&what);
    let fits = match &with_length {
        _ if !choices.is_empty() => choices.iter().all(|choice| says(choice)),
        Some(text) => says(text),
        None => says(kind),
    };
    let told = |what: &str| Some(format!("{}: {what}, but it is {:?}", input.name, fact.types));
    match () {
        () if ours.required != fact.required => told("required or not"),
        () if !fits => told(with_length.as_deref().unwrap_or(kind)),
        () if ours.nullable && !says("''") => told("cleared by null"),
        () => None,
    }
}

/// A value of this shape.
fn sample(property: &Property) -> Value {
    match property.kind {
        Some(Kind::Integer | Kind::Number) => json!(1),
        Some(Kind::Boolean) => json!(true),
        Some(Kind::Array) => json!([property.items.as_deref().map_or(json!("x"), sample)]),
        Some(Kind::Object) if property.properties.is_empty() => json!({ "x": "x" }),
        Some(Kind::Object) => property
            .properties
            .iter()
            .map(|(name, inner)| (name.clone(), sample(inner)))
            .collect(),
        _ => property.choices.first().and_then(Tree::as_str).unwrap_or("x").into(),
    }
}

#[test]
fn requests_are_as_the_official_description_has_them() {
    let shipped = tieline_catalog::shipped()
        .iter()
        .find(|shipped| shipped.id == "stripe")
        .unwrap();
    let manifest = Manifest::parse(shipped.manifest, Use::Shipped).unwrap();
    let secrets = BTreeSet::from([SecretRef::Config("secret_key".to_owned())]);
    for (action, address, text) in FACTS {
        let (facts, endpoint) = (facts(text), manifest.endpoint(action).unwrap());
        let input: Value = endpoint
            .inputs
            .iter()
            .map(|input| (input.name.clone(), sample(&input.property)))
            .collect();
        let input = Json::from(input);
        let values = Values {
            input: input.tree(),
            config: &Tree::Object(Vec::new()),
            auth: manifest.auth.first(),
            secrets: &secrets,
        };
        let request = endpoint.render(&manifest, &values).unwrap();
        let url = url::Url::parse(&request.url.to_string()).unwrap();
        assert_eq!(format!("{} {}", request.method, url.path()), address, "{action}");

        let body = request.body.as_ref();
        assert!(body.is_none_or(|body| body.content_type == FORM), "{action}");
        let body = body.map(|body| body.text.to_string()).unwrap_or_default();
        let pairs = url.query_pairs().chain(url::form_urlencoded::parse(body.as_bytes()));
        let sent: BTreeSet<String> = pairs
            .map(|(name, _)| name.split('[').next().unwrap().to_owned())
            .collect();
        let unknown: Vec<&String> = sent.iter().filter(|name| !facts.contains_key(name.as_str())).collect();
        assert!(unknown.is_empty(), "{action} sends {unknown:?}");
        // Besides what stands in the path, every input is a parameter.
        let in_path = usize::from(address.ends_with("/x"));
        assert_eq!(sent.len() + in_path, endpoint.inputs.len(), "{action}");
        for (name, fact) in &facts {
            match endpoint.input(name) {
                Some(input) => assert_eq!(misfit(input, fact), None, "{action}"),
                None => assert!(!fact.required, "{action}: {name} is missing"),
            }
        }
    }
    let known: BTreeSet<&str> = FACTS.iter().map(|(action, ..)| *action).chain(ELSEWHERE).collect();
    let ours: BTreeSet<&str> = manifest.endpoints.iter().map(|endpoint| &*endpoint.id).collect();
    assert_eq!(ours, known, "an action without facts is named as such");
}

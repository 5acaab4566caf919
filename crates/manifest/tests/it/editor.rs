//! The JSON Schemas for editors: checked in as they are written, true to the reader, and nothing in the language that
//! they, the reader and the page do not all know.

use std::{collections::BTreeSet, fs, path::Path};

use jsonschema::Validator;
use serde_json::Value;
use tieline_manifest::{
    Lint, Manifest, Tree, Use,
    dialect::{s002, s004},
    lint,
};

const WHOLE: &str = include_str!("../whole/tenant.yaml");
const LANGUAGE: &str = include_str!("../../LANGUAGE.md");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn language_example() -> &'static str {
    let rest = LANGUAGE.split("```yaml\n").nth(1).expect("the page has an example");
    rest.split("```").next().unwrap_or_default()
}

fn read(text: &str) -> Value {
    Manifest::tree(text)
        .unwrap_or_else(|lints| panic!("{lints:#?}"))
        .to_value()
}

/// A language with its schema, its reader, and texts that are good in it.
struct Language {
    file: &'static str,
    schema: Value,
    reader: fn(&str) -> Result<(), Vec<Lint>>,
    good: Vec<String>,
}

fn languages() -> Vec<Language> {
    let fixture = |path: &str| fs::read_to_string(root().join("tests").join(path)).unwrap();
    vec![
        Language {
            file: "shipped.schema.json",
            schema: Manifest::language_schema(Use::Shipped),
            reader: |text| Manifest::parse(text, Use::Shipped).map(drop),
            good: vec![language_example().to_owned()],
        },
        Language {
            file: "tenant.schema.json",
            schema: Manifest::language_schema(Use::Tenant),
            reader: |text| Manifest::parse(text, Use::Tenant).map(drop),
            good: vec![WHOLE.to_owned()],
        },
        Language {
            file: "connector-module.schema.json",
            schema: s002::schema(),
            reader: |text| s002::Definition::parse(text).map(drop),
            good: vec![fixture("s002/example.json"), fixture("s002/official.yaml")],
        },
        Language {
            file: "custom-integration.schema.json",
            schema: s004::schema(),
            reader: |text| s004::from_s004(text).map(drop),
            good: vec![fixture("s004/contacts.json"), fixture("s004/webhook.json")],
        },
    ]
}

fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::meta::validate(schema).unwrap_or_else(|error| panic!("{error}"));
    jsonschema::draft202012::new(schema).unwrap()
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the one switch of the tests: write the frozen files anew"
)]
fn the_schemas_are_checked_in_as_they_are_written() {
    for language in languages() {
        let path = root().join("schemas").join(language.file);
        let text = format!("{}\n", serde_json::to_string_pretty(&language.schema).unwrap());
        if std::env::var_os("UPDATE").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
        } else {
            let frozen = fs::read_to_string(&path).unwrap_or_default();
            assert!(
                frozen == text,
                "{} is not what the grammar says: run `make gen`",
                language.file
            );
        }
    }
}

#[test]
fn every_good_text_fits_its_schema() {
    for language in languages() {
        let validator = validator(&language.schema);
        for text in &language.good {
            (language.reader)(text).unwrap_or_else(|lints| panic!("{}: {lints:#?}", language.file));
            validator
                .validate(&read(text))
                .unwrap_or_else(|error| panic!("{}: {error}", language.file));
        }
    }
    let mut seen = 0;
    for (folder, use_) in [("../catalog/src", Use::Shipped), ("tests/cases", Use::Tenant)] {
        let validator = validator(&Manifest::language_schema(use_));
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path().join("manifest.yaml");
            let Ok(text) = fs::read_to_string(&path) else { continue };
            if Manifest::parse(&text, use_).is_ok() {
                validator
                    .validate(&read(&text))
                    .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                seen += 1;
            } else {
                assert_eq!(use_, Use::Tenant, "{} is good", path.display());
            }
        }
    }
    assert!(seen > 50, "the manifests are found: {seen}");
}

/// What a grammar can judge. The rest is a reader's: paths, templates, names, and what fields mean together.
fn is_structural(lint: &Lint) -> bool {
    match lint.rule {
        lint::UNKNOWN_FIELD | lint::NOT_YET => true,
        lint::WRONG_TYPE => true,
        lint::MISSING_FIELD => lint.message.ends_with("is missing"),
        lint::BAD_VALUE => {
            let told = [
                "is none of",
                "a whole number from",
                "at least",
                "it must not be empty",
                "is made of",
                "an id is",
                "has at most",
                "a word of letters",
                "a word such as",
            ];
            // Which ids there are no schema knows.
            let of_this_manifest = lint.message.contains("the ids of the auth methods");
            !of_this_manifest && told.iter().any(|part| lint.message.contains(part))
        }
        _ => false,
    }
}

/// Every pointer in a tree.
fn pointers(value: &Value, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    let token = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(entries) => entries
            .iter()
            .for_each(|(key, value)| pointers(value, &format!("{at}/{}", token(key)), out)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, value)| pointers(value, &format!("{at}/{index}"), out)),
        _ => {}
    }
}

/// The same manifest in smaller ones, each with one endpoint or none, and the place that is new in each: reading all of
/// it for each change would take minutes.
fn parts(whole: &Value) -> Vec<(Value, String)> {
    let mut out = Vec::new();
    let endpoints = whole["endpoints"].as_array().cloned().unwrap_or_default();
    for endpoint in &endpoints {
        let keys = ["name", "baseUrl", "allowedHosts", "auth", "integrationType"];
        let mut part: serde_json::Map<String, Value> = whole.as_object().cloned().unwrap_or_default();
        part.retain(|key, _| keys.contains(&key.as_str()));
        part.insert("endpoints".to_owned(), Value::Array(vec![endpoint.clone()]));
        out.push((Value::Object(part), "/endpoints/0".to_owned()));
    }
    let mut rest = whole.clone();
    // One that takes a key for idempotency.
    let keyed = endpoints.iter().filter(|endpoint| endpoint["id"] == "graph");
    rest["endpoints"] = keyed.cloned().collect();
    out.push((rest, String::new()));
    out
}

/// The text with one thing changed at a place or below: a key less, a key more, another word, another type.
fn mutations(good: &Value, below: &str) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    pointers(good.pointer(below).unwrap_or(good), below, &mut all);
    let mut out = Vec::new();
    for pointer in all {
        let mut change = |what: &str, value: Value| {
            let mut mutated = good.clone();
            if let Some(place) = mutated.pointer_mut(&pointer) {
                *place = value;
                out.push((format!("{what} at {pointer}"), mutated));
            }
        };
        match good.pointer(&pointer) {
            Some(Value::Object(entries)) => {
                for key in entries.keys() {
                    let mut less = entries.clone();
                    less.remove(key);
                    change(&format!("without {key}"), Value::Object(less));
                }
                let mut more = entries.clone();
                more.insert("zzUnknown".to_owned(), Value::from(true));
                change("one more", Value::Object(more));
                change("a list", Value::Array(Vec::new()));
            }
            Some(Value::Array(_)) => change("an object", Value::Object(serde_json::Map::new())),
            Some(Value::String(_)) => {
                change("a word", Value::from("zz wrong"));
                change("blank", Value::from(" "));
                change("an object", Value::Object(serde_json::Map::new()));
            }
            Some(_) => {
                change("a word", Value::from("zz wrong"));
                change("a number", Value::from(-1));
            }
            None => {}
        }
    }
    out
}

/// How many changes were wrong, and how many were not, for all.
fn agree(file: &str) -> (usize, usize) {
    let (mut wrong, mut fine, mut disagree) = (0, 0, Vec::new());
    let language = languages().into_iter().find(|language| language.file == file).unwrap();
    let validator = validator(&language.schema);
    let trees = language.good.iter().map(|good| read(good));
    let parts = trees.flat_map(|good| match good.get("baseUrl") {
        Some(_) if good.get("displayName").is_none() => parts(&good),
        _ => vec![(good, String::new())],
    });
    for (good, below) in parts {
        for (what, mutated) in mutations(&good, &below) {
            let lints = (language.reader)(&mutated.to_string()).err().unwrap_or_default();
            let structural: Vec<&Lint> = lints.iter().filter(|lint| is_structural(lint)).collect();
            let errors: Vec<String> = validator.iter_errors(&mutated).map(|error| error.to_string()).collect();
            if structural.is_empty() != errors.is_empty() {
                disagree.push(format!("{what}\n{lints:?}\n{errors:?}"));
            }
            *(if errors.is_empty() { &mut fine } else { &mut wrong }) += 1;
        }
    }
    assert!(disagree.is_empty(), "{}", disagree.join("\n\n"));
    (wrong, fine)
}

#[test]
fn schema_and_reader_agree_on_what_is_wrong_in_a_shipped_manifest() {
    let (wrong, fine) = agree("shipped.schema.json");
    assert!(wrong > 100 && fine > 50, "{wrong} {fine}");
}

#[test]
fn schema_and_reader_agree_on_what_is_wrong_in_a_tenant_s_manifest() {
    let (wrong, fine) = agree("tenant.schema.json");
    assert!(wrong > 500 && fine > 200, "{wrong} {fine}");
}

#[test]
fn schema_and_reader_agree_on_what_is_wrong_in_a_connector_module() {
    let (wrong, fine) = agree("connector-module.schema.json");
    assert!(wrong > 100 && fine > 20, "{wrong} {fine}");
}

#[test]
fn schema_and_reader_agree_on_what_is_wrong_in_a_custom_integration() {
    let (wrong, fine) = agree("custom-integration.schema.json");
    assert!(wrong > 300 && fine > 100, "{wrong} {fine}");
}

/// The names of all fields in a schema.
fn fields(schema: &Value, out: &mut BTreeSet<String>) {
    let own = schema.get("properties").and_then(Value::as_object);
    out.extend(own.into_iter().flat_map(|own| own.keys().cloned()));
    let defs = schema.get("$defs").and_then(Value::as_object);
    defs.into_iter()
        .flat_map(|defs| defs.values())
        .for_each(|def| fields(def, out));
}

fn language_fields() -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    fields(&Manifest::language_schema(Use::Tenant), &mut out);
    assert!(out.len() > 150, "{out:?}");
    out
}

#[test]
fn the_page_names_every_field() {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let words: BTreeSet<&str> = LANGUAGE.split(|letter| !is_word(letter)).collect();
    let missing: Vec<String> = language_fields()
        .into_iter()
        .filter(|name| !words.contains(name.as_str()))
        .collect();
    assert!(missing.is_empty(), "LANGUAGE.md does not name {missing:?}");
}

#[test]
fn the_whole_manifest_has_every_field() {
    let mut all = Vec::new();
    pointers(&read(WHOLE), "", &mut all);
    let keys: BTreeSet<&str> = all.iter().filter_map(|pointer| pointer.rsplit('/').next()).collect();
    let missing: Vec<String> = language_fields()
        .into_iter()
        .filter(|name| !keys.contains(name.as_str()))
        .collect();
    assert!(missing.is_empty(), "tests/whole/tenant.yaml lacks {missing:?}");
}

/// A field that could be left out without anybody noticing would be a promise that nobody keeps.
#[test]
fn no_field_is_read_in_vain() {
    let good = read(WHOLE);
    let parse = |value: &Value| Manifest::from_tree(&Tree::from_value(value), Use::Tenant);
    let (mut compared, mut vain) = (0, Vec::new());
    for (part, below) in parts(&good) {
        let whole = format!("{:?}", parse(&part).unwrap());
        for (what, mutated) in mutations(&part, &below) {
            if !what.starts_with("without ") || what.starts_with("without bodyType") {
                continue;
            }
            if let Ok(manifest) = parse(&mutated) {
                compared += 1;
                if format!("{manifest:?}") == whole {
                    vain.push(what);
                }
            }
        }
    }
    assert!(vain.is_empty(), "nobody notices a manifest {vain:#?}");
    assert!(compared > 150, "{compared}");
}

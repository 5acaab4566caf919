use super::*;

fn kind(text: &str) -> JsonErrorKind {
    Json::parse(text).expect_err("it is refused").kind
}

#[test]
fn numbers_and_text_stay_as_they_came() {
    let text = r#" {"id": 12345678901234567890123, "price": 1.10, "e": -0.5E+10} "#;
    let json = Json::parse(text).unwrap();
    assert_eq!(json.text(), text);
    assert_eq!(
        json.get("id").and_then(Tree::as_number),
        Some("12345678901234567890123")
    );
    assert_eq!(json.get("price").and_then(Tree::as_number), Some("1.10"));
    assert_eq!(serde_json::to_string(&json).unwrap(), text.trim());
    let held: Json = serde_json::from_str(text).unwrap();
    assert_eq!(held, json);
}

#[test]
fn a_pointer_follows_rfc_6901() {
    let json = Json::parse(r#"{"a/b":{"~":[10,[20]]},"":1,"01":2}"#).unwrap();
    let at = |pointer| json.tree().pointer(pointer).map(Tree::to_text);
    assert_eq!(at("/a~1b/~0/1/0").as_deref(), Some("20"));
    assert_eq!(at("/").as_deref(), Some("1"));
    assert_eq!(at("").as_deref(), Some(json.tree().to_text().as_str()));
    assert_eq!(at("/01").as_deref(), Some("2"));
    for missing in ["a", "/a~1b/~0/01", "/a~1b/~0/+1", "/a~1b/~0/2", "/a~1b/~0/-"] {
        assert_eq!(at(missing), None, "{missing}");
    }
}

// J1
#[test]
fn j1_depth_nodes_keys_and_size_are_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(Json::parse(&nested(limits::JSON_DEPTH)).is_ok());
    assert_eq!(kind(&nested(limits::JSON_DEPTH + 1)), JsonErrorKind::TooComplex);
    assert_eq!(kind(&"[".repeat(1_000_000)), JsonErrorKind::TooComplex);
    assert_eq!(
        kind(&format!("[{}1]", "1,".repeat(limits::JSON_NODES))),
        JsonErrorKind::TooComplex
    );
    let key = "k".repeat(limits::JSON_KEY_BYTES);
    assert!(Json::parse(&format!("{{\"{key}\":1}}")).is_ok());
    assert_eq!(kind(&format!("{{\"{key}k\":1}}")), JsonErrorKind::TooComplex);
    let big = format!("\"{}\"", "x".repeat(limits::JSON_REQUEST_BYTES));
    assert!(Json::parse(&big).is_ok());
    let error = Json::parse_with(&big, &JsonLimits::request()).unwrap_err();
    assert_eq!(error.kind, JsonErrorKind::TooLarge);
}

// J2
#[test]
fn j2_a_value_for_libraries_rounds_and_the_tree_does_not() {
    let json = Json::parse("[9007199254740993, 1e400, -1e400, 18446744073709551615, 0.1]").unwrap();
    let value = json.to_value();
    assert_eq!(value[0], 9_007_199_254_740_993_i64);
    assert_eq!(value[1].as_f64(), Some(f64::MAX));
    assert_eq!(value[2].as_f64(), Some(f64::MIN));
    assert_eq!(value[3], u64::MAX);
    assert_eq!(json.tree().at(1).and_then(Tree::as_number), Some("1e400"));
}

// J3
#[test]
fn j3_what_no_store_can_hold_has_its_own_kind() {
    assert_eq!(kind(r#""\u0000""#), JsonErrorKind::NulCharacter);
    for text in [
        r#""\ud800""#,
        r#""\ud800x""#,
        r#""\udc00""#,
        r#""\ud800\u0041""#,
        r#"{"\udfff":1}"#,
    ] {
        assert_eq!(kind(text), JsonErrorKind::LoneSurrogate, "{text}");
    }
    let json = Json::parse(r#""\ud83d\ude00""#).unwrap();
    assert_eq!(json.tree().as_str(), Some("😀"));
}

// J4
#[test]
fn j4_duplicate_keys_are_refused_at_every_level_and_in_every_spelling() {
    for text in [
        r#"{"a":1,"a":1}"#,
        r#"[{"x":{"b":1,"c":2,"b":3}}]"#,
        r#"{"a":1,"\u0061":2}"#,
    ] {
        assert_eq!(kind(text), JsonErrorKind::DuplicateKey, "{text}");
    }
    let error = Json::parse("{\"a\": 1,\n  \"b\": {\"a\": 2},\n  \"a\": 3}").unwrap_err();
    assert_eq!((error.line, error.column), (3, 3));
    assert!(Json::parse(r#"{"a":{"a":1},"b":{"a":1}}"#).is_ok());
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    for text in [
        "",
        " ",
        "nul",
        "truex",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "+1",
        "'a'",
        "[1,]",
        "{\"a\":1,}",
        "[1 2]",
        "{1:2}",
        "{\"a\" 1}",
        "\"\t\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "[1] 2",
        "NaN",
        "Infinity",
        "// x\n1",
        "\u{feff}1",
        "{\"a\":}",
        "[,1]",
        "{,}",
        "\"abc",
        "\"\\",
        "]",
        "{\"a\":1]",
        "[}",
    ] {
        assert_eq!(kind(text), JsonErrorKind::Syntax, "{text}");
    }
    let error = Json::parse("{\n  \"é\": tru }").unwrap_err();
    assert_eq!((error.line, error.column), (2, 8));
    assert!(Json::parse_bytes(b"\"\xff\"").is_err());
    assert!(Json::parse_bytes(b"\xef\xbb\xbf1").is_err());
}

#[test]
fn objects_are_equal_in_any_order_and_arrays_are_not() {
    let parse = |text| Json::parse(text).unwrap();
    assert_eq!(parse(r#"{"a":1,"b":[1,2]}"#), parse(r#"{ "b": [1, 2], "a": 1 }"#));
    assert_ne!(parse("[1,2]"), parse("[2,1]"));
    assert_ne!(parse("1"), parse("1.0"));
    assert_eq!(Json::default(), parse("null"));
}

#[test]
fn debug_shows_no_content() {
    let shown = format!("{:?}", Json::parse(r#"{"token":"hunter2"}"#).unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
}

mod properties {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[^\u{0}]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("[^\u{0}]{0,6}", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn documents_round_trip(value in value()) {
            let text = serde_json::to_string_pretty(&value).unwrap();
            let json = Json::parse(&text).unwrap();
            prop_assert_eq!(json.to_value(), value.clone());
            let again = Json::parse(&json.tree().to_text()).unwrap();
            prop_assert_eq!(again.tree(), json.tree());
            prop_assert_eq!(Json::from_value(&value), json);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Json::parse_bytes(&bytes);
        }

        #[test]
        fn validity_agrees_with_serde_json(text in "[\\[\\]{}:,\"\\\\u0-9a-f.eE+\\- tnrl]{0,24}") {
            let ours = Json::parse(&text);
            let theirs = serde_json::from_str::<&serde_json::value::RawValue>(&text);
            match ours {
                Ok(_) => prop_assert!(theirs.is_ok(), "only we take {text:?}"),
                Err(error) if error.kind == JsonErrorKind::Syntax => {
                    prop_assert!(theirs.is_err(), "only we refuse {text:?}: {error}");
                }
                Err(_) => {}
            }
        }

        #[test]
        fn a_damaged_document_is_judged_like_serde_json_does(value in value(), at in any::<prop::sample::Index>(), byte in 0x20_u8..0x7f) {
            let mut bytes = serde_json::to_vec(&value).unwrap();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let (Err(error), Ok(text)) = (Json::parse_bytes(&bytes), std::str::from_utf8(&bytes))
                && error.kind == JsonErrorKind::Syntax
            {
                prop_assert!(serde_json::from_str::<&serde_json::value::RawValue>(text).is_err(), "{text:?}: {error}");
            }
        }
    }
}

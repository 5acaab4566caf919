use super::*;

fn compose(file: &str, variables: &[(&str, &str)], flags: Flags) -> Result<Config> {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Config::compose(Some((DEFAULT_FILE.into(), file.to_owned())), &variables, flags)
}

fn refusal(file: &str, variables: &[(&str, &str)]) -> String {
    let error = compose(file, variables, Flags::default()).expect_err("a mistake is refused");
    assert_eq!(error.code(), Code::ConfigInvalid);
    error.detail().to_owned()
}

#[test]
fn the_defaults_are_complete_and_hold() {
    let config = Config::compose(None, &BTreeMap::new(), Flags::default()).unwrap();
    assert_eq!(config.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.data, Path::new("data"));
    assert_eq!(config.scopes["tenant"], ScopeRule::Optional);
    assert_eq!(config.scopes["organization"], ScopeRule::Required);
    assert!(config.egress.allow.is_empty() && !config.egress.loopback);
    assert!(
        config
            .settings
            .values()
            .all(|setting| setting.origin == Origin::Default)
    );
}

#[test]
fn what_comes_later_wins_and_is_remembered() {
    let file = "[server]\nlisten = \"127.0.0.1:1\"\n[data]\ndir = \"file\"\n[log]\nformat = \"json\"\n";
    let variables = [
        ("TIELINE__SERVER__LISTEN", "127.0.0.1:2"),
        ("TIELINE__DATA__DIR", "environment"),
    ];
    let flags = Flags {
        listen: Some("127.0.0.1:3".to_owned()),
        ..Flags::default()
    };
    let config = compose(file, &variables, flags).unwrap();
    assert_eq!(config.listen.port(), 3);
    assert_eq!(config.data, Path::new("environment"));
    assert!(config.log_json);
    let origin = |name: &str| config.settings[name].origin.to_string();
    assert_eq!(origin("server.listen"), "--listen");
    assert_eq!(origin("data.dir"), "TIELINE__DATA__DIR");
    assert_eq!(origin("log.format"), "tieline.toml:6");
    assert_eq!(origin("log.level"), "default");
}

#[test]
fn k6_origins_are_exact() {
    let config = compose("[cors]\norigins = [\"https://a.example\"]\n", &[], Flags::default()).unwrap();
    assert_eq!(config.cors_origins, [cors::Origin::parse("https://a.example").unwrap()]);
    for wrong in ["*", "null", "https://a.example/", "https://a.example/path", "a.example"] {
        let refusal = refusal(
            &format!("[cors]\norigins = [\"https://b.example\", \"{wrong}\"]\n"),
            &[],
        );
        assert!(
            refusal.contains("tieline.toml:2: `cors.origins` must list exact origins"),
            "{refusal}"
        );
    }
}

#[test]
fn lists_switches_and_scopes_are_read_from_file_and_environment() {
    let file = "[egress]\nallow = [\"10.1.0.0/16\"]\n[scopes]\nworkspace = \"required\"\nuser = \"off\"\n";
    let variables = [
        ("TIELINE__EGRESS__ALLOW", "10.2.0.0/16, fd00::5"),
        ("TIELINE__EGRESS__LOOPBACK", "true"),
        ("TIELINE__SCOPES__TEAM", "optional"),
    ];
    let config = compose(file, &variables, Flags::default()).unwrap();
    let allowed: Vec<String> = config.egress.allow.iter().map(|allow| allow.net.to_string()).collect();
    assert_eq!(allowed, ["10.2.0.0/16", "fd00::5/128"]);
    assert!(config.egress.loopback);
    let kinds: Vec<&str> = config.scopes.keys().map(String::as_str).collect();
    assert_eq!(kinds, ["organization", "team", "tenant", "workspace"]);
}

#[test]
fn a_number_is_read_within_its_bounds() {
    let threads = |text: &str| compose(&format!("[server]\nthreads = {text}"), &[], Flags::default());
    for (text, number) in [("0", 0), ("4", 4), ("256", 256), ("0x10", 16), ("1_0", 10)] {
        assert_eq!(threads(text).unwrap().threads, number);
    }
    let bounds = "tieline.toml:2: `server.threads` must be a number of threads from 0 to 256.";
    for text in ["-1", "257", "99999999999999999999", "-99999999999999999999"] {
        assert_eq!(threads(text).unwrap_err().detail(), bounds);
    }
    for text in ["1.5", "\"4\"", "true", "nan"] {
        let detail = threads(text).unwrap_err().detail().to_owned();
        assert_eq!(detail, "tieline.toml:2: `server.threads` must be a whole number.");
    }
    let variable = "TIELINE__SERVER__THREADS";
    assert_eq!(compose("", &[(variable, " 8 ")], Flags::default()).unwrap().threads, 8);
    assert_eq!(
        refusal("", &[(variable, "8 cores")]),
        format!("{variable}: `server.threads` must be a whole number.")
    );
    assert!(refusal("", &[(variable, "300")]).ends_with("from 0 to 256."));
}

/// Whatever number can be set, it has bounds and says them.
#[test]
fn every_number_has_bounds() {
    let defaults = Settings::defaults().all;
    let numbers = defaults
        .iter()
        .filter(|(_, setting)| matches!(setting.value, Value::Number(_)));
    for (name, _) in numbers {
        let (section, key) = name.split_once('.').unwrap();
        for beyond in [i64::MIN, -1, i64::MAX] {
            let said = refusal(&format!("[{section}]\n{key} = {beyond}"), &[]);
            let place = format!("tieline.toml:2: `{name}` must be ");
            assert!(
                said.starts_with(&place) && said.contains(" from "),
                "{name} = {beyond}: {said}"
            );
        }
    }
}

#[test]
fn a_mistake_is_told_with_its_place_and_the_nearest_word() {
    for (file, sentence) in [
        (
            "[server]\nlisen = \"a\"",
            "tieline.toml:2: there is no setting `server.lisen`; did you mean `server.listen`?",
        ),
        ("lsten = 1", "tieline.toml:1: there is no setting `lsten`."),
        (
            "[server]\nlisten = 8080",
            "tieline.toml:2: `server.listen` must be text.",
        ),
        (
            "[server]\n\nlisten = \"8080\"",
            "tieline.toml:3: `server.listen` must be an IP address with a port, such as `127.0.0.1:8080`.",
        ),
        (
            "[egress]\nloopback = \"yes\"",
            "tieline.toml:2: `egress.loopback` must be true or false.",
        ),
        (
            "[egress]\nallow = [\"10.0.0.0/99\"]",
            "tieline.toml:2: `egress.allow` must list networks, such as `10.1.0.0/16`, each alone or with `port=`, `host=` and `tenant=` after it.",
        ),
        (
            "[egress]\nallow = [1]",
            "tieline.toml:2: `egress.allow` must be a list of texts.",
        ),
        (
            "[scopes]\nteam = \"needed\"",
            "tieline.toml:2: `scopes.team` must be `required`, `optional` or `off`.",
        ),
        ("[scopes]\nteam = true", "tieline.toml:2: `scopes.team` must be text."),
        (
            "[log]\nformat = \"xml\"",
            "tieline.toml:2: `log.format` must be `plain` or `json`.",
        ),
        (
            "[server]\npublic_url = \"ftp://x\"",
            "tieline.toml:2: `server.public_url` must be an http or https URL without user, query and fragment.",
        ),
    ] {
        assert_eq!(refusal(file, &[]), sentence);
    }
    for (variable, value, sentence) in [
        (
            "TIELINE__SERVER__LISTN",
            "x",
            "TIELINE__SERVER__LISTN: there is no setting `server.listn`; did you mean `server.listen`?",
        ),
        (
            "TIELINE__EGRESS__LOOPBACK",
            "1",
            "TIELINE__EGRESS__LOOPBACK: `egress.loopback` must be true or false.",
        ),
    ] {
        assert_eq!(refusal("", &[(variable, value)]), sentence);
    }
}

#[test]
fn every_mistake_is_told_at_once() {
    let error = compose("[server]\nlisten = 1\nport = 2\n", &[], Flags::default()).expect_err("two mistakes");
    let pointers: Vec<&str> = error.fields().iter().map(|field| field.pointer.as_str()).collect();
    assert_eq!(pointers, ["/server/listen", "/server/port"]);
}

#[test]
fn r3_a_mistake_never_quotes_the_file() {
    for file in [
        "[server]\nlisten = \"hunter2",
        "hunter2",
        "[master_key]\nkey = \"hunter2\"",
        "[log]\nlevel = \"=hunter2=\"",
    ] {
        let error = compose(file, &[], Flags::default()).expect_err("a mistake is refused");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn n5_loopback_opens_only_while_we_listen_on_loopback() {
    let file = "[egress]\nloopback = true\n[server]\nlisten = \"0.0.0.0:8080\"\n";
    assert!(refusal(file, &[]).starts_with("tieline.toml:2: `egress.loopback` opens"));
    assert!(
        compose("[egress]\nloopback = true\n", &[], Flags::default())
            .unwrap()
            .egress
            .loopback
    );
    let listen = Flags {
        listen: Some("[::]:80".to_owned()),
        ..Flags::default()
    };
    assert!(compose("[egress]\nloopback = true\n", &[], listen).is_err());
}

// N3
#[test]
fn n3_where_we_listen_and_are_reached_is_our_own() {
    let file =
        "[server]\nlisten = \"8.8.4.4:80\"\npublic_url = \"https://[2606:4700::1]\"\n[egress]\nown = [\"8.8.8.8\"]\n";
    let own = |file| compose(file, &[], Flags::default()).unwrap().egress.own;
    let text = |own: Vec<IpAddr>| own.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(text(own(file)), ["8.8.8.8", "8.8.4.4", "2606:4700::1"]);
    let nameless = "[server]\nlisten = \"0.0.0.0:80\"\npublic_url = \"https://tieline.example\"\n";
    assert_eq!(text(own(nameless)), [""; 0]);
}

//! Where a credential may be sent.

use tieline_manifest::{Json, Manifest, Use};

fn hosts(head: &str, config: &str) -> Vec<String> {
    let text = format!(
        "name: A\nendpoints: []\nauth: [{{ type: none, fields: [{{ name: at }}, {{ name: url, secret: true }}] }}]\n{head}\n"
    );
    let manifest = Manifest::parse(&text, Use::Tenant).unwrap_or_else(|lints| panic!("{lints:?}"));
    let config = Json::parse(config).expect("it is JSON");
    manifest.hosts(config.tree()).iter().map(ToString::to_string).collect()
}

// N5
#[test]
fn n5_a_credential_goes_to_declared_hosts_else_to_the_base_url() {
    assert_eq!(
        hosts("baseUrl: https://API.acme.example:8443/v1", "{}"),
        ["api.acme.example"]
    );
    assert_eq!(
        hosts(
            "baseUrl: https://api.acme.example\nallowedHosts: ['*.Acme.example']",
            "{}"
        ),
        ["*.acme.example"]
    );
    let whole = "baseUrl: '{{config.at}}'";
    assert_eq!(hosts(whole, r#"{"at":"https://self.example/x"}"#), ["self.example"]);
    for config in [
        "{}",
        r#"{"at":"ftp://self.example"}"#,
        r#"{"at":"https://a@self.example"}"#,
    ] {
        assert!(hosts(whole, config).is_empty(), "{config}");
    }
    assert!(
        hosts("baseUrl: '{{config.url}}'", "{}").is_empty(),
        "a secret URL pins nothing by itself"
    );
}

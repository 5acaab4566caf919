//! The library for tests: everything real, with loopback open and a database that stays for the scan.

use serde_json::Value;
use tieline::{
    Connector, Connectors, MasterKey, Scope, ScopeRule, audit::Actor, connection::Connect, connectors::Scoped,
    egress::EgressPolicy, http::TlsRoots, id::TenantId,
};
use tieline_store::SqliteStore;
use tieline_testkit::{canary, evidence};

/// One with these connectors that trusts these authorities (PEM) besides the system's.
pub(crate) fn with(connectors: Vec<Connector>, authorities: &[&str]) -> Connectors {
    let policy = EgressPolicy {
        loopback: true,
        ..EgressPolicy::default()
    };
    made(connectors, policy, authorities)
}

/// One that may go where this policy lets it.
pub(crate) fn guarded(connectors: Vec<Connector>, policy: EgressPolicy) -> Connectors {
    made(connectors, policy, &[])
}

fn made(connectors: Vec<Connector>, policy: EgressPolicy, authorities: &[&str]) -> Connectors {
    let extra_pem = authorities.iter().map(|pem| pem.as_bytes().to_vec()).collect();
    let database = evidence::data_folder().join("tieline.db");
    let store = SqliteStore::open(&database).unwrap();
    evidence::keep_wal(&database);
    Connectors::builder()
        .store(store)
        .key(MasterKey::parse(canary::master_key()).unwrap())
        .scope("organization", ScopeRule::Required)
        .egress(policy)
        .tls_roots(TlsRoots { extra_pem })
        .connectors(connectors)
        .build()
        .unwrap()
}

/// A shipped connector with some of its words changed: its address for a twin's, its patience for a shorter one.
pub(crate) fn changed(id: &str, words: &[(&str, &str)]) -> Connector {
    let shipped = tieline_catalog::shipped()
        .iter()
        .find(|shipped| shipped.id == id)
        .unwrap();
    let mut manifest = shipped.manifest.to_owned();
    for (said, instead) in words {
        assert!(manifest.contains(said), "{id}: {said}");
        manifest = manifest.replacen(said, instead, 1);
    }
    Connector::shipped(&manifest).unwrap().build().unwrap()
}

/// The scope that tests connect for.
pub(crate) fn org(connectors: &Connectors) -> Scoped {
    connectors.scope("organization", "org_1").unwrap()
}

/// Fields of a connector, to connect or test.
pub(crate) fn connect(connector: &str, fields: Value) -> Connect {
    Connect {
        config: fields.into(),
        ..Connect::new(connector, Scope::new("organization", "org_1").unwrap())
    }
}

/// A caller of a tenant that has nothing connected.
pub(crate) fn stranger() -> Actor {
    Actor::new(TenantId::from_bytes([7; 16]), "test")
}

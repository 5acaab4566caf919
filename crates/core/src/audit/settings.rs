//! Settings of the deployment that the operator's audit log tells the changes of.

use serde_json::json;

use super::Actor;
use crate::{
    connectors::Connectors,
    error::{Error, Result},
};

impl Connectors {
    /// Compares a setting that is a list with what it was when this was last asked, and writes down what came and what went.
    /// A list that was never kept was empty.
    ///
    /// # Errors
    /// Trouble with the store.
    pub async fn note_setting(&self, by: &Actor, name: &str, list: &[String]) -> Result<()> {
        let kept = self.inner.store.setting(name).await?;
        let kept: Vec<String> = match &kept {
            None => Vec::new(),
            Some(text) => {
                serde_json::from_str(text).map_err(|error| Error::internal("a kept setting does not parse", error))?
            }
        };
        let beyond = |one: &[String], other: &[String]| {
            let beyond = one.iter().filter(|item| !other.contains(item));
            beyond.cloned().collect::<Vec<_>>()
        };
        let (added, removed) = (beyond(list, &kept), beyond(&kept, list));
        if added.is_empty() && removed.is_empty() {
            return Ok(());
        }
        let detail = json!({ "added": added, "removed": removed });
        let trail = self.trail(by, "setting.changed", name, detail, &[])?;
        let value = json!(list).to_string();
        self.inner.store.keep_setting(by.tenant, name, &value, trail).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        audit::Actor, clock::SystemRandom, connectors::Connectors, id::TenantId, store::MemoryStore, vault::MasterKey,
    };

    #[tokio::test]
    async fn a3_a_changed_allow_list_is_told_to_the_operator() {
        let key = MasterKey::generate(&SystemRandom).unwrap();
        let house = Connectors::builder()
            .scope("tenant", crate::ScopeRule::Optional)
            .connectors([])
            .store(MemoryStore::new())
            .key(key)
            .build()
            .unwrap();
        let by = Actor::server(TenantId::from_bytes([1; 16]));
        let lists: [&[&str]; 6] = [
            &[],
            &["10.0.0.0/8"],
            &["10.0.0.0/8"],
            &["fd00::5", "10.1.0.0/16"],
            &["10.1.0.0/16", "fd00::5"],
            &[],
        ];
        for list in lists {
            let list: Vec<String> = list.iter().map(|item| (*item).to_owned()).collect();
            house.note_setting(&by, "egress.allow", &list).await.unwrap();
        }
        let rows = house.audit_entries(&by, 0, 10).await.unwrap().rows;
        let told: Vec<_> = rows
            .iter()
            .map(|row| (row.entry.subject.as_str(), row.entry.detail.as_str()))
            .collect();
        let expected = [
            r#"{"added":["10.0.0.0/8"],"removed":[]}"#,
            r#"{"added":["fd00::5","10.1.0.0/16"],"removed":["10.0.0.0/8"]}"#,
            r#"{"added":[],"removed":["10.1.0.0/16","fd00::5"]}"#,
        ];
        // The order of a list that is kept does not matter, so it is either.
        assert_eq!(told.len(), 3);
        assert_eq!(
            (told[0], told[1]),
            (("egress.allow", expected[0]), ("egress.allow", expected[1]))
        );
        assert!(told[2].1.starts_with(r#"{"added":[],"removed":["#), "{}", told[2].1);
    }
}

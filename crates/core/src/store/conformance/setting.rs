//! What a store of settings must keep.

use std::sync::Arc;

use super::sample;
use crate::store::Store;

/// A setting is kept with its trail when it changes, and leaves none when it does not.
pub async fn are_kept_with_their_trail(store: Arc<dyn Store>) {
    let operator = sample::tenant_id();
    assert_eq!(store.setting("egress").await.unwrap(), None);
    for (value, changed) in [("[]", true), ("[]", false), (r#"["größe 🔑"]"#, true)] {
        let kept = store.keep_setting(operator, "egress", value, sample::trail(operator, value));
        assert_eq!(kept.await.unwrap(), changed, "{value}");
        assert_eq!(store.setting("egress").await.unwrap().as_deref(), Some(value));
    }
    assert_eq!(store.setting("other").await.unwrap(), None);
    store.keep_master_fingerprint([7; 32]).await.unwrap();
    assert_eq!(store.setting("master fingerprint").await.unwrap(), None);
    let audit = store.audit_entries(operator, 0, 10).await.unwrap();
    sample::assert_chain(&audit);
    assert_eq!(audit.len(), 2);
}

//! What the deployment's settings were when it last started, so that a change of them can be told.

use super::StoreFuture;
use crate::{audit::Trail, id::TenantId};

/// Keeps what belongs to the deployment.
pub trait SettingStore: Send + Sync + 'static {
    /// A setting as it was kept.
    fn setting(&self, name: &str) -> StoreFuture<'_, Option<String>>;

    /// Keeps a setting, with a trail in the chain of the operator's tenant; says whether it is another than before.
    fn keep_setting(&self, operator: TenantId, name: &str, value: &str, trail: Trail) -> StoreFuture<'_, bool>;
}

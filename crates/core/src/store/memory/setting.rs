//! Settings.

use super::{
    super::{SettingStore, StoreFuture},
    MemoryStore,
    Outcome::{Changed, Unchanged},
};
use crate::{audit::Trail, id::TenantId};

impl SettingStore for MemoryStore {
    fn setting(&self, name: &str) -> StoreFuture<'_, Option<String>> {
        let name = name.to_owned();
        self.read(move |state| state.settings.get(&name).cloned())
    }

    fn keep_setting(&self, operator: TenantId, name: &str, value: &str, trail: Trail) -> StoreFuture<'_, bool> {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.change(operator, trail, move |state| {
            if state.settings.get(&name) == Some(&value) {
                return Ok(Unchanged(false));
            }
            state.settings.insert(name, value);
            Ok(Changed(true))
        })
    }
}

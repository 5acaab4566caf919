//! What an adapter does not keep. Ledgers and feed are written into nothing, so that nothing grows; what somebody would
//! miss is refused; what is looked for is not there.

use std::time::Duration;

use super::{AdapterStore, Filter};
use crate::{
    audit::{Trail, chain::Verified},
    clock::Timestamp,
    error::{Code, Error},
    id::{ApiKeyId, CallId, CredentialId, OAuthStateId, SessionId, TenantId, UserId},
    membership::Role,
    store::{
        Acceptance, Accepted, ApiKeyRow, ApiKeyStore, ApiKeyUse, AuditFilter, AuditRow, AuditStore, Begun, CallBatch,
        CallFilter, CallRow, CallStore, Claim, Countable, CredentialFilter, CredentialRow, CredentialStore, DataKeyRow,
        DataKeyStore, Deleted, Door, DueCredential, FeedRow, FeedStore, HealthStore, IdempotencyRow, IdempotencyStore,
        Inserted, KnownAs, LinkDoor, LinkRow, LinkStore, MemberChange, MemberRow, MembershipRow, MembershipStore,
        OAuthStateDoor, OAuthStateRow, OAuthStateStore, ProcessStore, Renamed, Scanned, SessionDoor, SessionRow,
        SessionStore, SettingStore, StoreFuture, Sums, TenantRow, TenantStore, TestFilter, TestRow, Updated,
        UsageFilter, UsageStore, UserRow, UserStore, Users, WorkKind, WorkStore,
    },
};

/// What is told whoever asks for more than connections.
pub(super) fn needs_a_store(what: &str) -> Error {
    let detail = format!(
        "{what} need a whole store: this program was built with an adapter, which keeps connections only. Give the \
         builder `.store(…)` instead of `.adapter(…)`."
    );
    Error::new(Code::ConnectorDatabaseRequired, detail)
}

fn answer<T: Send + 'static>(value: T) -> StoreFuture<'static, T> {
    Box::pin(std::future::ready(Ok(value)))
}

fn refuse<T: Send + 'static>(what: &str) -> StoreFuture<'static, T> {
    Box::pin(std::future::ready(Err(needs_a_store(what))))
}

fn nothing_found<T, K>() -> Scanned<T, K> {
    Scanned {
        rows: Vec::new(),
        stopped: None,
    }
}

const TENANTS: &str = "Tenants";
const PEOPLE: &str = "People and their sessions";
const KEYS: &str = "API keys";
const CREDENTIALS: &str = "Shared credentials";
const JOURNAL: &str = "Idempotency keys of requests";

impl TenantStore for AdapterStore {
    fn create_tenant(&self, _: TenantRow, _: ApiKeyRow, _: Trail) -> StoreFuture<'_, Inserted<TenantRow>> {
        refuse(TENANTS)
    }

    fn rename_tenant(&self, _: TenantId, _: String, _: Trail) -> StoreFuture<'_, Renamed> {
        refuse(TENANTS)
    }

    fn delete_tenant(&self, _: TenantId, _: Timestamp, _: Trail) -> StoreFuture<'_, bool> {
        refuse(TENANTS)
    }

    fn sweep_deleted_tenants(&self, _: usize) -> StoreFuture<'_, usize> {
        answer(0)
    }

    /// Not counted: how many connections there may be is the program's own business, whose database it is.
    fn count_of(&self, _: TenantId, _: Countable, _: usize) -> StoreFuture<'_, usize> {
        answer(0)
    }

    fn tenant(&self, _: TenantId) -> StoreFuture<'_, Option<TenantRow>> {
        answer(None)
    }

    fn tenant_by_name(&self, _: &str) -> StoreFuture<'_, Option<TenantRow>> {
        answer(None)
    }

    fn tenants(&self, _: Option<TenantId>, _: usize) -> StoreFuture<'_, Vec<TenantRow>> {
        answer(Vec::new())
    }
}

impl UserStore for AdapterStore {
    fn has_users(&self) -> StoreFuture<'_, bool> {
        answer(false)
    }

    fn create_first_user(&self, _: UserRow, _: MembershipRow, _: Trail) -> StoreFuture<'_, bool> {
        refuse(PEOPLE)
    }

    fn user(&self, _: UserId) -> StoreFuture<'_, Option<UserRow>> {
        answer(None)
    }

    fn user_by_email(&self, _: &str) -> StoreFuture<'_, Option<UserRow>> {
        answer(None)
    }

    fn set_password(&self, _: TenantId, _: UserId, _: String, _: u64, _: Trail) -> StoreFuture<'_, bool> {
        refuse(PEOPLE)
    }

    fn set_disabled(&self, _: TenantId, _: UserId, _: Option<Timestamp>, _: Trail) -> StoreFuture<'_, MemberChange> {
        refuse(PEOPLE)
    }
}

impl MembershipStore for AdapterStore {
    fn membership(&self, _: TenantId, _: UserId) -> StoreFuture<'_, Option<MembershipRow>> {
        answer(None)
    }

    fn memberships_of(&self, _: UserId, _: usize) -> StoreFuture<'_, Vec<MembershipRow>> {
        answer(Vec::new())
    }

    fn member(&self, _: TenantId, _: UserId) -> StoreFuture<'_, Option<MemberRow>> {
        answer(None)
    }

    fn members(&self, _: TenantId, _: Option<UserId>, _: usize) -> StoreFuture<'_, Vec<MemberRow>> {
        answer(Vec::new())
    }

    fn has_owner(&self, _: TenantId) -> StoreFuture<'_, bool> {
        answer(false)
    }

    fn change_role(&self, _: TenantId, _: UserId, _: Role, _: Role, _: Trail) -> StoreFuture<'_, MemberChange> {
        refuse(PEOPLE)
    }

    fn remove_member(&self, _: TenantId, _: UserId, _: Role, _: Trail) -> StoreFuture<'_, MemberChange> {
        refuse(PEOPLE)
    }
}

impl LinkStore for AdapterStore {
    fn put_link(&self, _: LinkRow, _: Trail) -> StoreFuture<'_, ()> {
        refuse(PEOPLE)
    }

    fn open_link(&self, _: [u8; 32]) -> StoreFuture<'_, Option<LinkDoor>> {
        answer(None)
    }

    fn link(&self, _: TenantId, _: UserId) -> StoreFuture<'_, Option<LinkRow>> {
        answer(None)
    }

    fn known_as(&self, _: TenantId, _: &str) -> StoreFuture<'_, Option<KnownAs>> {
        answer(None)
    }

    fn accept_link(&self, _: TenantId, _: [u8; 32], _: Acceptance, _: Trail) -> StoreFuture<'_, Accepted> {
        refuse(PEOPLE)
    }
}

impl SessionStore for AdapterStore {
    fn create_session(&self, _: SessionRow, _: Vec<SessionId>, _: Trail) -> StoreFuture<'_, ()> {
        refuse(PEOPLE)
    }

    fn open_session(&self, _: [u8; 32]) -> StoreFuture<'_, Option<SessionDoor>> {
        answer(None)
    }

    fn session(&self, _: TenantId, _: SessionId) -> StoreFuture<'_, Option<SessionRow>> {
        answer(None)
    }

    fn sessions_of(&self, _: TenantId, _: UserId, _: usize) -> StoreFuture<'_, Vec<SessionRow>> {
        answer(Vec::new())
    }

    fn see_session(&self, _: TenantId, _: SessionId, _: Timestamp, _: Trail) -> StoreFuture<'_, bool> {
        answer(false)
    }

    fn end_session(&self, _: TenantId, _: SessionId, _: Timestamp, _: Trail) -> StoreFuture<'_, bool> {
        answer(false)
    }
}

impl ApiKeyStore for AdapterStore {
    fn create_api_key(&self, _: ApiKeyRow, _: Trail) -> StoreFuture<'_, ()> {
        refuse(KEYS)
    }

    fn open_door(&self, _: [u8; 32]) -> StoreFuture<'_, Option<Door>> {
        answer(None)
    }

    fn api_key(&self, _: TenantId, _: ApiKeyId) -> StoreFuture<'_, Option<ApiKeyRow>> {
        answer(None)
    }

    fn api_keys(&self, _: TenantId, _: Option<ApiKeyId>, _: usize) -> StoreFuture<'_, Vec<ApiKeyRow>> {
        answer(Vec::new())
    }

    fn update_api_key(&self, _: ApiKeyRow, _: u64, _: Trail) -> StoreFuture<'_, Updated> {
        refuse(KEYS)
    }

    fn note_api_key_uses(&self, _: Vec<ApiKeyUse>) -> StoreFuture<'_, ()> {
        answer(())
    }

    fn revoke_api_key(&self, _: TenantId, _: ApiKeyId, _: Timestamp, _: Trail) -> StoreFuture<'_, bool> {
        refuse(KEYS)
    }
}

/// Who names a credential is told that there are none here, and not that this one is unknown.
impl CredentialStore for AdapterStore {
    fn credential(&self, _: TenantId, _: CredentialId) -> StoreFuture<'_, Option<CredentialRow>> {
        refuse(CREDENTIALS)
    }

    fn credentials(&self, _: CredentialFilter) -> StoreFuture<'_, Vec<CredentialRow>> {
        answer(Vec::new())
    }

    fn insert_credential(&self, _: CredentialRow, _: Trail) -> StoreFuture<'_, Inserted<CredentialRow>> {
        refuse(CREDENTIALS)
    }

    fn update_credential(&self, _: CredentialRow, _: u64, _: Option<Users>, _: Trail) -> StoreFuture<'_, Updated> {
        refuse(CREDENTIALS)
    }

    fn delete_credential(&self, _: TenantId, _: CredentialId, _: usize, _: Trail) -> StoreFuture<'_, Deleted> {
        refuse(CREDENTIALS)
    }

    fn due_credentials(&self, _: Timestamp, _: usize) -> StoreFuture<'_, Vec<DueCredential>> {
        answer(Vec::new())
    }
}

impl AuditStore for AdapterStore {
    fn record(&self, _: TenantId, _: Trail) -> StoreFuture<'_, ()> {
        answer(())
    }

    fn audit_entries(&self, _: TenantId, _: u64, _: usize) -> StoreFuture<'_, Vec<AuditRow>> {
        answer(Vec::new())
    }

    fn find_audit(&self, _: AuditFilter) -> StoreFuture<'_, Scanned<AuditRow, u64>> {
        answer(nothing_found())
    }

    fn audit_head(&self, _: TenantId) -> StoreFuture<'_, Option<Verified>> {
        answer(None)
    }

    fn audit_heads(&self, _: Option<TenantId>, _: usize) -> StoreFuture<'_, Vec<(TenantId, Verified)>> {
        answer(Vec::new())
    }
}

impl DataKeyStore for AdapterStore {
    fn data_keys(&self, _: TenantId) -> StoreFuture<'_, Vec<DataKeyRow>> {
        answer(Vec::new())
    }

    fn add_data_key(&self, _: DataKeyRow, _: Trail) -> StoreFuture<'_, Inserted<DataKeyRow>> {
        refuse("Stored data keys")
    }

    /// There is nothing to hold it against. Asked to find out whether the store works, so the adapter is asked too.
    fn keep_master_fingerprint(&self, fingerprint: [u8; 32]) -> StoreFuture<'_, [u8; 32]> {
        Box::pin(async move {
            self.adapter().list(&Filter::all(1)).await?;
            Ok(fingerprint)
        })
    }

    fn master_fingerprint(&self) -> StoreFuture<'_, Option<[u8; 32]>> {
        answer(None)
    }
}

impl FeedStore for AdapterStore {
    fn read_feed(&self, _: u64, _: usize) -> StoreFuture<'_, Vec<FeedRow>> {
        answer(Vec::new())
    }

    fn feed_end(&self) -> StoreFuture<'_, u64> {
        answer(0)
    }

    fn prune_feed(&self, _: Timestamp, _: usize) -> StoreFuture<'_, usize> {
        answer(0)
    }

    fn feed_start(&self) -> StoreFuture<'_, u64> {
        answer(0)
    }

    fn feed_moved(&self) -> futures_util::future::BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}

impl IdempotencyStore for AdapterStore {
    fn begin_idempotent(&self, _: IdempotencyRow, _: Timestamp) -> StoreFuture<'_, Begun> {
        refuse(JOURNAL)
    }

    fn resume_idempotent(&self, _: TenantId, _: [u8; 16], _: u64, _: Timestamp) -> StoreFuture<'_, bool> {
        refuse(JOURNAL)
    }

    fn finish_idempotent(&self, _: TenantId, _: [u8; 16], _: u64, _: Vec<u8>, _: usize) -> StoreFuture<'_, bool> {
        refuse(JOURNAL)
    }

    fn release_idempotent(&self, _: TenantId, _: [u8; 16], _: u64) -> StoreFuture<'_, bool> {
        refuse(JOURNAL)
    }

    fn prune_idempotency(&self, _: Timestamp, _: usize) -> StoreFuture<'_, usize> {
        answer(0)
    }
}

impl CallStore for AdapterStore {
    fn append_calls(&self, _: Vec<CallBatch>) -> StoreFuture<'_, ()> {
        answer(())
    }

    fn call(&self, _: TenantId, _: CallId) -> StoreFuture<'_, Option<CallRow>> {
        answer(None)
    }

    fn calls(&self, _: CallFilter) -> StoreFuture<'_, Scanned<CallRow, CallId>> {
        answer(nothing_found())
    }

    fn calls_in_order(&self, _: TenantId, _: u64, _: usize) -> StoreFuture<'_, Vec<CallRow>> {
        answer(Vec::new())
    }

    fn prune_calls(&self, _: TenantId, _: u64, _: Trail) -> StoreFuture<'_, usize> {
        answer(0)
    }

    fn calling_tenants(&self, _: Option<TenantId>, _: usize) -> StoreFuture<'_, Vec<TenantId>> {
        answer(Vec::new())
    }
}

impl UsageStore for AdapterStore {
    fn usage(&self, _: UsageFilter) -> StoreFuture<'_, Vec<(String, Sums)>> {
        answer(Vec::new())
    }
}

impl SettingStore for AdapterStore {
    fn setting(&self, _: &str) -> StoreFuture<'_, Option<String>> {
        answer(None)
    }

    fn keep_setting(&self, _: TenantId, _: &str, _: &str, _: Trail) -> StoreFuture<'_, bool> {
        answer(false)
    }
}

/// Work that nobody asks for stays undone: a program tests its connections when it likes.
impl WorkStore for AdapterStore {
    fn claim_due(&self, _: WorkKind, _: &str, _: Duration, _: usize, _: Timestamp) -> StoreFuture<'_, Vec<Claim>> {
        answer(Vec::new())
    }

    fn finish_work(&self, _: &Claim, _: Timestamp) -> StoreFuture<'_, bool> {
        answer(false)
    }

    fn hasten_work(&self, _: TenantId, _: WorkKind, _: [u8; 16], _: Timestamp) -> StoreFuture<'_, ()> {
        answer(())
    }

    fn next_work(&self, _: TenantId, _: WorkKind, _: [u8; 16]) -> StoreFuture<'_, Option<Timestamp>> {
        answer(None)
    }
}

impl HealthStore for AdapterStore {
    fn note_test(&self, _: TestRow, _: usize) -> StoreFuture<'_, ()> {
        answer(())
    }

    fn tests(&self, _: TestFilter) -> StoreFuture<'_, Vec<TestRow>> {
        answer(Vec::new())
    }

    fn prune_tests(&self, _: Timestamp, _: usize) -> StoreFuture<'_, usize> {
        answer(0)
    }
}

/// A sign-in that is under way travels sealed in a cookie instead.
impl OAuthStateStore for AdapterStore {
    fn begin_oauth(&self, _: OAuthStateRow, _: usize, _: Trail) -> StoreFuture<'_, ()> {
        answer(())
    }

    fn open_oauth_state(&self, _: [u8; 32]) -> StoreFuture<'_, Option<OAuthStateDoor>> {
        answer(None)
    }

    fn take_oauth_state(&self, _: TenantId, _: OAuthStateId, _: Trail) -> StoreFuture<'_, Option<OAuthStateRow>> {
        answer(None)
    }
}

impl ProcessStore for AdapterStore {}

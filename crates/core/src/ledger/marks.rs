//! Marks of rows, and the digest of a batch.

use aws_lc_rs::{digest, hmac};
use serde_json::json;

use crate::{
    audit::Trail,
    framed::Framed,
    secret::Secret,
    store::{CallEntry, Mark, Seal},
};

/// The audit entry of a batch.
pub(crate) const RECORDED: &str = "calls.recorded";

/// Computes the marks of a tenant's calls.
#[derive(Clone)]
pub struct Marker(hmac::Key);

impl Marker {
    pub(crate) fn new(key: &Secret<[u8; 32]>) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.reveal()))
    }

    /// The mark of a call at a place.
    pub fn mark(&self, seq: u64, call: &CallEntry) -> Mark {
        let tag = hmac::sign(&self.0, &canonical(seq, call));
        let (half, _) = tag.as_ref().split_at(size_of::<Mark>());
        half.try_into().expect("HMAC-SHA-256 gives 32 bytes")
    }

    /// Marks a batch and completes its trail, whose one entry tells what was recorded.
    pub(crate) fn seal(self, trail: Trail) -> Seal {
        Seal::new(move |first, calls| {
            let places = first..;
            let marks: Vec<Mark> = places.zip(calls).map(|(seq, call)| self.mark(seq, call)).collect();
            let mut trail = trail.clone();
            if let Some(entry) = trail.entries.first_mut() {
                let last = first + calls.len() as u64 - 1;
                let told = json!({ "first": first, "last": last, "count": calls.len(), "digest": digest(&marks) });
                entry.detail = told.to_string();
            }
            (marks, trail)
        })
    }
}

/// The digest over the marks of calls that follow one another: SHA-256 in hexadecimal.
pub fn digest(marks: &[Mark]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    marks.iter().for_each(|mark| context.update(mark));
    let digest = context.finish();
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes a call is marked as: every field and its place, each behind its length.
fn canonical(seq: u64, call: &CallEntry) -> Vec<u8> {
    // Every field is named, so that a new one cannot be left out unseen.
    let CallEntry {
        id,
        tenant,
        at,
        actor,
        kind,
        connector,
        action,
        connection,
        credential,
        outcome,
        status,
        micros,
        attempts,
        sent,
        received,
    } = call;
    Framed::new("tieline 1 call")
        .with(&seq.to_be_bytes())
        .with(id.as_bytes())
        .with(tenant.as_bytes())
        .with(&at.as_microsecond().to_be_bytes())
        .with(actor.as_bytes())
        .with(kind.as_str().as_bytes())
        .with(connector.as_bytes())
        .with_option(action.as_deref().map(str::as_bytes))
        .with_option(connection.as_ref().map(|id| id.as_bytes().as_slice()))
        .with_option(credential.as_ref().map(|id| id.as_bytes().as_slice()))
        .with(outcome.as_bytes())
        .with_option(status.map(u16::to_be_bytes).as_ref().map(<[u8; 2]>::as_slice))
        .with(&micros.to_be_bytes())
        .with(&attempts.to_be_bytes())
        .with_option(sent.map(u64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice))
        .with_option(received.map(u64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice))
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{CallKind, conformance::sample};

    #[test]
    fn a1_every_field_of_a_call_is_in_its_mark() {
        let marker = Marker::new(&Secret::new([3; 32]));
        let call = sample::call(sample::tenant_id());
        let mut others = vec![call.clone(); 15];
        others[0].id = sample::call(call.tenant).id;
        others[1].tenant = sample::tenant_id();
        others[2].at = sample::at(99);
        others[3].actor.push('x');
        others[4].kind = CallKind::Proxy;
        others[5].connector.push('x');
        others[6].action = None;
        others[7].connection = None;
        others[8].credential = None;
        others[9].outcome = "cancelled".to_owned();
        others[10].status = None;
        others[11].micros += 1;
        others[12].attempts += 1;
        others[13].sent = None;
        others[14].received = Some(0);
        let mut marks: Vec<Mark> = others.iter().map(|other| marker.mark(1, other)).collect();
        marks.push(marker.mark(1, &call));
        marks.push(marker.mark(2, &call));
        marks.push(Marker::new(&Secret::new([4; 32])).mark(1, &call));
        let all = marks.len();
        marks.sort_unstable();
        marks.dedup();
        assert_eq!(marks.len(), all);
    }
}

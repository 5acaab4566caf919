//! The way through the second gate, for declared endpoints and for actions in Rust.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::HeaderMap;
use tieline_manifest::request::{Request, SecretRef, Text};
use tokio::time::Instant;

use super::Admitted;
use crate::{
    error::{Code, Error, Result},
    http::{Allotted, AnswerLimits, With, exchange_bytes},
    opened::Opened,
};

/// What is sent.
#[derive(Debug, Clone)]
pub struct Sending<'a> {
    /// The request, with slots for the secrets.
    pub request: &'a Request,
    /// A body that need not be text, in the place of the request's, whose media type it has.
    pub bytes: Option<Bytes>,
    /// For how long, where the input says it; never longer than the call.
    pub within: Option<Duration>,
}

impl<'a> Sending<'a> {
    /// A request as it is, in the call's time.
    pub fn of(request: &'a Request) -> Self {
        Self {
            request,
            bytes: None,
            within: None,
        }
    }
}

/// What was answered, whatever the status.
#[derive(Debug)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// The status in words; may be empty.
    pub reason: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decompressed.
    pub body: Bytes,
}

impl Admitted {
    /// Sends a request and reads its answer whole. Nothing is repeated and no redirect is followed.
    ///
    /// Where nothing declares the hosts that the connection's secrets may be sent to, the request's own host is it; then
    /// only who may write credentials, or brought them along, can have them sent: the host may come from the input.
    ///
    /// # Errors
    /// `HOST_NOT_ALLOWED`, `EGRESS_FORBIDDEN`, `UPSTREAM_…`, `CONNECTOR_ACTION_INPUT_INVALID` for what cannot be sent.
    ///
    /// Where the service refuses the tokens of a sign-in, they are renewed and it is sent once more.
    pub async fn exchange(&self, sending: Sending<'_>) -> Result<Answered> {
        self.may_send(sending.request)?;
        let (used, bytes) = (self.tokens_in_use(), sending.bytes.clone());
        let again = Sending {
            bytes,
            ..sending.clone()
        };
        let answered = self.exchange_once(sending).await?;
        if answered.status != 401 || !holds_secrets(again.request) || !self.has_other_tokens(used.as_deref()).await {
            return Ok(answered);
        }
        match self.uses() {
            Ok(()) => self.exchange_once(again).await,
            Err(_) => Ok(answered),
        }
    }

    async fn exchange_once(&self, sending: Sending<'_>) -> Result<Answered> {
        let inner = &self.connectors.inner;
        let (deadline, allotted) = match sending.within {
            Some(within) => (self.deadline.min(Instant::now() + within), Allotted::Asked(within)),
            None => (self.deadline, self.allotted),
        };
        let with = With {
            tenant: self.by.tenant,
            allowed_hosts: &self.hosts,
            deadline,
            allotted,
            limits: AnswerLimits::default(),
            memory: &inner.memory,
            hosts: &inner.hosts,
        };
        let (outbound, egress) = (&*inner.outbound, &inner.egress);
        let answer = exchange_bytes(outbound, egress, sending.request, sending.bytes, self, &with).await;
        if !answer.as_ref().is_err_and(Error::nothing_sent) {
            self.tally.attempt();
        }
        let mut answer = answer?;
        let (status, headers) = (answer.status.as_u16(), std::mem::take(&mut answer.headers));
        let reason = std::mem::take(&mut answer.reason);
        self.tally.answered(status, answer.sent);
        let (body, weight) = answer.weighed().await?;
        self.carries(weight);
        self.tally.received_bytes(body.len() as u64);
        Ok(Answered {
            status,
            reason,
            headers,
            body,
        })
    }

    fn may_send(&self, request: &Request) -> Result<()> {
        if !holds_secrets(request) {
            return Ok(());
        }
        self.may_send_secrets()
    }

    /// Whether code that holds the connection's secrets opened may send anything: what it writes into a request cannot be
    /// seen in every form.
    pub(crate) fn may_send_anywhere(&self) -> Result<()> {
        match self.opened.as_ref().is_some_and(|opened| !opened.secrets.is_empty()) {
            true => self.may_send_secrets(),
            false => Ok(()),
        }
    }

    fn may_send_secrets(&self) -> Result<()> {
        let came_along = |opened: &Arc<Opened>| opened.id.is_none() && opened.loan.is_none() && !opened.is_default;
        let are_the_callers = self.opened.as_ref().is_none_or(came_along);
        if !self.hosts.is_empty() || self.by.writes_credentials || are_the_callers {
            return Ok(());
        }
        let detail = "These credentials do not say which hosts they may be sent to, so only a caller who may write credentials \
                      can use them. Add `allowedHosts` to them, such as `api.acme.example`.";
        Err(Error::new(Code::HostNotAllowed, detail).before_sending())
    }
}

/// Whether secrets of the connection are sent. Those of the input are the caller's own.
fn holds_secrets(request: &Request) -> bool {
    let headers = request.headers.iter().map(|(_, value)| value);
    let body = request.body.iter().map(|body| &body.text);
    let mut texts = std::iter::once(&request.url).chain(headers).chain(body);
    let is_connections = |secret: &SecretRef| matches!(secret, SecretRef::Config(_));
    texts.any(|text: &Text| text.secrets().any(is_connections))
}

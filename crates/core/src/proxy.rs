//! Passing a request on, with a connection's credentials and nothing of the caller's own.
//!
//! Both bodies are streams that nobody reads on the way: no size is asked, only that they do not stand still. What they
//! hold is not scrubbed, so a service that writes a credential into a body tells it to the caller.

mod flow;
mod headers;
mod tail;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header::CONTENT_LENGTH};
use http_body::Body as _;
use tieline_manifest::{Below, Tree, request::Request};

use self::{
    flow::{Counted, Flow},
    tail::Tail,
};
use crate::{
    admit::{Admitted, Ask, Purpose},
    audit::Actor,
    call::Via,
    connectors::Connectors,
    endpoint::render,
    error::{Code, Error, Result},
    http::{self as wire, Answer, AnswerLimits, IncomingBody, OutgoingBody, With},
    id::{CallId, ConnectionId},
    tenant::cut,
};

/// A request to pass on.
pub struct Passing {
    /// With whose keys.
    pub connection: ConnectionId,
    /// The method; CONNECT and TRACE are refused.
    pub method: Method,
    /// What follows the connector's base URL, as the caller wrote it: nothing, or a path that begins with a slash.
    pub path: String,
    /// The query, as the caller wrote it.
    pub query: Option<String>,
    /// The caller's headers, all of them.
    pub headers: HeaderMap,
    /// The body. Its trailers are left out, and it is given up when it stands still.
    pub body: OutgoingBody,
}

/// What the upstream answered.
pub struct Passed {
    /// The call's identifier.
    pub call: CallId,
    /// The upstream's status, redirects and errors too.
    pub status: StatusCode,
    /// The upstream's headers that are the caller's to see.
    pub headers: HeaderMap,
    /// The body as it comes. Dropping it before its end ends the upstream's request.
    pub body: IncomingBody,
}

impl Connectors {
    /// Passes a request on. Nothing is repeated and no redirect is followed.
    ///
    /// # Errors
    /// `NOT_FOUND`, `CONNECTION_DISABLED`, `PROXY_NOT_SUPPORTED`, `UPGRADE_NOT_SUPPORTED` and `REQUEST_INVALID` before
    /// anything is sent; `REQUEST_TIMEOUT` when the caller's body stops; `UPSTREAM_…` when there is no answer.
    pub async fn proxy(&self, by: &Actor, passing: Passing) -> Result<Passed> {
        let about = self.about(by.tenant, "proxy", |about| about.connection(passing.connection));
        self.heed(about, async {
            let ask = Ask {
                connector: None,
                via: &Via::Connection(passing.connection),
                purpose: Purpose::Proxy,
            };
            let describes_only = passing.method == Method::HEAD;
            let admitted = self.admit(by, ask).await?;
            let body = wire::passing(passing.body, self.inner.timeouts.idle);
            let (body, sent) = Counted::around(body);
            let passing = Passing { body, ..passing };
            let answer = tokio::select! {
                // An answer that is there counts.
                biased;
                answer = send(&admitted, passing) => answer,
                () = admitted.gone() => Err(cut()),
            };
            let answer = answer.map_err(|error| admitted.scrub_error(error));
            if answer.is_err() {
                admitted.ended(&answer);
            }
            let mut answer = answer?;
            let mut headers = headers::answered(std::mem::take(&mut answer.headers), |value| {
                admitted.scrub_header(value)
            });
            if !describes_only && answer.status != StatusCode::NOT_MODIFIED {
                // The length follows from the body, unless there is none and only its length is told.
                headers.remove(CONTENT_LENGTH);
            }
            Ok(Passed {
                call: admitted.call(),
                status: answer.status,
                headers,
                body: Flow::through(answer, admitted, sent),
            })
        })
        .await
    }
}

async fn send(admitted: &Admitted, passing: Passing) -> Result<Answer> {
    let (request, theirs) = rendered(admitted, &passing)?;
    let is_bare = passing.body.size_hint().exact() == Some(0);
    let (used, again) = (admitted.tokens_in_use(), is_bare.then(|| theirs.clone()));
    let answer = pass_on(admitted, &request, theirs, passing.body).await?;
    if answer.status != StatusCode::UNAUTHORIZED {
        return Ok(answer);
    }
    // A body is a stream, and gone: whoever sent one sends it again, and finds other tokens then.
    match (admitted.has_other_tokens(used.as_deref()).await, again) {
        (true, Some(theirs)) => pass_on(admitted, &request, theirs, wire::bytes_body(Bytes::new())).await,
        _ => Ok(answer),
    }
}

async fn pass_on(admitted: &Admitted, request: &Request, theirs: HeaderMap, body: OutgoingBody) -> Result<Answer> {
    admitted.uses()?;
    let inner = &admitted.connectors.inner;
    let with = With {
        tenant: admitted.by.tenant,
        allowed_hosts: &admitted.hosts,
        deadline: admitted.deadline(),
        allotted: admitted.allotted,
        limits: AnswerLimits::default(),
        memory: &inner.memory,
        hosts: &inner.hosts,
    };
    let (outbound, egress) = (&*inner.outbound, &inner.egress);
    let answer = wire::pass(outbound, egress, request, theirs, body, admitted, &with).await;
    if !answer.as_ref().is_err_and(Error::nothing_sent) {
        admitted.tally.attempt();
    }
    let answer = answer?;
    if answer.status == StatusCode::SWITCHING_PROTOCOLS {
        let detail = "The upstream changed the protocol without being asked to.";
        return Err(Error::new(Code::UpstreamAnswerInvalid, detail));
    }
    Ok(answer)
}

/// What is ours of the request, and what of the caller's headers goes with it.
fn rendered(admitted: &Admitted, passing: &Passing) -> Result<(Request, HeaderMap)> {
    let (auth, manifest) = (admitted.auth(), admitted.connector.manifest());
    if let Some(why) = manifest.no_proxy(auth) {
        let name = &admitted.connector.descriptor().name;
        let detail =
            format!("Nothing can be passed on to {name} with this way of signing in: {why}. Call its actions.");
        return Err(Error::new(Code::ProxyNotSupported, detail).before_sending());
    }
    if matches!(passing.method, Method::CONNECT | Method::TRACE) {
        let detail = "CONNECT and TRACE are not passed on: one opens a tunnel, the other sends credentials back.";
        return Err(Error::new(Code::MethodNotAllowed, detail).before_sending());
    }
    let own_key = headers::own_key(&passing.headers);
    let tail =
        Tail::judge(&passing.path, passing.query.as_deref(), own_key)?.without(auth.and_then(|auth| auth.query_name()));
    let theirs = headers::asked(&passing.headers, |name| {
        auth.is_some_and(|auth| auth.header_names().any(|own| own == name))
    })?;
    let below = Below {
        method: passing.method.as_str(),
        path: &tail.path,
        query: tail.query.as_deref(),
        sends: &|name| theirs.contains_key(name),
    };
    let request = render(admitted, &Tree::Null, |values| manifest.render_proxy(&below, values))?;
    Ok((request, theirs))
}

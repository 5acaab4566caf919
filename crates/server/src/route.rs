//! One route: method, path, permission and handler on one line, and the reading of a handler's arguments.
//!
//! The order is the same for every route and not a handler's choice: the caller is authenticated, the route's permission is
//! checked, the rows named in the path are loaded and checked against the caller, and only then is the body read. That a
//! body comes last is checked when the program is compiled.

mod accept;
mod answer;
mod body;
mod decode;
mod form;
mod handler;
pub(crate) mod once;
mod pattern;
mod query;
mod reference;
mod row;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::{Method, request::Parts};
use serde_json::Value;
use tieline::{
    Code, Error, Result,
    error::{FieldError, Retry},
    id::TenantId,
    limits::{MEMORY_PIECE, OVERLOAD_RETRY_AFTER, SMALL_BYTES},
    rate::Standing,
    shares::Share,
};

pub(crate) use self::{
    accept::WantsPage,
    answer::with_type,
    body::{read_input, typed},
    form::Submitted,
    row::id_schema,
};
pub use self::{
    answer::{Answer, Created, List, Nothing, Reply, Streamed, Svg, Text},
    body::{Body, Input},
    handler::Handler,
    pattern::any,
    query::Query,
    reference::{Ref, Referable, X_REF},
    row::{Found, Row},
};
use crate::{
    app::{App, RequestId},
    caller::{Access, Caller},
    metrics::RouteCounts,
    openapi::Operation,
};

/// Whose memory the bodies of those count against who are nobody yet: all of them share one part.
const STRANGERS: TenantId = TenantId::from_bytes([0; 16]);

/// A request on its way to a handler.
pub struct Request {
    /// What everybody shares.
    pub app: App,
    /// Method, URI and headers.
    pub head: Parts,
    /// The path's parameters, percent-decoded.
    pub params: Vec<(String, String)>,
    caller: Option<Arc<Caller>>,
    body: Option<axum::body::Body>,
    /// What the body takes of the tenant's memory, until the request is answered.
    room: Option<Share<TenantId>>,
    /// Its name in answer and log.
    id: RequestId,
    /// Its run, when it carries an idempotency key.
    once: Option<Arc<once::Slot>>,
}

/// Something a handler asks for.
pub trait Extract: Sized + Send {
    /// Whether this reads the body; such an argument stands last.
    const READS_BODY: bool = false;

    /// Reads it.
    fn extract(request: &mut Request) -> impl Future<Output = Result<Self>> + Send;

    /// Says in the API description what is read, and how it can fail.
    fn describe(operation: &mut Operation<'_>);
}

/// A route.
#[derive(Clone)]
pub struct Route {
    method: Method,
    pub(crate) path: String,
    /// Method and path, as denied attempts are written down.
    asked: String,
    pub(crate) access: Access,
    pub(crate) summary: &'static str,
    pub(crate) codes: Vec<Code>,
    pub(crate) once: Option<once::Effect>,
    pub(crate) examples: Vec<Value>,
    counts: Arc<RouteCounts>,
    pub(crate) describe: fn(&mut Operation<'_>),
    /// Sessions may not take it.
    pub(crate) keys_only: bool,
    handler: Arc<dyn Fn(Request) -> BoxFuture<'static, Result<axum::response::Response>> + Send + Sync>,
}

/// A route with its handler. Parameters of the path are written `{name}`.
pub fn route<Args, H: Handler<Args>>(method: Method, path: &str, access: impl Into<Access>, handler: H) -> Route {
    Route {
        asked: format!("{method} {path}"),
        method,
        path: path.to_owned(),
        access: access.into(),
        summary: "",
        codes: Vec::new(),
        once: None,
        examples: Vec::new(),
        counts: RouteCounts::new("", ""),
        describe: H::describe,
        keys_only: false,
        handler: Arc::new(move |request| handler.call(request)),
    }
}

impl Route {
    /// Whether only a key opens it.
    pub fn is_keys_only(&self) -> bool {
        self.keys_only
    }

    /// The sentence under which the route stands in the API description.
    #[must_use]
    pub fn says(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// The ways it can fail beyond those that follow from its arguments.
    #[must_use]
    pub fn fails(mut self, codes: &[Code]) -> Self {
        self.codes.extend_from_slice(codes);
        self
    }

    /// It makes something: with an `Idempotency-Key` once.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.once = Some(once::Effect::Makes);
        self
    }

    /// It calls an action: with an `Idempotency-Key` once, and again where the action may be repeated.
    #[must_use]
    pub fn calls_once(mut self) -> Self {
        self.once = Some(once::Effect::Calls);
        self
    }

    /// Lets keys in and no sessions.
    #[must_use]
    pub fn keys_only(mut self) -> Self {
        self.keys_only = true;
        self
    }

    /// A body that works, in place of the examples of the body's type.
    #[must_use]
    pub fn example(mut self, body: Value) -> Self {
        self.examples.push(body);
        self
    }

    /// The same route without its permission, if this is its path: an operator's choice, never the table's.
    #[must_use]
    pub(crate) fn opened_to_all(mut self, path: &str) -> Self {
        if self.path == path {
            self.access = Access::Anyone;
        }
        self
    }

    /// The same route below a prefix.
    #[must_use]
    pub(crate) fn under(mut self, prefix: &str) -> Self {
        self.path.insert_str(0, prefix);
        self.asked = format!("{} {}", self.method, self.path);
        self
    }

    /// The same route, its requests counted there.
    pub(crate) fn counted_in(mut self, counts: Arc<RouteCounts>) -> Self {
        self.counts = counts;
        self
    }

    /// Where its requests are counted.
    pub(crate) fn counts(&self) -> Arc<RouteCounts> {
        self.counts.clone()
    }

    /// The method; `ANY` for all of them.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path, with `{name}` for each parameter.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Who may come in.
    pub fn access(&self) -> Access {
        self.access
    }

    /// Authenticates, counts the request, checks the permission, then reads the path's parameters and lets the handler
    /// read the rest. Whoever may not do what they ask for is written down. How the caller stands with the limits is told
    /// in any case.
    pub(crate) async fn enter(
        &self,
        mut request: Request,
        standing: &mut Option<Standing>,
    ) -> Result<axum::response::Response> {
        if self.access == Access::Anyone {
            request.params = self.read_params(request.head.uri.path())?;
            return (self.handler)(request).await;
        }
        let caller = Arc::new(Caller::authenticate(&request.app, &request.head, &self.asked).await?);
        let app = request.app.clone();
        let tenant = caller.actor.tenant;
        if caller.is_counted() {
            let counted = app.connectors.count_request(&caller.actor);
            *standing = counted.0;
            counted.1?;
        }
        if app.memory.is_spent(tenant) {
            return Err(out_of_memory());
        }
        let answer = match self.admits(&caller) {
            Ok(()) => {
                request.params = self.read_params(request.head.uri.path())?;
                request.caller = Some(caller.clone());
                self.run(request).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = &answer
            && matches!(error.code(), Code::PermissionDenied | Code::EnvironmentMismatch)
        {
            app.connectors.denied(&caller.actor, error.code(), &self.asked).await;
        }
        answer::weighed(answer?, |bytes| app.memory.count(tenant, bytes)).await
    }
}

impl Route {
    /// Lets the handler answer, once where the caller wants that.
    async fn run(&self, mut request: Request) -> Result<axum::response::Response> {
        let slot = match self.once {
            Some(effect) => once::Slot::of(&request, &self.asked, effect)?,
            None => None,
        };
        let Some(slot) = slot else {
            return (self.handler)(request).await;
        };
        request.once = Some(slot.clone());
        slot.run((self.handler)(request)).await
    }

    fn admits(&self, caller: &Caller) -> Result<()> {
        if self.keys_only {
            caller.needs_key()?;
        }
        match self.access {
            Access::Anyone => Ok(()),
            Access::Needs(permission) => caller.needs(permission),
            Access::SignedIn => caller.person().map(drop),
            Access::Owner => caller.needs_owner(),
        }
    }
}

impl Request {
    pub(crate) fn new(app: App, id: RequestId, head: Parts, body: axum::body::Body) -> Self {
        Self {
            app,
            head,
            params: Vec::new(),
            caller: None,
            body: Some(body),
            room: None,
            id,
            once: None,
        }
    }

    /// Who asks. Routes open to anyone have no caller; the table refuses handlers there that ask for one.
    pub(crate) fn caller(&self) -> Result<Arc<Caller>> {
        self.caller.clone().ok_or_else(|| {
            Error::internal(
                "a handler of an open route asks for its caller",
                self.head.method.as_str(),
            )
        })
    }

    /// A parameter of the path.
    pub(crate) fn param(&self, name: &str) -> Result<&str> {
        self.params
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .ok_or_else(|| Error::internal("a handler asks for a parameter its path does not have", name.to_owned()))
    }

    /// Makes sure of memory for so many bytes of the body, until the request is answered. What is small is not counted.
    ///
    /// # Errors
    /// `OVERLOADED` when bodies have taken all there is for this tenant, or for all.
    pub(crate) fn make_room(&mut self, bytes: usize) -> Result<()> {
        if bytes <= SMALL_BYTES {
            return Ok(());
        }
        let units = bytes.next_multiple_of(MEMORY_PIECE);
        let made = match &mut self.room {
            Some(room) => room.grow(units),
            None => {
                let tenant = self.caller.as_ref().map_or(STRANGERS, |caller| caller.actor.tenant);
                self.room = self.app.memory.take(tenant, units);
                self.room.is_some()
            }
        };
        if made {
            return Ok(());
        }
        Err(out_of_memory())
    }

    /// Begins the run of a request with an idempotency key, now that its body is there.
    pub(crate) async fn begin(&mut self, body: &[u8]) -> Result<()> {
        match &self.once {
            Some(slot) => slot.begin(body).await,
            None => Ok(()),
        }
    }

    /// Whether nobody knows yet who asks.
    pub(crate) fn is_strangers(&self) -> bool {
        self.caller.is_none()
    }

    pub(crate) fn take_body(&mut self) -> Result<axum::body::Body> {
        self.body
            .take()
            .ok_or_else(|| Error::internal("the body is read twice", self.head.uri.path().to_owned()))
    }
}

/// Who asks, for handlers.
impl Extract for Arc<Caller> {
    async fn extract(request: &mut Request) -> Result<Self> {
        request.caller()
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.wants_caller();
    }
}

/// What everybody shares, for handlers.
impl Extract for App {
    async fn extract(request: &mut Request) -> Result<Self> {
        Ok(request.app.clone())
    }

    fn describe(_: &mut Operation<'_>) {}
}

/// What a tenant reads whose requests and answers fill their part of the memory. Nothing was done.
fn out_of_memory() -> Error {
    let detail = "Too many large requests and answers are under way: read the answers, and try again in a moment.";
    Error::new(Code::Overloaded, detail)
        .retry(Retry::After(OVERLOAD_RETRY_AFTER))
        .before_sending()
}

/// The wrong places of a request.
pub(crate) fn invalid(detail: &str, fields: impl IntoIterator<Item = FieldError>) -> Error {
    Error::new(Code::RequestInvalid, detail).fields_from(fields)
}

//! One route: method, path, permission and handler on one line, and the reading of a handler's arguments.
//!
//! The order is the same for every route and not a handler's choice: the caller is authenticated, the route's permission is
//! checked, the rows named in the path are loaded and checked against the caller, and only then is the body read. That a
//! body comes last is checked when the program is compiled.

mod answer;
mod body;
mod decode;
mod handler;
mod query;
mod reference;
mod row;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::{Method, request::Parts};
use tieline::{
    Code, Error, Result,
    error::{FieldError, Retry},
    id::TenantId,
};

pub(crate) use self::{
    answer::with_type,
    body::{read_input, typed},
    row::id_schema,
};
pub use self::{
    answer::{Answer, Created, List, Nothing, Reply, Text},
    body::{Body, Input},
    handler::Handler,
    query::Query,
    reference::{Ref, Referable, X_REF},
    row::{Found, Row},
};
use crate::{
    app::App,
    caller::{Access, Caller},
    limits::MEMORY_RETRY_AFTER,
    openapi::Operation,
    shares::Share,
};

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
    pub(crate) method: Method,
    pub(crate) path: String,
    /// Method and path, as denied attempts are written down.
    asked: String,
    pub(crate) access: Access,
    pub(crate) summary: &'static str,
    pub(crate) codes: Vec<Code>,
    pub(crate) describe: fn(&mut Operation<'_>),
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
        describe: H::describe,
        handler: Arc::new(move |request| handler.call(request)),
    }
}

impl Route {
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

    /// The same route below a prefix.
    #[must_use]
    pub(crate) fn under(mut self, prefix: &str) -> Self {
        self.path.insert_str(0, prefix);
        self.asked = format!("{} {}", self.method, self.path);
        self
    }

    /// The method.
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

    /// The names of the path's parameters.
    pub fn params(&self) -> impl Iterator<Item = &str> {
        self.path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }

    /// Authenticates, checks the permission, then reads the path's parameters and lets the handler read the rest. Whoever
    /// may not do what they ask for is written down.
    pub(crate) async fn enter(
        &self,
        mut request: Request,
        params: impl FnOnce() -> Result<Vec<(String, String)>>,
    ) -> Result<axum::response::Response> {
        let Access::Needs(permission) = self.access else {
            request.params = params()?;
            return (self.handler)(request).await;
        };
        let caller = Arc::new(Caller::authenticate(&request.app, &request.head.headers, &self.asked).await?);
        let app = request.app.clone();
        let tenant = caller.actor.tenant;
        if app.memory.is_spent(tenant) {
            return Err(out_of_memory());
        }
        let answer = match caller.needs(permission) {
            Ok(()) => {
                request.params = params()?;
                request.caller = Some(caller.clone());
                (self.handler)(request).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = &answer
            && error.code() == Code::PermissionDenied
        {
            app.connectors.denied(&caller.actor, error.code(), &self.asked).await;
        }
        answer::weighed(answer?, |bytes| app.memory.count(tenant, bytes)).await
    }
}

impl Request {
    pub(crate) fn new(app: App, head: Parts, body: axum::body::Body) -> Self {
        Self {
            app,
            head,
            params: Vec::new(),
            caller: None,
            body: Some(body),
            room: None,
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

    /// Makes sure of memory for so many bytes of the body, until the request is answered.
    ///
    /// # Errors
    /// `OVERLOADED` when bodies have taken all there is for this tenant, or for all.
    pub(crate) fn make_room(&mut self, bytes: usize) -> Result<()> {
        let made = match &mut self.room {
            Some(room) => room.grow(bytes),
            None => {
                let tenant = self.caller()?.actor.tenant;
                self.room = self.app.memory.take(tenant, bytes);
                self.room.is_some()
            }
        };
        if made {
            return Ok(());
        }
        Err(out_of_memory())
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
    Error::new(Code::Overloaded, detail).retry(Retry::After(MEMORY_RETRY_AFTER))
}

/// The wrong places of a request.
pub(crate) fn invalid(detail: &str, fields: impl IntoIterator<Item = FieldError>) -> Error {
    Error::new(Code::RequestInvalid, detail).fields_from(fields)
}

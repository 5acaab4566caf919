//! Handlers: an action's work as a function of its context and its input.

use std::{any::TypeId, error::Error as StdError, marker::PhantomData, sync::Arc};

use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use tieline_manifest::Json;

use super::{Action, ActionContext, ActionInput, coded, output_json, typed_input};
use crate::{
    admit::Admitted,
    endpoint::advised,
    error::{Code, Result},
};

/// Any error that code of others ends with.
pub type HandlerFault = Box<dyn StdError + Send + Sync>;

/// What types a handler asks for, to be held against those that its connector has.
pub(crate) struct Handling {
    /// The handler, in words.
    pub(crate) what: String,
    /// The configuration it reads.
    pub(crate) config: (TypeId, &'static str),
    /// The context it takes.
    pub(crate) context: (TypeId, &'static str),
}

/// The types of a handler.
pub(crate) fn handling<C: 'static, X: 'static>(what: impl Into<String>) -> Handling {
    Handling {
        what: what.into(),
        config: (TypeId::of::<C>(), std::any::type_name::<C>()),
        context: (TypeId::of::<X>(), std::any::type_name::<X>()),
    }
}

/// A handler behind the untyped border.
struct Handled<I, C, X, F> {
    handler: F,
    types: PhantomData<fn(I, C, X)>,
}

/// The work of an action whose handler is `handler`.
pub(crate) fn action<I, C, X, F, Fut, E>(handler: F) -> Arc<dyn Action>
where
    I: ActionInput,
    C: DeserializeOwned + Send + Sync + 'static,
    X: Send + Sync + 'static,
    F: Fn(ActionContext<C, X>, I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<I::Output, E>> + Send + 'static,
    E: Into<HandlerFault>,
{
    Arc::new(Handled {
        handler,
        types: PhantomData::<fn(I, C, X)>,
    })
}

impl<I, C, X, F, Fut, E> Action for Handled<I, C, X, F>
where
    I: ActionInput,
    C: DeserializeOwned + Send + Sync + 'static,
    X: Send + Sync + 'static,
    F: Fn(ActionContext<C, X>, I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<I::Output, E>> + Send + 'static,
    E: Into<HandlerFault>,
{
    fn run<'a>(&'a self, admitted: &'a Arc<Admitted>, input: Json) -> BoxFuture<'a, Result<Json>> {
        Box::pin(async move {
            let input: I = typed_input(&input)?;
            let context = ActionContext::made(admitted.clone()).await?;
            let what = format!("`{}` of `{}`", I::ACTION, admitted.connector.id());
            let ended = (self.handler)(context, input).await;
            let coded = |error: E| advised(coded(Code::ConnectorActionFailed, &what, error.into()), I::IDEMPOTENT);
            let output = ended.map_err(coded)?;
            output_json::<I>(&output)
        })
    }
}

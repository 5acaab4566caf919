//! What a connector that is code does around its actions: make a context, judge a configuration, test a connection.

use std::{any::Any, any::TypeId, fmt, sync::Arc};

use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::TestReport;
use crate::{
    action::{ActionContext, HandlerFault, caught, coded, read},
    admit::Admitted,
    error::{Code, Result},
    scope::Scope,
};

/// Makes a handler's context.
pub(crate) type MakeContext =
    Arc<dyn Fn(Arc<Admitted>) -> BoxFuture<'static, Result<Arc<dyn Any + Send + Sync>>> + Send + Sync>;

/// Tests a connection.
pub(super) type CodedTest = Arc<dyn Fn(Arc<Admitted>) -> BoxFuture<'static, Result<TestReport>> + Send + Sync>;

/// Judges a configuration, given as JSON text.
pub(super) type Judge = Arc<dyn Fn(String, Zeroizing<String>, Scope) -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// A configuration that fits its schema and is not stored yet, for `on_validate` to judge.
pub struct Validation<C> {
    config: C,
    scope: Scope,
}

impl<C> Validation<C> {
    /// The configuration, secrets included.
    pub fn config(&self) -> &C {
        &self.config
    }

    /// For whom it shall be held.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }
}

impl<C> fmt::Debug for Validation<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validation")
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// What makes contexts, and of which type.
pub(super) struct Context {
    pub(super) made: (TypeId, &'static str),
    pub(super) make: MakeContext,
}

pub(super) fn context<C, X, F, Fut, E>(hook: F) -> Context
where
    C: DeserializeOwned + Send + Sync + 'static,
    X: Send + Sync + 'static,
    F: Fn(ActionContext<C>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<X, E>> + Send + 'static,
    E: Into<HandlerFault>,
{
    let hook = Arc::new(hook);
    Context {
        made: (TypeId::of::<X>(), std::any::type_name::<X>()),
        make: Arc::new(move |admitted| {
            let hook = hook.clone();
            Box::pin(async move {
                let what = format!("The context of `{}`", admitted.connector.id());
                let work = async {
                    let ended = hook(ActionContext::before(admitted)?).await;
                    ended.map_err(|error| coded(Code::ConnectorActionFailed, &what, error.into()))
                };
                let made = caught(Code::ConnectorActionFailed, work, || what.clone()).await?;
                Ok(Arc::new(made) as Arc<dyn Any + Send + Sync>)
            })
        }),
    }
}

pub(super) fn judge<C, F, Fut, E>(hook: F) -> Judge
where
    C: DeserializeOwned + Send + Sync + 'static,
    F: Fn(Validation<C>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<HandlerFault>,
{
    let hook = Arc::new(hook);
    Arc::new(move |connector, config, scope| {
        let hook = hook.clone();
        Box::pin(async move {
            let what = format!("The validation of `{connector}`");
            let work = async {
                let config = read(&connector, &config)?;
                let ended = hook(Validation { config, scope }).await;
                ended.map_err(|error| coded(Code::ConnectorConfigInvalid, &what, error.into()))
            };
            // A panic here is nobody's answer about the configuration.
            caught(Code::Internal, work, || what.clone()).await
        })
    })
}

pub(super) fn test<C, X, F, Fut, E>(hook: F) -> CodedTest
where
    C: DeserializeOwned + Send + Sync + 'static,
    X: Send + Sync + 'static,
    F: Fn(ActionContext<C, X>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<TestReport, E>> + Send + 'static,
    E: Into<HandlerFault>,
{
    let hook = Arc::new(hook);
    Arc::new(move |admitted| {
        let hook = hook.clone();
        Box::pin(async move {
            let what = format!("The test of `{}`", admitted.connector.id());
            let work = async {
                let ended = hook(ActionContext::made(admitted).await?).await;
                ended.map_err(|error| coded(Code::ConnectorActionFailed, &what, error.into()))
            };
            caught(Code::ConnectorActionFailed, work, || what.clone()).await
        })
    })
}

//! Rows named in the path, handed over only when the caller's tenant has them.

use schemars::{JsonSchema, Schema};
use tieline::{Code, Result};

use super::{Extract, Request, X_REF};
use crate::{app::App, caller::Caller, openapi::Operation};

/// A kind of row that paths name.
pub trait Found: Sized + Send {
    /// The parameter's name in paths.
    const PARAM: &'static str;

    /// The kind of row for the stranger matrix; `None` for what belongs to no tenant.
    const KIND: Option<&'static str>;

    /// What a caller reads who names none of their rows.
    const MISSING: Code;

    /// The shape of the parameter.
    fn schema() -> Schema;

    /// The row, if the caller may know of it. A stranger's row costs and answers what a missing one does.
    fn find(app: &App, caller: &Caller, text: &str) -> impl Future<Output = Result<Self>> + Send;
}

/// The row named in the path.
pub struct Row<T>(pub T);

impl<T: Found> Extract for Row<T> {
    async fn extract(request: &mut Request) -> Result<Self> {
        let caller = request.caller()?;
        let text = request.param(T::PARAM)?;
        T::find(&request.app, &caller, text).await.map(Self)
    }

    fn describe(operation: &mut Operation<'_>) {
        let mut schema = T::schema();
        if let Some(kind) = T::KIND {
            schema.insert(X_REF.to_owned(), kind.into());
        }
        operation.wants_caller();
        operation.reads_param(T::PARAM, &schema);
        operation.fails(&[T::MISSING]);
    }
}

/// The shape of an id.
pub(crate) fn id_schema<I: JsonSchema>() -> Schema {
    I::json_schema(&mut schemars::SchemaGenerator::default())
}

//! What a page's form sends, or a program in JSON in its place.

use http::header;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use tieline::{Result, error::FieldError};

use super::{Extract, Request, body, invalid, query};
use crate::openapi::Operation;

/// What browsers send without script.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// A form, or a JSON body of the same shape.
pub(crate) struct Submitted<T> {
    /// What was sent.
    pub(crate) value: T,
    /// Whether a page sent it: then the answer is one.
    pub(crate) by_page: bool,
}

impl<T: DeserializeOwned + JsonSchema + Send> Extract for Submitted<T> {
    const READS_BODY: bool = true;

    async fn extract(request: &mut Request) -> Result<Self> {
        let kind = request.head.headers.get(header::CONTENT_TYPE);
        let essence = kind.and_then(|value| value.to_str().ok()?.split(';').next());
        let by_page = essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(FORM));
        let value = if by_page {
            let bytes = body::read_form(request).await?;
            let text = String::from_utf8(bytes).map_err(|_| invalid("The form is not UTF-8 text.", no_fields()))?;
            query::read(&text)?
        } else {
            body::typed(&body::read(request).await?)?
        };
        Ok(Self { value, by_page })
    }

    fn describe(operation: &mut Operation<'_>) {
        let schema = operation.generator().subschema_for::<T>();
        operation.reads_json(schema.clone(), true);
        operation.reads_form(schema);
    }
}

fn no_fields() -> [FieldError; 0] {
    []
}

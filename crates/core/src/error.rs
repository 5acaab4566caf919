//! One error for everything: a stable [`Code`], a sentence for the caller, and what a retry would do.
//!
//! `detail` and `fields` are for whoever called; `context` and the source are for the log and never leave the process.

mod code;
mod status;

pub use code::Code;

use std::{
    borrow::Cow,
    error::Error as StdError,
    fmt::{self, Write as _},
    time::Duration,
};

use tieline_manifest::Json;

use crate::http::redact::Redactor;

/// The result of everything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, for the caller, for the log, and for the code that decides whether to try again.
pub struct Error(Box<Inner>);

struct Inner {
    code: Code,
    detail: String,
    fields: Vec<FieldError>,
    retry: Retry,
    unsent: bool,
    output: Option<Json>,
    context: Vec<(&'static str, String)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// A wrong place in the caller's input.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) to the value.
    pub pointer: String,
    /// What is wrong with it and how to mend it.
    pub message: String,
}

/// Whether the same call, unchanged, may succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It will fail the same way again.
    Never,
    /// It may work after a pause of our choosing.
    Backoff,
    /// It may work after the pause the other side asked for.
    After(Duration),
}

impl Error {
    /// An error with a code and a sentence that says what is wrong, where, and how to mend it.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            detail: detail.into(),
            fields: Vec::new(),
            retry: Retry::Never,
            unsent: false,
            output: None,
            context: Vec::new(),
            source: None,
        }))
    }

    /// A fault of our own: the caller learns nothing but that it happened, the log learns the rest.
    pub fn internal(what: &'static str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(
            Code::Internal,
            "Something went wrong on our side. The log has the details under this request's id.",
        )
        .context("what", what)
        .caused_by(source)
    }

    /// The one answer for a row that does not exist and for one that the caller may not know of.
    pub fn not_found() -> Self {
        Self::new(Code::NotFound, "There is no such row, or it is not yours.")
    }

    /// Names a wrong place in the input.
    #[must_use]
    pub fn field(mut self, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        self.0.fields.push(FieldError {
            pointer: pointer.into(),
            message: message.into(),
        });
        self
    }

    /// Names many wrong places.
    #[must_use]
    pub fn fields_from(mut self, fields: impl IntoIterator<Item = FieldError>) -> Self {
        self.0.fields.extend(fields);
        self
    }

    /// What it tells, once more: for a second error that means the same.
    #[must_use]
    pub(crate) fn told_again(&self) -> Self {
        let mut again = Self::new(self.0.code, self.0.detail.clone());
        again.0.fields = self.0.fields.clone();
        (again.0.retry, again.0.unsent) = (self.0.retry, self.0.unsent);
        again.0.output = self.0.output.clone();
        again
    }

    /// The same wrong places, below another pointer: the same fields stand elsewhere in another request.
    #[must_use]
    pub(crate) fn moved(mut self, from: &str, to: &str) -> Self {
        for field in &mut self.0.fields {
            if let Some(rest) = field.pointer.strip_prefix(from) {
                field.pointer = format!("{to}{rest}");
            }
        }
        self
    }

    /// Says one sentence more.
    #[must_use]
    pub(crate) fn and(mut self, sentence: &str) -> Self {
        self.0.detail.push(' ');
        self.0.detail.push_str(sentence);
        self
    }

    /// Says whether trying again may help.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// Says that nothing of the request left this process, so that even a write may be repeated.
    #[must_use]
    pub fn before_sending(mut self) -> Self {
        self.0.unsent = true;
        self
    }

    /// Carries the output of an effect that did happen although the call failed afterwards.
    #[must_use]
    pub fn output(mut self, output: Json) -> Self {
        self.0.output = Some(output);
        self
    }

    /// Adds a fact for the log.
    #[must_use]
    pub fn context(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((key, value.to_string()));
        self
    }

    /// Keeps the cause, for the log.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same error without secrets, in every part that carries text.
    #[must_use]
    pub fn scrubbed(mut self, redactor: &Redactor) -> Self {
        let scrub = |text: &mut String| {
            if let Cow::Owned(scrubbed) = redactor.scrub(text) {
                *text = scrubbed;
            }
        };
        scrub(&mut self.0.detail);
        for field in &mut self.0.fields {
            scrub(&mut field.pointer);
            scrub(&mut field.message);
        }
        self.0.context.iter_mut().for_each(|(_, value)| scrub(value));
        // A source is of any type: its text is all of it that can be scrubbed, and all that the log prints.
        self.0.source = self
            .0
            .source
            .take()
            .map(|source| redactor.scrub(&source.to_string()).into_owned().into());
        if let Some(output) = self.0.output.take() {
            self.0.output = Json::parse(&redactor.scrub_values(output.text())).ok();
        }
        self
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The sentence for the caller.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The wrong places in the input.
    pub fn fields(&self) -> &[FieldError] {
        &self.0.fields
    }

    /// Whether trying again may help.
    pub fn retry_hint(&self) -> Retry {
        self.0.retry
    }

    /// Whether it is certain that nothing was sent. Where this is false, a call that is not idempotent is not repeated.
    pub fn nothing_sent(&self) -> bool {
        self.0.unsent
    }

    /// The output of an effect that happened all the same.
    pub fn effect_output(&self) -> Option<&Json> {
        self.0.output.as_ref()
    }

    /// Facts for the log.
    pub fn log_context(&self) -> &[(&'static str, String)] {
        &self.0.context
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.detail)
    }
}

impl fmt::Debug for Error {
    /// All of it, for the log. What looks like a secret is left out: sources are of any kind, and say what they like.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.to_string();
        for field in &self.0.fields {
            write!(text, "\n  at {:?}: {}", field.pointer, field.message)?;
        }
        for (key, value) in &self.0.context {
            write!(text, "\n  {key} = {value}")?;
        }
        if let Some(source) = &self.0.source {
            write!(text, "\n  caused by: {source}")?;
        }
        f.write_str(&Redactor::default().scrub(&text))
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_ref()
            .map(|source| &**source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r2_what_is_printed_for_the_log_holds_no_shape_of_a_secret() {
        let error = Error::internal("x", "no way to postgres://app:s3cret-word@db.example/x")
            .context("request", "GET /?access_token=s3cret-word")
            .field("/a", "Bearer s3cretword0123456789");
        let printed = format!("{error:?}");
        assert!(
            !printed.contains("s3cret") && printed.contains("caused by: no way to postgres://"),
            "{printed}"
        );
    }
}

//! What goes wrong in code that is not ours: errors of any type, and panics.

use std::{any::Any, error::Error as StdError, panic::AssertUnwindSafe};

use futures_util::FutureExt;

use crate::{
    error::{Code, Error, Result},
    limits::MAX_LABEL_BYTES,
};

/// An error of any type under a code. One of ours keeps its own, also as the cause of another.
pub(crate) fn coded(code: Code, what: &str, error: Box<dyn StdError + Send + Sync>) -> Error {
    let error = match error.downcast::<Error>() {
        Ok(own) => return *own,
        Err(error) => error,
    };
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&*error);
    while let Some(link) = cause {
        if let Some(own) = link.downcast_ref::<Error>() {
            return own.told_again().caused_by(error);
        }
        cause = link.source();
    }
    let mut said = error.to_string().replace(char::is_control, " ");
    said.truncate(said.floor_char_boundary(MAX_LABEL_BYTES));
    Error::new(code, format!("{what} failed: {said}")).caused_by(error)
}

/// Waits for work that may panic. A panic is this work's own failure: whoever asked for it is told, and goes on.
pub(crate) async fn caught<T>(
    code: Code,
    work: impl Future<Output = Result<T>>,
    what: impl FnOnce() -> String,
) -> Result<T> {
    let ended = AssertUnwindSafe(work).catch_unwind().await;
    ended.unwrap_or_else(|panic| {
        let detail = format!(
            "{} broke off in the middle. What it did until then may have taken effect.",
            what()
        );
        Err(Error::new(code, detail).context("panic", said(&*panic)))
    })
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it does not say why").to_owned()
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Around(Error);

    impl fmt::Display for Around {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("around")
        }
    }

    impl StdError for Around {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn an_error_of_ours_keeps_its_code_however_deep_it_lies() {
        let ours = || Error::new(Code::UpstreamTimeout, "Late.");
        let told = |error: Box<dyn StdError + Send + Sync>| {
            let error = coded(Code::ConnectorActionFailed, "`a` of `b`", error);
            (error.code(), error.detail().to_owned())
        };
        let kept = (Code::UpstreamTimeout, "Late.".to_owned());
        assert_eq!(told(ours().into()), kept);
        assert_eq!(told(Around(ours()).into()), kept);
        let other = (Code::ConnectorActionFailed, "`a` of `b` failed: no more".to_owned());
        assert_eq!(told("no\nmore".into()), other);
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_its_words_are_for_the_log() {
        let work = async { panic!("hunter2") };
        let error = caught::<()>(Code::ConnectorActionFailed, work, || "`a` of `b`".to_owned())
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::ConnectorActionFailed);
        assert!(!error.detail().contains("hunter2"), "{error}");
        assert_eq!(error.log_context(), [("panic", "hunter2".to_owned())]);
    }
}

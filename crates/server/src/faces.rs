//! The API as the documents write it that it grew out of: their addresses, words and envelopes over the same functions,
//! identifiers and states. A face holds no rule; it translates.

pub(crate) mod s001;
pub(crate) mod s003;

use tieline::{Code, Error, limits::MAX_NAME_CHARS};

/// What a face says of a connector that there is not: in its documents that is a wrong word in a body, and no missing row.
pub(crate) fn unknown_type(error: Error, connector: &str, pointer: &'static str) -> Error {
    if error.code() != Code::ConnectorNotFound {
        return error;
    }
    let shown: String = connector.chars().take(MAX_NAME_CHARS).collect();
    Error::new(Code::ConnectorTypeUnknown, format!("Unknown connector type: {shown}"))
        .field(pointer, "is none of the catalog's")
}

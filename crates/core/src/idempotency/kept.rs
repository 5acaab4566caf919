//! How the end of a request is written down: one byte for the kind, then the answer's bytes or a few words of JSON.

use serde::{Deserialize, Serialize};
use tieline_manifest::Json;

use super::{Once, not_kept, outcome_unknown};
use crate::{
    error::{Code, Error, FieldError, Result},
    secret::Secret,
};

const ANSWER: u8 = 1;
const REFUSED: u8 = 2;
const UNKNOWN: u8 = 3;
const TOO_LARGE: u8 = 4;

/// How a request ended.
pub(super) enum Kept<'a> {
    /// With this answer.
    Answer(&'a [u8]),
    /// With this error, which a repeat would meet again.
    Refused(&'a Error),
    /// With this error, and nobody knows what happened.
    Unknown(Code),
    /// With an answer too large to keep.
    TooLarge,
}

/// An error as kept: what a caller is told of it, without what is for the log.
#[derive(Serialize, Deserialize)]
struct Refusal {
    code: String,
    detail: String,
    fields: Vec<(String, String)>,
    output: Option<String>,
}

impl Kept<'_> {
    pub(super) fn write(&self) -> Secret<Vec<u8>> {
        let (kind, rest) = match self {
            Self::Answer(bytes) => (ANSWER, bytes.to_vec()),
            Self::Refused(error) => (REFUSED, Refusal::of(error).into_bytes()),
            Self::Unknown(code) => (UNKNOWN, code.as_str().as_bytes().to_vec()),
            Self::TooLarge => (TOO_LARGE, Vec::new()),
        };
        let rest = Secret::new(rest);
        // Room for all of it from the start: a vector that grows would leave its bytes behind.
        let mut bytes = Vec::with_capacity(1 + rest.reveal().len());
        bytes.push(kind);
        bytes.extend_from_slice(rest.reveal());
        Secret::new(bytes)
    }
}

/// What a repeat is told.
pub(super) fn read(kept: Secret<Vec<u8>>) -> Result<Once> {
    match kept.reveal().split_first() {
        Some((&ANSWER, answer)) => Ok(Once::Answered(Secret::new(answer.to_vec()))),
        Some((&REFUSED, json)) => {
            let refusal: Refusal = serde_json::from_slice(json).map_err(unreadable)?;
            refusal.into_error().map(Once::Refused)
        }
        Some((&UNKNOWN, code)) => Err(outcome_unknown(std::str::from_utf8(code).ok())),
        Some((&TOO_LARGE, _)) => Err(not_kept()),
        _ => Err(unreadable("its kind is not known")),
    }
}

impl Refusal {
    fn of(error: &Error) -> Self {
        let fields = error.fields().iter();
        Self {
            code: error.code().as_str().to_owned(),
            detail: error.detail().to_owned(),
            fields: fields
                .map(|field| (field.pointer.clone(), field.message.clone()))
                .collect(),
            output: error.effect_output().map(|output| output.text().to_owned()),
        }
    }

    fn into_bytes(self) -> Vec<u8> {
        serde_json::to_vec(&self).expect("texts serialise")
    }

    fn into_error(self) -> Result<Error> {
        let code = Code::ALL.iter().find(|code| code.as_str() == self.code);
        let code = code.ok_or_else(|| unreadable("its code is not known"))?;
        let fields = self
            .fields
            .into_iter()
            .map(|(pointer, message)| FieldError { pointer, message });
        let error = Error::new(*code, self.detail).fields_from(fields);
        match self.output {
            None => Ok(error),
            Some(text) => Ok(error.output(Json::parse(&text).map_err(unreadable)?)),
        }
    }
}

fn unreadable(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::internal("a kept answer cannot be read", why)
}

//! What a call produces, without its secrets: a service may echo them.

use std::borrow::Cow;

use http::HeaderValue;
use tieline_manifest::Json;

use super::Admitted;
use crate::{
    error::{Error, Result},
    http::redact::{MARK, Redactor},
    limits::MAX_LABEL_BYTES,
};

impl Admitted {
    /// What scrubs secrets from whatever the call produces: those that were replaced, too.
    fn redactors(&self) -> impl Iterator<Item = &Redactor> {
        let all = self.opened.iter().chain(self.renewed.get());
        all.map(|opened| &opened.redactor)
    }

    /// What the call produced, without its secrets: a service may echo them.
    pub(crate) fn scrubbed(&self, result: Result<Json>) -> Result<Json> {
        let fields = self.redactors();
        let inputs = (!self.input_secrets.is_empty())
            .then(|| Redactor::new(self.input_secrets.values().map(|secret| secret.reveal().as_str())));
        fields.chain(&inputs).fold(result, |result, redactor| match result {
            Ok(output) => scrub_output(redactor, output),
            Err(error) => Err(error.scrubbed(redactor)),
        })
    }

    /// The same for an error alone.
    pub(crate) fn scrub_error(&self, error: Error) -> Error {
        self.redactors().fold(error, Error::scrubbed)
    }

    /// The same for a header's value that the service sent. What is no text holds no secret of ours, which all are.
    pub(crate) fn scrub_header(&self, value: HeaderValue) -> HeaderValue {
        self.redactors().fold(value, |value, redactor| {
            let text = std::str::from_utf8(value.as_bytes()).ok();
            match text.map(|text| redactor.scrub_values(text)) {
                // What replaces a secret is made of letters that headers may hold.
                Some(Cow::Owned(text)) => HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(MARK)),
                _ => value,
            }
        })
    }

    /// The same for an account's label, cut to what fits a line.
    pub(crate) fn scrub_label(&self, label: &str) -> String {
        let clean = label.replace(char::is_control, " ");
        let none = Redactor::default();
        let clean = match self.renewed.get() {
            Some(renewed) => renewed.redactor.scrub_values(&clean).into_owned(),
            None => clean,
        };
        let redactor = self.opened.as_ref().map_or(&none, |opened| &opened.redactor);
        redactor.scrub_and_cut(&clean, MAX_LABEL_BYTES)
    }
}

fn scrub_output(redactor: &Redactor, output: Json) -> Result<Json> {
    let scrubbed = match redactor.scrub_values(output.text()) {
        Cow::Borrowed(_) => return Ok(output),
        Cow::Owned(text) => text,
    };
    // A secret that stood where JSON has a number leaves no JSON behind: then strings only are scrubbed, as JSON.
    let json = Json::parse(&scrubbed).or_else(|_| Json::parse(&redactor.scrub_json(output.text())));
    json.map_err(|error| Error::internal("a scrubbed output does not parse", error))
}

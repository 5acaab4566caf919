//! What an answer that is no success says, and where.

use crate::{
    endpoint::{header_name, read_json_path},
    limits,
    lint::{self, Lints},
    node::Spot,
    path::Path,
    response::FailureKind,
    template::is_name,
};

/// Where an error answer tells what is wrong.
#[derive(Debug, Clone, Default)]
pub(crate) struct ErrorPaths {
    /// The first that finds something counts.
    pub(crate) code_paths: Vec<Path>,
    pub(crate) message_path: Option<Path>,
    /// The name of the input that was refused.
    pub(crate) param_path: Option<Path>,
    /// The header with the service's own id of the request, in lower case.
    pub(crate) request_id_header: Option<String>,
    /// The service's codes that say more than their status.
    codes: Vec<(String, FailureKind)>,
    /// What else an error tells, by a name of the manifest's.
    pub(crate) details: Vec<(String, Path)>,
}

impl ErrorPaths {
    pub(super) fn read(spot: &Spot<'_>, lints: &mut Lints) -> Self {
        let Some(fields) = spot.fields() else {
            return Self::default();
        };
        let code_paths = fields.get("codePath").map(|spot| spot.one_or_more());
        let code_paths = code_paths.unwrap_or_default();
        Self {
            code_paths: code_paths
                .iter()
                .filter_map(|spot| read_json_path(spot, lints))
                .collect(),
            message_path: fields.get("messagePath").and_then(|spot| read_json_path(&spot, lints)),
            param_path: fields.get("paramPath").and_then(|spot| read_json_path(&spot, lints)),
            request_id_header: fields
                .get("requestIdHeader")
                .and_then(|spot| header_name(&spot.text()?, &spot, lints)),
            codes: fields
                .get("codes")
                .map(|spot| read_codes(&spot, lints))
                .unwrap_or_default(),
            details: fields
                .get("details")
                .map(|spot| read_details(&spot, lints))
                .unwrap_or_default(),
        }
    }

    /// What a code means where the status does not say it.
    pub(crate) fn kind_of(&self, code: &str) -> Option<FailureKind> {
        let known = self.codes.iter().find(|(own, _)| own == code);
        known.map(|(_, kind)| *kind)
    }
}

fn read_codes(spot: &Spot<'_>, lints: &mut Lints) -> Vec<(String, FailureKind)> {
    let mut codes: Vec<(String, FailureKind)> = Vec::new();
    let Some(fields) = spot.fields() else {
        return codes;
    };
    for kind in FailureKind::DECLARED {
        for spot in fields.list(kind.as_str()) {
            let Some(code) = spot.text() else { continue };
            if codes.iter().any(|(other, _)| *other == code) {
                spot.lint(lints, lint::DUPLICATE_NAME, format!("the code `{code}` stands twice"));
            }
            codes.push((code, *kind));
        }
    }
    if codes.len() > limits::ERROR_CODES {
        let message = format!("at most {} codes are read", limits::ERROR_CODES);
        spot.lint(lints, lint::TOO_COMPLEX, message);
    }
    codes
}

fn read_details(spot: &Spot<'_>, lints: &mut Lints) -> Vec<(String, Path)> {
    let entries = spot.entries();
    if entries.len() > limits::DETAILS {
        let message = format!("at most {} details are read", limits::DETAILS);
        spot.lint(lints, lint::TOO_COMPLEX, message);
    }
    let mut details = Vec::new();
    for (name, spot) in entries.into_iter().take(limits::DETAILS) {
        if !is_name(name) {
            let message = format!("`{name}` is no name: letters, digits, `_` and `-`, beginning with a letter");
            spot.lint(lints, lint::BAD_VALUE, message);
        }
        details.extend(read_json_path(&spot, lints).map(|path| (name.to_owned(), path)));
    }
    details
}

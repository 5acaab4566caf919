//! The log as a file: read and sent step by step, so that its length is no matter.

use std::{fmt::Write, io};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Deserialize;
use tieline::{
    Connectors, Error, Result,
    audit::{Actor, AuditQuery, Beyond},
    page::Page,
    store::AuditRow,
};

use super::AuditLog;
use crate::route::with_type;

/// The form of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// No file, but a page.
    #[default]
    Page,
    /// For spreadsheets.
    Csv,
    /// The form of a page, with all that verifies the chain.
    Json,
}

/// The columns. The first are those that audit logs of other products have; addresses and browsers are not kept, so theirs
/// are empty.
const COLUMNS: &str =
    "Timestamp,Action,Entity Type,Entity ID,User ID,IP Address,User Agent,Detail,Sequence,ID,Hash\r\n";

/// An export that has begun.
pub(crate) struct Export {
    connectors: Connectors,
    by: Actor,
    query: AuditQuery,
    format: Format,
    /// How many rows may still come; all there are, unless given.
    left: Option<usize>,
    /// The first step: its trouble can still be told.
    first: Page<AuditRow, u64>,
}

/// What comes next.
enum Next {
    Head(Page<AuditRow, u64>),
    After(u64),
    Foot,
    Nothing,
}

impl Export {
    /// Begins beyond a place, or with nothing where there is none.
    pub(super) async fn begin(
        connectors: Connectors,
        by: Actor,
        query: AuditQuery,
        beyond: Option<Beyond>,
        take: Option<usize>,
        format: Format,
    ) -> Result<Self> {
        let first = match beyond {
            Some(Beyond(after)) => connectors.audit_export(&by, &query, after).await?,
            None => Page {
                rows: Vec::new(),
                next: None,
            },
        };
        Ok(Self {
            connectors,
            by,
            query,
            format,
            left: take,
            first,
        })
    }

    pub(super) fn answer(self) -> Result<Response> {
        let (content_type, name) = match self.format {
            Format::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"audit-logs.csv\""),
            Format::Json | Format::Page => ("application/json", "attachment; filename=\"audit-logs.json\""),
        };
        let Self {
            connectors,
            by,
            query,
            format,
            left,
            first,
        } = self;
        // A step that fails cuts the answer off, which its reader sees by the missing end.
        let steps = stream::try_unfold((Next::Head(first), true, left), move |(next, is_first, left)| {
            let (connectors, by, query) = (connectors.clone(), by.clone(), query.clone());
            async move {
                let (mut page, mut text) = match next {
                    Next::Nothing => return Ok(None),
                    Next::Foot => return Ok(Some((Bytes::from(foot(format)), (Next::Nothing, false, left)))),
                    Next::Head(page) => (page, head(format).to_owned()),
                    Next::After(place) => {
                        let page = connectors.audit_export(&by, &query, Some(place)).await;
                        (page.inspect_err(log).map_err(io::Error::other)?, String::new())
                    }
                };
                page.rows.truncate(left.unwrap_or(usize::MAX));
                let left = left.map(|left| left - page.rows.len());
                let next = page.next.filter(|_| left != Some(0)).map_or(Next::Foot, Next::After);
                let is_first = write(format, page.rows, is_first, &mut text)
                    .inspect_err(log)
                    .map_err(io::Error::other)?;
                Ok::<_, io::Error>(Some((Bytes::from(text), (next, is_first, left))))
            }
        });
        let body = Body::from_stream(steps);
        let mut response = with_type(StatusCode::OK, HeaderValue::from_static(content_type), body);
        response
            .headers_mut()
            .insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(name));
        Ok(response)
    }
}

fn log(error: &Error) {
    tracing::warn!(?error, "an export of the audit log ended early");
}

fn head(format: Format) -> &'static str {
    match format {
        Format::Csv => COLUMNS,
        Format::Json | Format::Page => "{\"data\":[",
    }
}

fn foot(format: Format) -> &'static str {
    match format {
        Format::Csv => "",
        Format::Json | Format::Page => "],\"nextCursor\":null}",
    }
}

/// Writes rows; says whether the next one is still the first.
fn write(format: Format, rows: Vec<AuditRow>, mut is_first: bool, text: &mut String) -> Result<bool> {
    for row in rows {
        match format {
            Format::Csv => write_csv(&row, text),
            Format::Json | Format::Page => {
                let row = serde_json::to_string(&AuditLog::from(row));
                let row = row.map_err(|error| Error::internal("an audit entry does not serialise", error))?;
                text.push_str(if is_first { "\n" } else { ",\n" });
                text.push_str(&row);
            }
        }
        is_first = false;
    }
    Ok(is_first)
}

fn write_csv(row: &AuditRow, text: &mut String) {
    let entry = &row.entry;
    let (seq, id, at) = (row.seq.to_string(), entry.id.to_string(), entry.at.to_string());
    let hash = row.hash.iter().fold(String::new(), |mut hash, byte| {
        let _ = write!(hash, "{byte:02x}");
        hash
    });
    let kind = tieline::store::entity(&entry.action);
    let cells = [
        &at,
        &entry.action,
        kind,
        &entry.subject,
        &entry.actor,
        "",
        "",
        &entry.detail,
        &seq,
        &id,
        &hash,
    ];
    let cells: Vec<String> = cells.iter().map(|cell| csv_cell(cell)).collect();
    text.push_str(&cells.join(","));
    text.push_str("\r\n");
}

/// A cell as RFC 4180 section 2 has it. One that a spreadsheet would take for a formula gets an apostrophe before it: what
/// stands in the log may come from anybody.
fn csv_cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let text = if is_formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_text_and_never_a_formula() {
        for (text, cell) in [
            ("plain", "plain"),
            ("", ""),
            ("a,b", "\"a,b\""),
            (r#"{"a":1}"#, r#""{""a"":1}""#),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-2,3", "\"'-2,3\""),
            ("\t=1", "'\t=1"),
        ] {
            assert_eq!(csv_cell(text), cell);
        }
    }
}

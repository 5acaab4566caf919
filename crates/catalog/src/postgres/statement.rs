//! One statement: prepared, given its values, and read row by row.

use bytes::BytesMut;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::{
    IsNull,
    message::{
        backend::{DataRowBody, Message},
        frontend,
    },
};
use tieline::{Code, Error, Result};
use tieline_manifest::Tree;

use super::{
    failure::{Trouble, several},
    limits::MAX_PARAMS,
    param::{self, Input},
    rows::{Column, Gathered, Rows},
    server::Access,
    session::Session,
    types::{self, Type},
    value,
};

/// The names of types that are not built in.
const TYPE_NAMES: &str = "SELECT pg_catalog.format_type(number, NULL) \
    FROM pg_catalog.unnest($1::pg_catalog.oid[]) WITH ORDINALITY AS asked(number, place) ORDER BY place";

/// What the server tells of a prepared statement.
struct Prepared {
    params: Vec<u32>,
    columns: Vec<(String, u32)>,
}

impl Session<'_> {
    /// Runs one statement. An overdue one is cancelled on the server.
    pub(super) async fn statement(&mut self, sql: &str, inputs: Vec<Input<'_>>, wanted: usize) -> Result<Rows> {
        let mut said = Vec::new();
        let ran = self.run(sql, &inputs, wanted, &mut said).await;
        match ran {
            Ok(rows) => Ok(rows),
            Err(Trouble::Late) => {
                self.cancel().await;
                let detail = "The statement took longer than the call's time. It was cancelled on the server, and nothing was \
                              changed. A longer `timeout` may help; the most are 120000 ms.";
                Err(Error::new(Code::UpstreamTimeout, detail))
            }
            Err(Trouble::Refused(refusal)) => Err(several(sql, &refusal).unwrap_or_else(|| refusal.into_error(&said))),
            Err(trouble) => Err(trouble.into_error(&said)),
        }
    }

    async fn run(
        &mut self,
        sql: &str,
        inputs: &[Input<'_>],
        wanted: usize,
        said: &mut Vec<Option<String>>,
    ) -> Result<Rows, Trouble> {
        if inputs.len() > MAX_PARAMS {
            return Err(wrong_count(&format!("are more than {MAX_PARAMS}")));
        }
        let prepared = self.prepare(sql).await?;
        if prepared.params.len() != inputs.len() {
            let (asked, given) = (prepared.params.len(), inputs.len());
            return Err(wrong_count(&format!(
                "are {given}, and the statement has {asked} places for them"
            )));
        }
        for (number, input) in prepared.params.iter().zip(inputs) {
            said.push(param::write(Type::of(*number), input)?);
        }
        let (gathered, changed) = self.execute(&prepared, said, wanted).await?;
        let types = self.type_names(&prepared.columns).await?;
        let columns = gathered.names.iter().zip(types);
        let columns = columns.map(|(name, r#type)| Column {
            name: name.clone(),
            r#type,
        });
        let columns = columns.collect();
        Ok(gathered.into_rows(columns, changed.filter(|_| self.access == Access::Write)))
    }

    async fn prepare(&mut self, sql: &str) -> Result<Prepared, Trouble> {
        let mut out = BytesMut::new();
        frontend::parse("", sql, std::iter::empty(), &mut out)?;
        frontend::describe(b'S', "", &mut out)?;
        frontend::sync(&mut out);
        self.say(&out).await?;
        let mut prepared = Prepared {
            params: Vec::new(),
            columns: Vec::new(),
        };
        loop {
            match self.hear().await? {
                Message::ParameterDescription(body) => prepared.params = body.parameters().collect()?,
                Message::RowDescription(body) => {
                    let column = body
                        .fields()
                        .map(|field| Ok((field.name().to_owned(), field.type_oid())));
                    prepared.columns = column.collect()?;
                }
                Message::ReadyForQuery(_) => return Ok(prepared),
                _ => {}
            }
        }
    }

    /// The rows, and how many the statement says it was about. A read is stopped on the server behind the last row that is
    /// wanted; a write is heard to its end, because only there it says how many rows it changed.
    async fn execute(
        &mut self,
        prepared: &Prepared,
        params: &[Option<String>],
        wanted: usize,
    ) -> Result<(Gathered, Option<u64>), Trouble> {
        let most = match self.access {
            Access::Read => i32::try_from(wanted + 1).unwrap_or(i32::MAX),
            Access::Write => 0,
        };
        let mut out = BytesMut::new();
        bind(params, &mut out)?;
        frontend::execute("", most, &mut out)?;
        frontend::sync(&mut out);
        self.say(&out).await?;
        let kinds: Vec<Type> = prepared.columns.iter().map(|(_, number)| Type::of(*number)).collect();
        let mut gathered = Gathered::new(prepared.columns.iter().map(|(name, _)| name.as_str()), wanted);
        let mut changed = None;
        loop {
            match self.hear().await? {
                Message::DataRow(body) if gathered.wants_more() => gathered.add(values(&body, &kinds)?),
                Message::DataRow(_) | Message::PortalSuspended => gathered.truncated = true,
                Message::CommandComplete(body) => {
                    let count = body.tag()?.rsplit(' ').next().unwrap_or_default();
                    changed = count.parse().ok();
                }
                Message::CopyInResponse(_) | Message::CopyOutResponse(_) => {
                    return Err(Trouble::Odd("it begins to copy, which was not asked for"));
                }
                Message::ReadyForQuery(_) => return Ok((gathered, changed)),
                _ => {}
            }
        }
    }

    async fn type_names(&mut self, columns: &[(String, u32)]) -> Result<Vec<String>, Trouble> {
        let unknown = columns.iter().filter(|(_, number)| types::name(*number).is_none());
        let unknown: Vec<String> = unknown.map(|(_, number)| number.to_string()).collect();
        let mut asked = Vec::new();
        if !unknown.is_empty() {
            let prepared = self.prepare(TYPE_NAMES).await?;
            let numbers = format!("{{{}}}", unknown.join(","));
            let (gathered, _) = self.execute(&prepared, &[Some(numbers)], unknown.len()).await?;
            let name = |row: &Tree| row.get("format_type").and_then(Tree::as_str).map(str::to_owned);
            asked = gathered.rows.iter().map(|row| name(row).unwrap_or_default()).collect();
        }
        let mut asked = asked.into_iter();
        let names = columns.iter().map(|(_, number)| {
            let known = types::name(*number);
            known.or_else(|| asked.next()).unwrap_or_default()
        });
        Ok(names.collect())
    }
}

/// Gives the prepared statement its values, all as text, and asks for text.
pub(super) fn bind(values: &[Option<String>], out: &mut BytesMut) -> Result<(), Trouble> {
    let bound = frontend::bind(
        "",
        "",
        std::iter::empty(),
        values,
        |value: &Option<String>, buffer| {
            Ok(match value {
                Some(text) => {
                    buffer.extend_from_slice(text.as_bytes());
                    IsNull::No
                }
                None => IsNull::Yes,
            })
        },
        std::iter::empty(),
        out,
    );
    bound.map_err(|_| Error::internal("a statement's values do not fit a message", "bind").into())
}

fn values(body: &DataRowBody, kinds: &[Type]) -> Result<Vec<Tree>, Trouble> {
    let mut ranges = body.ranges();
    let mut values = Vec::with_capacity(kinds.len());
    for kind in kinds {
        let range = ranges.next()?.ok_or(Trouble::Odd("a row has too few values"))?;
        values.push(match range {
            None => Tree::Null,
            Some(range) => {
                let text = std::str::from_utf8(&body.buffer()[range]);
                value::read(*kind, text.map_err(|_| Trouble::Odd("a value is not in UTF-8"))?)
            }
        });
    }
    Ok(values)
}

fn wrong_count(why: &str) -> Trouble {
    let detail = format!("Nothing was run: the values in `params` {why}.");
    Error::new(Code::ConnectorActionInputInvalid, detail)
        .field("/params", why)
        .into()
}

//! How our values lie in columns: identifiers as `uuid`, times as `timestamptz`, numbers as `bigint`, our own words as
//! `text`, and words from outside as `bytea`, because they may hold U+0000.

use std::error::Error as StdError;

use bytes::BytesMut;
use tieline::{
    clock::Timestamp,
    id::{
        ApiKeyId, AuditId, CallId, ConnectionId, CredentialId, EventId, OAuthStateId, ProcessId, SessionId, TenantId,
        UserId,
    },
};
use tokio_postgres::{
    Row,
    types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked},
};

use crate::word::Word;

type BoxError = Box<dyn StdError + Sync + Send>;

/// A value as it was read.
pub(super) type Read<T> = Result<T, tokio_postgres::Error>;

/// A value to be written.
pub(super) type Value<'a> = &'a (dyn ToSql + Sync);

/// The values of a statement, in order.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$(&$value as crate::postgres::value::Value<'_>),*] };
}
pub(super) use values;

/// Microseconds between 1970 and 2000, from which PostgreSQL counts.
const EPOCH: i64 = 946_684_800_000_000;

/// A time, to the microsecond.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time(pub(super) Timestamp);

impl ToSql for Time {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, BoxError> {
        (self.0.as_microsecond() - EPOCH).to_sql(&Type::INT8, out)
    }

    accepts!(TIMESTAMPTZ);
    to_sql_checked!();
}

impl FromSql<'_> for Time {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, BoxError> {
        let since = i64::from_sql(&Type::INT8, raw)?;
        let since = since.checked_add(EPOCH).ok_or("a time beyond all times")?;
        Ok(Self(Timestamp::from_microsecond(since)?))
    }

    accepts!(TIMESTAMPTZ);
}

/// What is told by 16 bytes.
pub(super) trait Identifier: Copy {
    fn from_bytes(bytes: [u8; 16]) -> Self;
    fn bytes(&self) -> [u8; 16];
}

macro_rules! identifiers {
    ($($name:ident)+) => { $(
        impl Identifier for $name {
            fn from_bytes(bytes: [u8; 16]) -> Self {
                $name::from_bytes(bytes)
            }

            fn bytes(&self) -> [u8; 16] {
                *self.as_bytes()
            }
        }
    )+ };
}

identifiers!(ApiKeyId AuditId CallId ConnectionId CredentialId EventId OAuthStateId ProcessId SessionId TenantId UserId);

impl Identifier for [u8; 16] {
    fn from_bytes(bytes: [u8; 16]) -> Self {
        bytes
    }

    fn bytes(&self) -> [u8; 16] {
        *self
    }
}

/// An identifier, as a `uuid`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Id<T>(pub(super) T);

impl<T: Identifier + std::fmt::Debug> ToSql for Id<T> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, BoxError> {
        out.extend_from_slice(&self.0.bytes());
        Ok(IsNull::No)
    }

    accepts!(UUID);
    to_sql_checked!();
}

impl<T: Identifier> FromSql<'_> for Id<T> {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, BoxError> {
        Ok(Self(T::from_bytes(raw.try_into()?)))
    }

    accepts!(UUID);
}

/// The least identifier behind this one, or the least of all: for `>=`.
pub(super) fn behind<T: Identifier>(after: Option<T>) -> Id<[u8; 16]> {
    let least = after.map_or(0, |after| u128::from_be_bytes(after.bytes()).saturating_add(1));
    Id(least.to_be_bytes())
}

/// The greatest identifier before this one, or the greatest of all: for `<=`.
pub(super) fn up_to<T: Identifier>(before: Option<T>) -> Id<[u8; 16]> {
    let greatest = before.map_or(u128::MAX, |before| {
        u128::from_be_bytes(before.bytes()).saturating_sub(1)
    });
    Id(greatest.to_be_bytes())
}

/// A number that is never negative. What is above 2⁶³ − 1 is as good as that, because nothing here counts so far.
pub(super) fn number(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// A word from outside that may be absent.
pub(super) fn maybe(text: &Option<String>) -> Option<&[u8]> {
    text.as_ref().map(String::as_bytes)
}

struct Number<N>(N);

impl<N: TryFrom<i64>> FromSql<'_> for Number<N> {
    fn from_sql(ty: &Type, raw: &[u8]) -> Result<Self, BoxError> {
        let number = N::try_from(i64::from_sql(ty, raw)?);
        number.map(Self).map_err(|_| "a number out of its range".into())
    }

    accepts!(INT8);
}

struct Text(String);

impl FromSql<'_> for Text {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, BoxError> {
        Ok(Self(std::str::from_utf8(raw)?.to_owned()))
    }

    accepts!(BYTEA);
}

struct Array<const N: usize>([u8; N]);

impl<const N: usize> FromSql<'_> for Array<N> {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, BoxError> {
        Ok(Self(raw.try_into()?))
    }

    accepts!(BYTEA);
}

struct Named<W>(W);

impl<W: Word> FromSql<'_> for Named<W> {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, BoxError> {
        let named = W::named(std::str::from_utf8(raw)?);
        named
            .map(Self)
            .ok_or_else(|| "a word that this version does not know".into())
    }

    accepts!(TEXT);
}

/// Reads columns by their names.
pub(super) trait Columns {
    fn id<T: Identifier>(&self, column: &str) -> Read<T>;
    fn maybe_id<T: Identifier>(&self, column: &str) -> Read<Option<T>>;
    fn time(&self, column: &str) -> Read<Timestamp>;
    fn maybe_time(&self, column: &str) -> Read<Option<Timestamp>>;
    fn number<N: TryFrom<i64>>(&self, column: &str) -> Read<N>;
    fn maybe_number<N: TryFrom<i64>>(&self, column: &str) -> Read<Option<N>>;
    fn text(&self, column: &str) -> Read<String>;
    fn maybe_text(&self, column: &str) -> Read<Option<String>>;
    /// With marks in the place of bytes that are no text.
    fn lossy_text(&self, column: &str) -> Read<String>;
    fn array<const N: usize>(&self, column: &str) -> Read<[u8; N]>;
    fn word<W: Word>(&self, column: &str) -> Read<W>;
    fn maybe_word<W: Word>(&self, column: &str) -> Read<Option<W>>;
}

impl Columns for Row {
    fn id<T: Identifier>(&self, column: &str) -> Read<T> {
        self.try_get(column).map(|Id(id)| id)
    }

    fn maybe_id<T: Identifier>(&self, column: &str) -> Read<Option<T>> {
        self.try_get::<_, Option<Id<T>>>(column).map(|id| id.map(|id| id.0))
    }

    fn time(&self, column: &str) -> Read<Timestamp> {
        self.try_get(column).map(|Time(time)| time)
    }

    fn maybe_time(&self, column: &str) -> Read<Option<Timestamp>> {
        self.try_get::<_, Option<Time>>(column)
            .map(|time| time.map(|time| time.0))
    }

    fn number<N: TryFrom<i64>>(&self, column: &str) -> Read<N> {
        self.try_get(column).map(|Number(number)| number)
    }

    fn maybe_number<N: TryFrom<i64>>(&self, column: &str) -> Read<Option<N>> {
        self.try_get::<_, Option<Number<N>>>(column)
            .map(|number| number.map(|number| number.0))
    }

    fn text(&self, column: &str) -> Read<String> {
        self.try_get(column).map(|Text(text)| text)
    }

    fn maybe_text(&self, column: &str) -> Read<Option<String>> {
        self.try_get::<_, Option<Text>>(column)
            .map(|text| text.map(|text| text.0))
    }

    fn lossy_text(&self, column: &str) -> Read<String> {
        self.try_get::<_, &[u8]>(column)
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    fn array<const N: usize>(&self, column: &str) -> Read<[u8; N]> {
        self.try_get(column).map(|Array(bytes)| bytes)
    }

    fn word<W: Word>(&self, column: &str) -> Read<W> {
        self.try_get(column).map(|Named(word)| word)
    }

    fn maybe_word<W: Word>(&self, column: &str) -> Read<Option<W>> {
        self.try_get::<_, Option<Named<W>>>(column)
            .map(|word| word.map(|word| word.0))
    }
}

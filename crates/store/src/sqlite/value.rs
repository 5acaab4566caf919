//! How our values lie in columns.

use rusqlite::{
    ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};
use tieline::{
    Environment,
    clock::{Date, Timestamp},
    connection::SyncFrequency,
    membership::Role,
    store::{CallKind, HealthState, TestCause},
};

use crate::word::Word as _;

/// A time, as microseconds since 1970.
pub(super) struct Time(pub(super) Timestamp);

impl ToSql for Time {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.as_microsecond().into())
    }
}

impl FromSql for Time {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let time = Timestamp::from_microsecond(value.as_i64()?);
        time.map(Self).map_err(FromSqlError::other)
    }
}

/// A number that is never negative. SQLite's integers end at 2⁶³ − 1; what is above is as good as that, because nothing
/// here counts so far.
pub(super) struct Count(pub(super) u64);

impl Count {
    pub(super) fn of(length: usize) -> Self {
        Self(length as u64)
    }
}

impl ToSql for Count {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(i64::try_from(self.0).unwrap_or(i64::MAX).into())
    }
}

impl FromSql for Count {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        u64::try_from(number)
            .map(Self)
            .map_err(|_| FromSqlError::OutOfRange(number))
    }
}

/// A day, as ISO 8601 writes it.
pub(super) struct Day(pub(super) Date);

impl ToSql for Day {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.to_string().into())
    }
}

/// A kind of call, by its name.
pub(super) struct Kind(pub(super) CallKind);

impl ToSql for Kind {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.as_str().into())
    }
}

impl FromSql for Kind {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let kind = CallKind::named(value.as_str()?);
        kind.map(Self).ok_or(FromSqlError::InvalidType)
    }
}

/// A role, by its name.
pub(super) struct RoleName(pub(super) Role);

impl ToSql for RoleName {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.as_str().into())
    }
}

impl FromSql for RoleName {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Role::named(value.as_str()?).map(Self).ok_or(FromSqlError::InvalidType)
    }
}

/// A state of health, by its name.
pub(super) struct State(pub(super) HealthState);

impl ToSql for State {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.name().into())
    }
}

impl FromSql for State {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let state = HealthState::named(value.as_str()?);
        state.map(Self).ok_or(FromSqlError::InvalidType)
    }
}

/// Why a connection was tested, by its word.
pub(super) struct Cause(pub(super) TestCause);

impl ToSql for Cause {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.as_str().into())
    }
}

impl FromSql for Cause {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let cause = TestCause::named(value.as_str()?);
        cause.map(Self).ok_or(FromSqlError::InvalidType)
    }
}

/// How often records are wanted, by its word.
pub(super) struct Frequency(pub(super) SyncFrequency);

impl ToSql for Frequency {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.name().into())
    }
}

impl FromSql for Frequency {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let frequency = SyncFrequency::named(value.as_str()?);
        frequency.map(Self).ok_or(FromSqlError::InvalidType)
    }
}

/// An environment, by its word.
pub(super) struct Home(pub(super) Environment);

impl ToSql for Home {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.as_str().into())
    }
}

impl FromSql for Home {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = value.as_str()?;
        word.parse().map(Self).map_err(|_| FromSqlError::InvalidType)
    }
}

//! How our values lie in columns.

use rusqlite::{
    ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};
use tieline::{clock::Timestamp, store::HealthState};

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

/// A state of health, by its name.
pub(super) struct State(pub(super) HealthState);

const STATES: [(HealthState, &str); 4] = [
    (HealthState::Untested, "untested"),
    (HealthState::Healthy, "healthy"),
    (HealthState::Failing, "failing"),
    (HealthState::NeedsReauth, "needs_reauth"),
];

impl ToSql for State {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let name = match self.0 {
            HealthState::Untested => STATES[0].1,
            HealthState::Healthy => STATES[1].1,
            HealthState::Failing => STATES[2].1,
            HealthState::NeedsReauth => STATES[3].1,
        };
        Ok(name.into())
    }
}

impl FromSql for State {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let name = value.as_str()?;
        let known = STATES.iter().find(|(_, known)| *known == name);
        known.map(|(state, _)| Self(*state)).ok_or(FromSqlError::InvalidType)
    }
}

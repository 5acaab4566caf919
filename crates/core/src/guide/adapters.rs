//! Keeping connections in a database of one's own.
//!
//! `.store(…)` takes a whole store: `SqliteStore` or `PostgresStore` of the crate `tieline-store`, or
//! [`MemoryStore`](crate::MemoryStore). A program that has a database already keeps its connections there with `.adapter(…)`:
//! five methods over one plain record, whose secrets arrive sealed.
//!
//! | adapter | keeps |
//! |---|---|
//! | `tieline_store::SqliteAdapter::open("app.db")` | a table `connections` of a SQLite file |
//! | `tieline_store::SqliteAdapter::options("app.db").table("integrations").open()` | the same under a name of yours |
//! | `tieline_store::PostgresAdapter` | a table of a PostgreSQL database |
//! | [`MemoryAdapter`](crate::MemoryAdapter) | nothing beyond the process |
//! | yours | whatever you write: [`Adapter`](crate::store::Adapter) says what each method promises |
//!
//! # One of one's own
//!
//! A whole one, in a file, with the line that proves it:
//!
//! ```
#![doc = include_str!("../../examples/file_adapter.rs")]
//! ```
//!
//! [`testing::adapter`](crate::testing::adapter) names every rule that yours breaks. `upsert` never overwrites, `update` asks
//! for the version it was made from, and scopes are compared as two values: `a` is not `a:b`.
//!
//! With five methods connections are all that is kept: no audit log, no ledger of calls, no shared credentials.

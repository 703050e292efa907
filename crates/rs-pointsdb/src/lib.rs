//! PointsDB: the DuckDB file that holds points (formats.md, section 6).
//!
//! Apart from `rs-core` so that what needs no database links none: `cohort` and `data` start without loading it,
//! doc tests and fuzzers of `rs-core` run without it, and it compiles while `rs-core` does not wait for it.
//!
//! **Invariant:** [`connection`] alone opens database files: DuckDB loses data when one process opens a file twice.

mod append;
mod arriving;
pub mod builder;
mod columns;
pub mod conditions;
pub mod connection;
pub mod export;
pub mod queries;
pub mod samples;
pub mod schema;

pub use connection::PointsDbError;
pub use duckdb::{Connection, Error as DuckDbError};

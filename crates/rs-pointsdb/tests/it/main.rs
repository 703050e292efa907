//! Tests of a PointsDB as people meet it who open it from elsewhere: tables, comments, macros, views.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up should stop")]

mod builder;
mod database;
mod macros;
mod schema;
mod task_scores;

//! Rows that go into the tables.

use std::sync::mpsc::{Receiver, sync_channel};

use duckdb::Connection;
use duckdb::arrow::array::RecordBatch;
use duckdb::arrow::error::ArrowError;
use rs_core::point::Point;

use crate::arriving::{Arriving, BATCH_ROWS};
use crate::builder::EvalRow;
use crate::columns;
use crate::schema::POINTS;

/// Adds points while they arrive, then their evaluations.
pub(crate) fn evaluated<P: AsRef<[Point]>>(
    connection: &Connection,
    evaluated: impl Iterator<Item = (EvalRow, P)> + Send,
) -> duckdb::Result<()> {
    let (sender, receiver) = sync_channel(1);
    let rows = std::thread::scope(|scope| {
        let maker = scope.spawn(move || {
            let mut rows = Vec::new();
            for (row, points) in evaluated {
                for part in points.as_ref().chunks(BATCH_ROWS) {
                    // Who takes no more has failed, and says so.
                    if sender.send(columns::points(&row, part)).is_err() {
                        return rows;
                    }
                }
                rows.push(row);
            }
            rows
        });
        insert_points(connection, receiver)?;
        Ok::<_, duckdb::Error>(maker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })?;
    evaluations(connection, &rows)
}

fn insert_points(connection: &Connection, batches: Receiver<Result<RecordBatch, ArrowError>>) -> duckdb::Result<()> {
    match Arriving::new(POINTS, batches.into_iter()).map_err(arrow_error)? {
        Some(arriving) => connection.execute_batch(&format!("INSERT INTO points FROM {}", arriving.sql())),
        None => Ok(()),
    }
}

/// Adds evaluations and their raw files, without points.
fn evaluations(connection: &Connection, rows: &[EvalRow]) -> duckdb::Result<()> {
    let mut appender = connection.appender("evals")?;
    appender.append_record_batch(columns::evals(rows).map_err(arrow_error)?)?;
    appender.flush()?;
    let mut appender = connection.appender("raw_files")?;
    appender.append_record_batch(columns::raw_files(rows).map_err(arrow_error)?)?;
    appender.flush()
}

fn arrow_error(error: ArrowError) -> duckdb::Error {
    duckdb::Error::ToSqlConversionFailure(Box::new(error))
}

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

/// Raw files of so many evaluations go into one Arrow batch: a slice of one still copies all its lists.
const BATCH_EVALUATIONS: usize = 64;

/// Adds points while they arrive, then their evaluations. `on_failure` is called as soon as no more points are taken, which
/// may be long before the next ones arrive.
pub(crate) fn evaluated<P: AsRef<[Point]>>(
    connection: &Connection,
    evaluated: impl Iterator<Item = (EvalRow, P)> + Send,
    on_failure: impl FnOnce(),
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
        let inserted = insert_points(connection, receiver);
        if inserted.is_err() {
            on_failure();
        }
        let rows = maker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        inserted.map(|()| rows)
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
    for rows in rows.chunks(BATCH_EVALUATIONS) {
        appender.append_record_batch(columns::raw_files(rows).map_err(arrow_error)?)?;
    }
    appender.flush()
}

fn arrow_error(error: ArrowError) -> duckdb::Error {
    duckdb::Error::ToSqlConversionFailure(Box::new(error))
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::time::Duration;

    use duckdb::Row;
    use rs_core::eval_id::{EvalId, Identity};
    use rs_core::point::Attributes;
    use rs_core::statistics::Counters;

    use super::*;
    use crate::arriving;
    use crate::schema::tables_sql;

    fn row() -> EvalRow {
        let identity = Identity { model: "m".into(), template: "t".into(), sampler: "s".into() };
        EvalRow {
            eval_id: EvalId::new(&identity, None),
            identity,
            context_tokens: None,
            label: String::new(),
            hf_id: None,
            groups: Vec::new(),
            tags: Vec::new(),
            cohort: None,
            n_files: 0,
            source_bytes: 0,
            n_records: 0,
            n_duplicates: 0,
            n_errors: 0,
            n_malformed: 0,
            n_foreign: 0,
            first_timestamp: None,
            last_timestamp: None,
            fingerprint: String::new(),
            files: Vec::new(),
        }
    }

    fn point() -> Point {
        Point {
            base_task: "b".into(),
            params: "{}".into(),
            attributes: Attributes::default(),
            counters: Counters::default(),
            hard_terminated: 0,
            errors: 0,
            score_sum: None,
            prompt_tokens_mean: None,
            completion_tokens_mean: None,
            completion_tokens_correct_mean: None,
            completion_tokens_incorrect_mean: None,
            total_tokens: None,
            fft_power_mean: None,
            fft_power_std: None,
            hazard: None,
            samples: Vec::new(),
        }
    }

    fn connection() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        arriving::register(&connection).unwrap();
        connection
    }

    /// However long the next points take.
    #[test]
    fn who_makes_points_is_told_that_nobody_takes_them() {
        let (tell, told) = channel::<()>();
        let heard = &OnceLock::new();
        let rest = std::iter::from_fn(move || {
            heard.set(told.recv_timeout(Duration::from_secs(60))).ok()?;
            None
        });
        let made = std::iter::once((row(), [point()])).chain(rest);
        // There is no table.
        let error = evaluated(&connection(), made, || drop(tell)).unwrap_err();
        assert!(error.to_string().contains("points"), "{error}");
        assert_eq!(heard.get(), Some(&Err(RecvTimeoutError::Disconnected)));
    }

    #[test]
    #[should_panic(expected = "no more")]
    fn who_makes_points_and_panics_is_heard() {
        let connection = connection();
        connection.execute_batch(&tables_sql()).unwrap();
        let rest = std::iter::from_fn(|| panic!("no more"));
        let _ = evaluated(&connection, std::iter::once((row(), [point()])).chain(rest), || {});
    }

    /// Otherwise DuckDB would convert each value.
    #[test]
    fn batches_have_the_types_of_the_table() {
        let connection = connection();
        connection.execute_batch(&tables_sql()).unwrap();
        let batches = std::iter::once(columns::points(&row(), &[point()]));
        let arriving = Arriving::new(POINTS, batches).unwrap().expect("there is one");
        let columns = |table: &str| -> Vec<(String, String)> {
            let mut statement = connection.prepare(&format!("DESCRIBE FROM {table}")).unwrap();
            let column = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
            statement.query_map([], column).unwrap().collect::<duckdb::Result<_>>().unwrap()
        };
        assert_eq!(columns(&arriving.sql()), columns("points"));
    }
}

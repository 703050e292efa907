//! Rows appended to the tables, through one connection or through several side by side.

use std::sync::mpsc::sync_channel;

use duckdb::Connection;
use duckdb::arrow::array::RecordBatch;
use duckdb::arrow::error::ArrowError;
use rs_core::point::Point;

use crate::builder::EvalRow;
use crate::columns;

/// Points in one Arrow batch: DuckDB takes vectors of 2,048 rows.
const BATCH_POINTS: usize = 2048;

/// An evaluation with all or some of its points.
pub(crate) type Evaluated<'a> = (&'a EvalRow, &'a [Point]);

/// Adds points, an equal share through each connection at the same time. Every call costs DuckDB a plan for each.
pub(crate) fn points(connections: &mut [Connection], evaluations: &[Evaluated<'_>]) -> duckdb::Result<()> {
    if let [connection] = connections {
        return points_through(connection, evaluations);
    }
    let shares = shares(evaluations, connections.len());
    std::thread::scope(|scope| {
        let threads: Vec<_> = connections
            .iter_mut()
            .zip(&shares)
            .map(|(connection, share)| scope.spawn(move || points_through(connection, share)))
            .collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(appended) => appended,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}

fn points_through(connection: &Connection, evaluations: &[Evaluated<'_>]) -> duckdb::Result<()> {
    let mut appender = connection.appender("points")?;
    for_each_batch(evaluations, |batch| appender.append_record_batch(batch))?;
    appender.flush()
}

/// Adds evaluations and their raw files, without points.
pub(crate) fn evaluations(connection: &Connection, rows: &[&EvalRow]) -> duckdb::Result<()> {
    let mut appender = connection.appender("evals")?;
    appender.append_record_batch(columns::evals(rows).map_err(arrow_error)?)?;
    appender.flush()?;
    let mut appender = connection.appender("raw_files")?;
    appender.append_record_batch(columns::raw_files(rows).map_err(arrow_error)?)?;
    appender.flush()
}

/// Deals points out evenly and in their order: the first share is of the first evaluations. One may be in several.
fn shares<'a>(evaluations: &[Evaluated<'a>], n_shares: usize) -> Vec<Vec<Evaluated<'a>>> {
    let n_points: usize = evaluations.iter().map(|(_, points)| points.len()).sum();
    let mut rest = evaluations.iter().copied();
    let mut open = rest.next();
    (1..=n_shares)
        .map(|number| {
            // Rounded so that the shares add up to all points.
            let mut room = n_points * number / n_shares - n_points * (number - 1) / n_shares;
            let mut share = Vec::new();
            while let Some((row, points)) = open {
                let (taken, left) = points.split_at(room.min(points.len()));
                room -= taken.len();
                share.push((row, taken));
                if !left.is_empty() {
                    open = Some((row, left));
                    break;
                }
                open = rest.next();
            }
            share
        })
        .collect()
}

/// Makes the batches of all points, in their order, each while the one before is taken.
fn for_each_batch(
    evaluations: &[Evaluated<'_>],
    mut take: impl FnMut(RecordBatch) -> duckdb::Result<()>,
) -> duckdb::Result<()> {
    let chunks =
        || evaluations.iter().flat_map(|(row, points)| points.chunks(BATCH_POINTS).map(move |part| (*row, part)));
    let (sender, receiver) = sync_channel(1);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for (row, points) in chunks() {
                // Who takes no more has failed, and says so.
                if sender.send(columns::points(row, points)).is_err() {
                    break;
                }
            }
        });
        receiver.into_iter().try_for_each(|batch| take(batch.map_err(arrow_error)?))
    })
}

fn arrow_error(error: ArrowError) -> duckdb::Error {
    duckdb::Error::ToSqlConversionFailure(Box::new(error))
}

//! What ends a run, as the user is told of it.

use rs_cli::CommandError;
use rs_pointsdb::PointsDbError;

/// The user has stopped it.
pub(crate) fn stopped() -> CommandError {
    CommandError::environment("stopped before the end; the database is as it was")
}

/// The database cannot be read or written.
pub(crate) fn db_error(error: PointsDbError) -> CommandError {
    match error {
        PointsDbError::NoFolder { ref path } => {
            let hint = (!path.exists()).then(|| format!("mkdir -p {}", path.display()));
            CommandError::input(error).maybe_hint(hint)
        }
        PointsDbError::NotAPointsDb { .. } => {
            CommandError::input(error).hint("it is left as it is; move it away, or write elsewhere with `--db FILE`")
        }
        PointsDbError::Locked { .. } => {
            CommandError::environment(error).hint("wait until it is done, or write elsewhere with `--db FILE`")
        }
        // Below its own words DuckDB has only a number.
        PointsDbError::DuckDb { .. } => CommandError::environment(error.to_string()),
        other => CommandError::environment(other),
    }
}

//! Every table as files for other programs.

use std::path::Path;

use duckdb::Connection;

use crate::conditions::literal;
use crate::schema::TABLES;

/// Tables and views that are written.
pub fn exported() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|(name, ..)| *name).chain(["task_scores"])
}

/// Writes every table, and the view `task_scores`, into a folder: `NAME.parquet` with columns as they are, and `NAME.csv`
/// with lists and JSON as text. Rows are in a fixed order. Returns the rows of each.
///
/// # Errors
/// DuckDB refuses, for example because the disk is full.
pub fn export(connection: &Connection, folder: &Path) -> duckdb::Result<Vec<(&'static str, u64)>> {
    let mut rows = Vec::new();
    for name in exported() {
        // Older files have no `raw_files`.
        let is_there = "SELECT count(*) > 0 FROM information_schema.tables WHERE table_name = ?";
        if !connection.query_row(is_there, [name], |row| row.get::<_, bool>(0))? {
            continue;
        }
        let order = match name {
            "meta" => "key",
            "evals" => "eval_id",
            "points" => "eval_id, base_task, params",
            "raw_files" => "eval_id, file",
            _ => "eval_id, base_task",
        };
        let file = |extension: &str| literal(&folder.join(format!("{name}.{extension}")).to_string_lossy());
        connection.execute_batch(&format!(
            "COPY (SELECT * FROM {name} ORDER BY {order}) TO {} (FORMAT parquet, COMPRESSION zstd);
            COPY (SELECT * FROM {name} ORDER BY {order}) TO {} (FORMAT csv, HEADER);",
            file("parquet"),
            file("csv"),
        ))?;
        rows.push((name, connection.query_row(&format!("SELECT count(*) FROM {name}"), [], |row| row.get(0))?));
    }
    Ok(rows)
}

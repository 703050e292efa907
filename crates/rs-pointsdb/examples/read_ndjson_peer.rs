//! The peer of `cargo xtask bench`: DuckDB's own `read_ndjson` and one `GROUP BY`, through the same library.
//!
//! It does less than `evaluate` (it looks for no duplicates, keeps no samples, builds no index, reports no malformed
//! line) and nothing more, with what makes DuckDB fast: explicit columns, and only those that the query needs.
//!
//! `read_ndjson_peer --threads N --out DB (--list FILE-OF-PATHS | FILES...)`

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;

use duckdb::{Config, Connection};

/// Longest record in bytes. DuckDB's buffers are twice as large; its own default, too, is 16 MiB.
const MAX_OBJECT_BYTES: usize = 16 << 20;

/// The columns that the query needs. `params` stays text: it is a key.
const COLUMNS: &str = "{model: 'VARCHAR', template: 'VARCHAR', sampler: 'VARCHAR', base_task: 'VARCHAR', params: 'JSON', \
    correct: 'BOOLEAN', truncated: 'BOOLEAN', invalid: 'BOOLEAN', error: 'VARCHAR', guess_chance: 'DOUBLE', \
    prompt_tokens: 'INTEGER', completion_tokens: 'INTEGER', reasoning: 'VARCHAR', response: 'VARCHAR'}";

/// Counters and sums of each point, as `evaluate` has them.
const QUERY: &str = "
CREATE TABLE points AS
SELECT model, template, sampler, base_task, params,
    count(*) FILTER (NOT is_error AND NOT is_truncated AND NOT is_invalid AND correct) AS correct,
    count(*) FILTER (NOT is_error AND NOT is_truncated AND is_invalid) AS invalid,
    count(*) FILTER (NOT is_error AND NOT is_truncated) AS total,
    count(*) FILTER (NOT is_error AND is_truncated) AS truncated,
    count(*) FILTER (is_error) AS errors,
    sum(guess_chance) FILTER (NOT is_error AND NOT is_truncated) AS guess_sum,
    avg(prompt_tokens) FILTER (NOT is_error AND NOT is_truncated) AS prompt_tokens_mean,
    avg(completion_tokens) FILTER (NOT is_error AND NOT is_truncated) AS completion_tokens_mean,
    sum(coalesce(prompt_tokens, 0) + coalesce(completion_tokens, 0)) FILTER (NOT is_error) AS total_tokens,
    sum(coalesce(strlen(reasoning), 0) + coalesce(strlen(response), 0)) FILTER (NOT is_error) AS response_bytes_sum
FROM (
    SELECT *, error IS NOT NULL AS is_error, coalesce(truncated, false) AS is_truncated,
        coalesce(invalid, false) AS is_invalid
    FROM read_ndjson($FILES, columns = $COLUMNS, maximum_object_size = $MAX_OBJECT_BYTES)
)
GROUP BY ALL";

/// What was typed.
struct Arguments {
    threads: i64,
    out: PathBuf,
    files: Vec<String>,
}

impl Arguments {
    fn parse() -> Result<Self, Box<dyn Error>> {
        let (mut threads, mut out, mut files) = (1, None, Vec::new());
        let mut typed = std::env::args().skip(1);
        while let Some(argument) = typed.next() {
            let mut value = || typed.next().ok_or(format!("`{argument}` needs a value"));
            match argument.as_str() {
                "--threads" => threads = value()?.parse()?,
                "--out" => out = Some(PathBuf::from(value()?)),
                "--list" => files.extend(fs_err::read_to_string(value()?)?.lines().map(str::to_owned)),
                _ => files.push(argument),
            }
        }
        if files.is_empty() {
            return Err("no files".into());
        }
        Ok(Self { threads, out: out.ok_or("`--out DB` is missing")?, files })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse()?;
    if arguments.out.exists() {
        return Err(format!("`{}` is there already", arguments.out.display()).into());
    }
    let config = Config::default().threads(arguments.threads)?;
    let connection = Connection::open_with_flags(&arguments.out, config)?;
    let files: Vec<String> = arguments.files.iter().map(|file| format!("'{}'", file.replace('\'', "''"))).collect();
    let query = QUERY
        .replace("$FILES", &format!("[{}]", files.join(", ")))
        .replace("$COLUMNS", COLUMNS)
        .replace("$MAX_OBJECT_BYTES", &MAX_OBJECT_BYTES.to_string());
    // Nobody asks for the order of the rows.
    connection.execute_batch("SET preserve_insertion_order = false")?;
    connection.execute_batch(&query)?;
    let n_points: u64 = connection.query_row("SELECT count(*) FROM points", [], |row| row.get(0))?;
    connection.close().map_err(|(_, error)| error)?;
    writeln!(std::io::stdout(), "{n_points} points of {} files", arguments.files.len())?;
    Ok(())
}

//! Names and types, as the formats say them, and the comments that explain them.

use crate::database::{Database, texts};

const META: &str = "key VARCHAR, value VARCHAR";

const EVALS: &str = "eval_id VARCHAR, model VARCHAR, template VARCHAR, sampler VARCHAR, context INTEGER, label VARCHAR, \
    hf_id VARCHAR, groups VARCHAR[], tags VARCHAR[], facets JSON, cohort VARCHAR, n_files BIGINT, source_bytes BIGINT, \
    n_records BIGINT, n_duplicates BIGINT, n_errors BIGINT, n_malformed BIGINT, n_foreign BIGINT, \
    first_timestamp TIMESTAMP, last_timestamp TIMESTAMP, fingerprint VARCHAR";

const POINTS: &str = "eval_id VARCHAR, model VARCHAR, template VARCHAR, sampler VARCHAR, base_task VARCHAR, params JSON, \
    manifold JSON, facets JSON, groups VARCHAR[], task VARCHAR, category VARCHAR, correct INTEGER, invalid INTEGER, \
    total INTEGER, truncated INTEGER, hard_terminated INTEGER, errors INTEGER, guess_sum DOUBLE, score_sum DOUBLE, \
    adjusted_successes DOUBLE, adjusted_trials DOUBLE, adjusted_accuracy DOUBLE, adjusted_center DOUBLE, \
    adjusted_margin DOUBLE, invalid_ratio DOUBLE, truncated_ratio DOUBLE, prompt_tokens_mean DOUBLE, \
    completion_tokens_mean DOUBLE, completion_tokens_correct_mean DOUBLE, completion_tokens_incorrect_mean DOUBLE, \
    total_tokens BIGINT, sample_seed_list BIGINT[], sample_index_list BIGINT[], sample_repeat_list INTEGER[], \
    answer_status_list UTINYINT[], completion_tokens_list INTEGER[], response_bytes_list INTEGER[], \
    compressed_sizes_list INTEGER[], guess_chance_list FLOAT[], fft_power_mean FLOAT[], fft_power_std FLOAT[], \
    hazard_bin_tokens INTEGER, hazard_correct INTEGER[], hazard_incorrect INTEGER[], hazard_truncated INTEGER[], \
    sample_file_list INTEGER[], sample_line_list INTEGER[]";

const RAW_FILES: &str =
    "eval_id VARCHAR, file INTEGER, path VARCHAR, mark_line_list INTEGER[], mark_offset_list BIGINT[]";

fn database() -> Database {
    Database::new(&[("m", &[r#""base_task":"b""#])])
}

#[track_caller]
fn check_columns(table: &str, columns: &str) {
    let sql = format!(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = '{table}' ORDER BY column_index"
    );
    let found: Vec<String> = texts(&database().open(), &sql).iter().map(|row| row.join(" ")).collect();
    assert_eq!(found, columns.split(", ").collect::<Vec<_>>(), "{table}");
}

#[test]
fn columns_are_as_published() {
    check_columns("meta", META);
    check_columns("evals", EVALS);
    check_columns("points", POINTS);
    check_columns("raw_files", RAW_FILES);
}

#[test]
fn nothing_else_is_there() {
    let connection = database().open();
    let tables = texts(&connection, "SELECT table_name FROM duckdb_tables() ORDER BY 1");
    assert_eq!(tables, [["evals"], ["meta"], ["points"], ["raw_files"]]);
    let views = texts(&connection, "SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1");
    assert_eq!(views, [["task_scores"]]);
    let macros = texts(
        &connection,
        "SELECT function_name || '(' || array_to_string(parameters, ', ') || ')' FROM duckdb_functions()
            WHERE NOT internal ORDER BY 1",
    );
    assert_eq!(
        macros.concat(),
        [
            "adjusted_accuracy(correct, total, guess_sum)",
            "p_success(correct, total, truncated, guess_sum)",
            "truncated_ratio(truncated, total)",
            "wilson_center(s, n)",
            "wilson_margin(s, n)",
        ]
    );
}

#[test]
fn everything_has_a_comment() {
    let connection = database().open();
    let without = texts(
        &connection,
        "SELECT table_name || '.' || column_name FROM duckdb_columns() WHERE NOT internal AND coalesce(comment, '') = ''
        UNION ALL SELECT table_name FROM duckdb_tables() WHERE coalesce(comment, '') = ''
        UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal AND coalesce(comment, '') = ''
        UNION ALL SELECT function_name FROM duckdb_functions() WHERE NOT internal AND coalesce(comment, '') = ''",
    );
    assert_eq!(without.concat(), Vec::<String>::new());
}

#[test]
fn keys_are_unique_and_indexed() {
    let indexes = texts(
        &database().open(),
        "SELECT table_name, expressions, is_unique FROM duckdb_indexes() ORDER BY table_name",
    );
    assert_eq!(
        indexes,
        [
            ["evals", "[eval_id]", "true"],
            ["points", "[params, base_task, eval_id]", "true"],
            ["raw_files", "[eval_id, file]", "true"],
        ]
    );
}

/// What an evaluation without a context, a Hugging Face id or dates has there is NULL, and its facets are an object.
#[test]
fn a_row_of_evals() {
    let row = texts(
        &database().open(),
        "SELECT context, label, hf_id, \"groups\", tags, facets, facets ->> 'arch', cohort, n_files, source_bytes,
            n_records, n_duplicates, n_errors, n_malformed, n_foreign, first_timestamp, last_timestamp, fingerprint
            FROM evals",
    );
    assert_eq!(
        row.concat().join("|"),
        "NULL|It's m|NULL|['arch:moe', plain]|[]|{\"arch\":\"moe\"}|moe|NULL|1|2|3|4|5|6|7|1970-01-01 00:00:00|NULL|f"
    );
}

//! Tables, columns, macros and views of a PointsDB, with the comments that say what they are.

use std::fmt::Write;

/// Version of the schema below: a reader of one version reads every file of it.
pub const SCHEMA_VERSION: u32 = 1;

/// Counts what has been added to that version: rows of a file that lacks it are made anew where their raw data is here.
/// 1: where samples are (`raw_files`, `sample_file_list`, `sample_line_list`).
pub const SCHEMA_ADDITIONS: u32 = 1;

/// A column: name, DuckDB type, comment.
pub type Column = (&'static str, &'static str, &'static str);

/// Columns of `meta`.
pub const META: &[Column] = &[
    (
        "key",
        "VARCHAR",
        "What is told: schema_version, tool_version, dataset, config, compressor, tokenizers, created_at, statistics",
    ),
    ("value", "VARCHAR", "Its value as text"),
];

/// Columns of `evals`.
pub const EVALS: &[Column] = &[
    ("eval_id", "VARCHAR", "First 6 hex digits of BLAKE3 of model+template+sampler[+ctx<N>]"),
    ("model", "VARCHAR", "Model of the identity"),
    ("template", "VARCHAR", "Prompt template of the identity"),
    ("sampler", "VARCHAR", "Sampler of the identity"),
    ("context", "INTEGER", "Context in tokens: more completion tokens count as truncated; NULL if none is set"),
    ("label", "VARCHAR", "Name for people"),
    ("hf_id", "VARCHAR", "Hugging Face id of the model"),
    ("groups", "VARCHAR[]", "Groups as key:value"),
    ("tags", "VARCHAR[]", "Free marks"),
    ("facets", "JSON", "The groups as an object: [\"arch:moe\"] is {\"arch\":\"moe\"}"),
    ("cohort", "VARCHAR", "The cohort's folder, relative to the dataset file's; NULL for loose files"),
    ("n_files", "BIGINT", "Raw files that its glob matches"),
    ("source_bytes", "BIGINT", "Stored bytes of these files"),
    ("n_records", "BIGINT", "Well-formed records of this evaluation, duplicates and errors included"),
    ("n_duplicates", "BIGINT", "Records that lost to a later one of the same sample"),
    ("n_errors", "BIGINT", "Samples whose request failed: no trials"),
    ("n_malformed", "BIGINT", "Lines (or unreadable files) in its files that are no record"),
    ("n_foreign", "BIGINT", "Records of other identities in its files"),
    ("first_timestamp", "TIMESTAMP", "Earliest record (UTC)"),
    ("last_timestamp", "TIMESTAMP", "Latest record (UTC)"),
    (
        "fingerprint",
        "VARCHAR",
        "BLAKE3 of all that its rows depend on: entry, context, schema, and name, size and time of each raw file",
    ),
];

/// Columns of `points`.
pub const POINTS: &[Column] = &[
    ("eval_id", "VARCHAR", "The evaluation"),
    ("model", "VARCHAR", "Model of the identity"),
    ("template", "VARCHAR", "Prompt template of the identity"),
    ("sampler", "VARCHAR", "Sampler of the identity"),
    ("base_task", "VARCHAR", "The task that made the questions"),
    ("params", "JSON", "The point's coordinates: canonical JSON, keys sorted, no blanks, no count"),
    ("manifold", "JSON", "Named grid entry that made the point, of the first sample"),
    ("facets", "JSON", "The evaluation's groups as an object"),
    ("groups", "VARCHAR[]", "The evaluation's groups"),
    ("task", "VARCHAR", "Step name of the first sample"),
    ("category", "VARCHAR", "Free class of the first sample"),
    ("correct", "INTEGER", "Trials answered right"),
    ("invalid", "INTEGER", "Answered trials without a readable answer"),
    ("total", "INTEGER", "Answered trials: truncated ones and errors excluded"),
    ("truncated", "INTEGER", "Trials lost to the token or context limit"),
    ("hard_terminated", "INTEGER", "Samples stopped from outside, errors excluded"),
    ("errors", "INTEGER", "Samples whose request failed: no trials"),
    ("guess_sum", "DOUBLE", "Sum of the chances of a blind guess over the answered trials"),
    ("score_sum", "DOUBLE", "Sum of partial credit over the answered trials that carry it; NULL if none does"),
    ("adjusted_successes", "DOUBLE", "S = correct - guess_sum; NULL for N <= 0"),
    ("adjusted_trials", "DOUBLE", "N = total - guess_sum; NULL for N <= 0"),
    ("adjusted_accuracy", "DOUBLE", "S / N: 0 at chance, negative below; NULL for N <= 0"),
    ("adjusted_center", "DOUBLE", "Centre of the Wilson interval of (S, N) at 95 %; repetitions not accounted for"),
    ("adjusted_margin", "DOUBLE", "Half-width of that interval"),
    ("invalid_ratio", "DOUBLE", "invalid / total; NULL for total = 0"),
    ("truncated_ratio", "DOUBLE", "truncated / (total + truncated); NULL if both are 0"),
    ("prompt_tokens_mean", "DOUBLE", "Mean tokens of the prompt over answered trials"),
    ("completion_tokens_mean", "DOUBLE", "Mean completion tokens over answered trials"),
    ("completion_tokens_correct_mean", "DOUBLE", "The same over correct trials"),
    ("completion_tokens_incorrect_mean", "DOUBLE", "The same over incorrect and invalid trials"),
    ("total_tokens", "BIGINT", "Prompt and completion tokens of all samples but errors; NULL if none tells any"),
    (
        "sample_seed_list",
        "BIGINT[]",
        "Seed of each sample; the lists are parallel, sorted by (seed, index, repeat), errors left out",
    ),
    ("sample_index_list", "BIGINT[]", "Index of each sample at its coordinate"),
    ("sample_repeat_list", "INTEGER[]", "Repetition of each sample"),
    ("answer_status_list", "UTINYINT[]", "0 correct, 1 incorrect, 2 truncated, 3 invalid"),
    ("completion_tokens_list", "INTEGER[]", "Completion tokens of each sample"),
    ("response_bytes_list", "INTEGER[]", "Bytes of each trace: reasoning followed by response, decoded UTF-8"),
    ("compressed_sizes_list", "INTEGER[]", "Bytes of each trace compressed; NULL where not computed"),
    ("guess_chance_list", "FLOAT[]", "Chance of a blind guess of each sample"),
    (
        "fft_power_mean",
        "FLOAT[]",
        "Mean spectrum of the prompts' token ids, 128 bins of 0..0.5; NULL where not computed",
    ),
    ("fft_power_std", "FLOAT[]", "Standard deviation of that spectrum"),
    (
        "hazard_bin_tokens",
        "INTEGER",
        "Width of a hazard bin in completion tokens; the last of 4,096 bins holds what lies beyond",
    ),
    ("hazard_correct", "INTEGER[]", "Right answers per bin of completion tokens"),
    ("hazard_incorrect", "INTEGER[]", "Wrong and invalid answers per bin"),
    ("hazard_truncated", "INTEGER[]", "Truncations per bin: censored"),
    ("sample_file_list", "INTEGER[]", "Raw file that holds each sample: raw_files.file of the evaluation"),
    ("sample_line_list", "INTEGER[]", "Line of each sample in its raw file, from 1; NULL behind a damaged place"),
];

/// Columns of `raw_files`.
pub const RAW_FILES: &[Column] = &[
    ("eval_id", "VARCHAR", "The evaluation"),
    (
        "file",
        "INTEGER",
        "What points.sample_file_list calls it: its position, from 0, among all files of the evaluation",
    ),
    (
        "path",
        "VARCHAR",
        "Its path without a compression suffix, relative to the cohort's folder; as typed for loose files",
    ),
    ("mark_line_list", "INTEGER[]", "Lines, from 1: the first that begins in each 256 KiB of the decoded file"),
    ("mark_offset_list", "BIGINT[]", "Where these lines begin in the decoded file, in bytes"),
];

/// The tables: name, comment, columns.
pub const TABLES: &[(&str, &str, &[Column])] = &[
    ("meta", "What made this file", META),
    ("evals", "One row for each evaluation", EVALS),
    ("points", "One row for each evaluation, task and coordinate", POINTS),
    ("raw_files", "One row for each evaluation and raw file with samples of it: where to look for them", RAW_FILES),
];

/// Scalar macros that make any grouping safe: sum the counters first, then apply them. They compute in DOUBLE, whatever
/// is put in: decimals overflow. `greatest` and `least` pass over NULL, which must not become a number.
const MACROS: &str = "
CREATE MACRO wilson_center(s, n) AS CASE WHEN s IS NOT NULL AND n > 0 THEN
    (least(greatest(s::DOUBLE, 0), n::DOUBLE) / n::DOUBLE + 1.959963984540054 ** 2 / (2 * n::DOUBLE))
        / (1 + 1.959963984540054 ** 2 / n::DOUBLE) END;
CREATE MACRO wilson_margin(s, n) AS CASE WHEN s IS NOT NULL AND n > 0 THEN
    1.959963984540054 * sqrt(least(greatest(s::DOUBLE, 0), n::DOUBLE) / n::DOUBLE
        * (1 - least(greatest(s::DOUBLE, 0), n::DOUBLE) / n::DOUBLE) / n::DOUBLE
        + 1.959963984540054 ** 2 / (4 * n::DOUBLE * n::DOUBLE)) / (1 + 1.959963984540054 ** 2 / n::DOUBLE) END;
CREATE MACRO adjusted_accuracy(correct, total, guess_sum) AS CASE WHEN total::DOUBLE - guess_sum > 0 THEN
    (correct::DOUBLE - guess_sum) / (total::DOUBLE - guess_sum) END;
CREATE MACRO truncated_ratio(truncated, total) AS CASE WHEN truncated::DOUBLE + total > 0 THEN
    truncated::DOUBLE / (truncated::DOUBLE + total) END;
CREATE MACRO p_success(correct, total, truncated, guess_sum) AS CASE WHEN total::DOUBLE + truncated - guess_sum > 0 THEN
    (correct::DOUBLE - guess_sum) / (total::DOUBLE + truncated - guess_sum) END;
COMMENT ON MACRO wilson_center IS 'Centre of the Wilson interval at 95 % of s successes in n trials; NULL for n <= 0';
COMMENT ON MACRO wilson_margin IS 'Half-width of the Wilson interval at 95 % of s successes in n trials; NULL for n <= 0';
COMMENT ON MACRO adjusted_accuracy IS '(correct - guess_sum) / (total - guess_sum); NULL where the denominator is not positive';
COMMENT ON MACRO truncated_ratio IS 'truncated / (truncated + total); NULL if both are 0';
COMMENT ON MACRO p_success IS '(correct - guess_sum) / (total + truncated - guess_sum): a truncation is a lost trial';
";

/// Statistics per evaluation and task.
const VIEWS: &str = "
CREATE VIEW task_scores AS
SELECT n.eval_id, n.base_task, n.n_points, n.correct, n.invalid, n.total, n.truncated, n.errors, n.guess_sum,
    adjusted_accuracy(n.correct, n.total, n.guess_sum) AS adjusted_accuracy,
    wilson_center(n.correct - n.guess_sum, n.total - n.guess_sum) AS adjusted_center,
    wilson_margin(n.correct - n.guess_sum, n.total - n.guess_sum) AS adjusted_margin,
    p_success(n.correct, n.total, n.truncated, n.guess_sum) AS p_success,
    truncated_ratio(n.truncated, n.total) AS truncated_ratio,
    n.total_tokens
FROM (SELECT eval_id, base_task, count(*) AS n_points, sum(correct)::BIGINT AS correct,
    sum(invalid)::BIGINT AS invalid, sum(total)::BIGINT AS total, sum(truncated)::BIGINT AS truncated,
    sum(errors)::BIGINT AS errors, sum(guess_sum) AS guess_sum, sum(total_tokens)::BIGINT AS total_tokens
    FROM points GROUP BY ALL) n;
COMMENT ON VIEW task_scores IS 'Chance-corrected accuracy, its interval and truncation per evaluation and task, from summed counters';
";

/// Columns of `task_scores` with their comments.
const TASK_SCORES: &[(&str, &str)] = &[
    ("eval_id", "The evaluation"),
    ("base_task", "The task"),
    ("n_points", "Points of the task"),
    ("correct", "Trials answered right"),
    ("invalid", "Answered trials without a readable answer"),
    ("total", "Answered trials"),
    ("truncated", "Trials lost to the token or context limit"),
    ("errors", "Samples whose request failed: no trials"),
    ("guess_sum", "Sum of the chances of a blind guess over the answered trials"),
    ("adjusted_accuracy", "(correct - guess_sum) / (total - guess_sum); NULL where the denominator is not positive"),
    ("adjusted_center", "Centre of the Wilson interval of the adjusted accuracy at 95 %"),
    ("adjusted_margin", "Half-width of that interval"),
    ("p_success", "(correct - guess_sum) / (total + truncated - guess_sum): a truncation is a lost trial"),
    ("truncated_ratio", "truncated / (truncated + total); NULL if both are 0"),
    ("total_tokens", "Prompt and completion tokens of all samples but errors"),
];

/// SQL that makes tables, macros and views, all commented, without indexes.
#[must_use]
pub(crate) fn tables_sql() -> String {
    let mut sql = String::new();
    for (table, comment, columns) in TABLES {
        let list: Vec<String> = columns.iter().map(|(name, kind, _)| format!("{} {kind}", quoted_name(name))).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(sql, "CREATE TABLE {table} ({});", list.join(", "));
        let _ = writeln!(sql, "COMMENT ON TABLE {table} IS '{}';", comment.replace('\'', "''"));
        for (name, _, comment) in *columns {
            let _ =
                writeln!(sql, "COMMENT ON COLUMN {table}.{} IS '{}';", quoted_name(name), comment.replace('\'', "''"));
        }
    }
    sql.push_str(MACROS);
    sql.push_str(VIEWS);
    for (name, comment) in TASK_SCORES {
        let _ = writeln!(sql, "COMMENT ON COLUMN task_scores.{} IS '{comment}';", quoted_name(name));
    }
    sql
}

/// SQL that makes the indexes: of filled tables, because keys that come one by one take longer.
pub(crate) const INDEXES: &str = "CREATE UNIQUE INDEX evals_key ON evals (eval_id);
CREATE UNIQUE INDEX points_key ON points (params, base_task, eval_id);
CREATE UNIQUE INDEX raw_files_key ON raw_files (eval_id, file);";

/// `groups` is a word of SQL, so names are quoted.
#[must_use]
pub(crate) fn quoted_name(name: &str) -> String {
    format!("\"{name}\"")
}

//! `analyze export`: whole folders, and none that is somebody else's.

use std::path::{Path, PathBuf};
use std::process::Command;

use rs_pointsdb::connection::{Limits, open_to_read};

use crate::project::Project;
use crate::trials::{Trial, project};

const DATASET: &str = "data/d.json";

fn files(project: &Project, folder: &str) -> Vec<String> {
    let items = fs_err::read_dir(project.path(folder)).unwrap();
    let mut names: Vec<String> = items.map(|item| item.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_table_twice() {
    let project = project(&[("a", "A")], &[Trial::default()]);
    for _ in 0..2 {
        let run = project.analyze(&["export", DATASET, "--output", "out"]);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run}");
        let expected = ["evals", "meta", "points", "raw_files", "task_scores"]
            .map(|name| [format!("{name}.csv"), format!("{name}.parquet")]);
        assert_eq!(files(&project, "out"), expected.concat());
    }
    let points = fs_err::read_to_string(project.path("out/points.csv")).unwrap();
    assert!(points.starts_with("eval_id,model,template,sampler,base_task,params,") && points.lines().count() == 2);
    assert_eq!(&fs_err::read(project.path("out/points.parquet")).unwrap()[..4], b"PAR1");
    assert_eq!(files(&project, ""), ["data", "out"], "nothing is left beside it");
}

/// Other programs find in the files what is in the tables: all of it in Parquet, with its types; the same rows in CSV.
#[test]
fn files_hold_what_the_tables_hold() {
    let project = project(&[("a", "A"), ("b", "B")], &[Trial::default()]);
    let run = project.analyze(&["export", DATASET, "--output", "out"]);
    assert_eq!(run.code, Some(0), "{run}");
    let connection = open_to_read(&project.path("data/d.db"), Limits { threads: 1 }).unwrap();
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u64>(0)).unwrap();
    for table in ["evals", "meta", "points", "raw_files", "task_scores"] {
        let file = |extension: &str| project.path(&format!("out/{table}.{extension}")).display().to_string();
        let (parquet, csv) = (file("parquet"), file("csv"));
        let n_rows = number(&format!("SELECT count(*) FROM {table}"));
        assert!(n_rows > 0, "{table}");
        assert_eq!(number(&format!("SELECT count(*) FROM read_parquet('{parquet}')")), n_rows, "{table}");
        let differing = |a: &str, b: &str| {
            number(&format!("SELECT count(*) FROM (SELECT * FROM {a} EXCEPT ALL SELECT * FROM {b})"))
        };
        let parquet = format!("read_parquet('{parquet}')");
        assert_eq!((differing(table, &parquet), differing(&parquet, table)), (0, 0), "{table}");
        // Lists are text there, and an empty text is NULL: as text, they are the same.
        let texts = |from: &str| format!("(SELECT nullif(COLUMNS(*)::VARCHAR, '') FROM {from})");
        let csv = texts(&format!("read_csv('{csv}', header = true, all_varchar = true)"));
        assert_eq!((differing(&texts(table), &csv), differing(&csv, &texts(table))), (0, 0), "{table}");
    }
}

/// Where `cargo xtask ci` puts a Python with DuckDB and pandas. Not everybody has it; CI must.
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "whether this is CI; why nothing was tested")]
fn python() -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/python/bin/python");
    if program.is_file() {
        return Some(program);
    }
    assert!(std::env::var_os("CI").is_none(), "CI is set, and there is no Python with DuckDB: `cargo xtask python`");
    eprintln!("nothing is tested: there is no Python with DuckDB; `cargo xtask python` installs it");
    None
}

/// As people open it: DuckDB's package for Python and pandas, on the database and on what was exported.
const PEOPLE: &str = r#"
import duckdb, pandas
database = duckdb.connect("data/d.db", read_only=True)
points = database.sql("FROM points ORDER BY eval_id").df()
parquet = pandas.read_parquet("out/points.parquet").sort_values("eval_id", ignore_index=True)
csv = pandas.read_csv("out/points.csv").sort_values("eval_id", ignore_index=True)
assert list(points.columns) == list(parquet.columns) == list(csv.columns), csv.columns
for column in ["eval_id", "params", "correct", "total", "adjusted_center"]:
    assert list(points[column]) == list(parquet[column]) == list(csv[column]), column
assert [list(statuses) for statuses in parquet["answer_status_list"]] == [list(s) for s in points["answer_status_list"]]
accuracy = database.sql("SELECT adjusted_accuracy(sum(correct), sum(total), sum(guess_sum)) FROM points").fetchall()[0][0]
comment = database.sql("SELECT comment FROM duckdb_columns() WHERE table_name = 'points' AND column_name = 'guess_sum'")
assert "guess" in comment.fetchall()[0][0]
print(len(points), accuracy)
"#;

#[test]
fn people_open_it_in_python() {
    let Some(python) = python() else { return };
    let project = project(&[("a", "A"), ("b", "B")], &[Trial::default()]);
    let run = project.analyze(&["export", DATASET, "--output", "out"]);
    assert_eq!(run.code, Some(0), "{run}");
    let output = Command::new(python).args(["-c", PEOPLE]).current_dir(project.path("")).output().unwrap();
    let texts = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert_eq!(texts, ["1 1.0\n".to_owned(), String::new()]);
}

#[test]
fn what_is_somebody_elses_stays() {
    let project = project(&[("a", "A")], &[Trial::default()]);
    project.write("mine/thesis.csv", "1");
    project.write("file", "1");
    for (place, why) in [
        ("mine", "`mine` holds `thesis.csv`, which no export wrote"),
        ("file", "`file` is a file"),
        ("no/such", "no folder `no` to make `no/such` in"),
        ("..", "cannot be replaced"),
    ] {
        let run = project.analyze(&["export", DATASET, "--output", place]);
        assert!(run.code == Some(2) && run.stderr.contains(why), "{run}");
    }
    assert_eq!(files(&project, "mine"), ["thesis.csv"]);
}

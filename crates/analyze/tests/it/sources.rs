//! DATASET: what can be named, and what is said of what cannot.

use rs_pointsdb::Connection;

use crate::evals::Evals;
use crate::project::{Project, Run, record};

#[test]
fn a_dataset_and_its_database_are_the_same() {
    let project = Project::shared();
    for arguments in [&["evals"][..], &["modelinfo", "--eval-id", "f2c9cf"]] {
        let of = |dataset: &str| project.analyze(&[arguments, &[dataset, "--format", "csv", "-q"]].concat()).stdout;
        let (of_dataset, of_db) = (of("data/r12.json"), of("data/pointsdb-r12.db"));
        // The database knows its cohorts from its own folder on.
        assert_eq!(of_dataset.replace("cohort,data/", "cohort,"), of_db);
    }
}

#[test]
fn whatever_folder_one_is_in() {
    let project = Project::shared();
    for (folder, dataset) in
        [("data", "r12.json"), ("data/r12/Qwen3-32B", "../../r12.json"), ("configs", "../data/r12.json")]
    {
        let mut command = project.command(&["modelinfo", dataset, "--eval-id", "44fa2d", "--format", "json"]);
        let run = Run::of(command.current_dir(project.path(folder)));
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run}");
        let cohort = dataset.replace("r12.json", "r12/Qwen3-32B");
        assert!(run.stdout.contains(&format!("\"cohort\": \"{cohort}\"")), "{run}");
        assert!(
            run.stdout.contains("\"run\": \"2026-01-14_09-30-00_r12-a_Qwen3-32B-fp16_think_t0.6-p0.95-16k\""),
            "{run}"
        );
    }
}

#[test]
fn a_dataset_that_is_not_there() {
    let project = Project::shared();
    insta::assert_snapshot!(project.analyze(&["evals", "data/r13.json"]), @"
    exit code 2
    ----- stderr
    error: no dataset at `data/r13.json`
    hint: there are `data/r12.json`
    ");
    insta::assert_snapshot!(project.analyze(&["tasks", "data"]), @"
    exit code 2
    ----- stderr
    error: `data` is a folder; expected a dataset file or a database
    hint: there are `data/r12-leaderboard.json`, `data/r12.json`
    ");
    insta::assert_snapshot!(project.analyze(&["tasks", "configs"]), @"
    exit code 2
    ----- stderr
    error: `configs` is a folder; expected a dataset file or a database
    ");
    insta::assert_snapshot!(project.analyze(&["tasks", "data/r12/Qwen3-32B/evals.json"]), @"
    exit code 2
    ----- stderr
    error: `data/r12/Qwen3-32B/evals.json` is a cohort; expected a dataset file or a database
    hint: `cohort info data/r12/Qwen3-32B/evals.json` tells what is in it
    ");
    insta::assert_snapshot!(project.analyze(&["tasks", "configs/r12.yaml"]), @"
    exit code 2
    ----- stderr
    error: configs/r12.yaml:1:1: expected value
    ");
}

#[test]
fn a_database_that_is_not_there() {
    let project = Project::shared();
    insta::assert_snapshot!(project.analyze(&["evals", "data/r12-leaderboard.json"]), @"
    exit code 2
    ----- stderr
    error: no PointsDB at `data/pointsdb-r12-leaderboard.db`
    hint: evaluate --dataset data/r12-leaderboard.json
    ");
    insta::assert_snapshot!(project.analyze(&["evals", "data/pointsdb-r13.db"]), @"
    exit code 2
    ----- stderr
    error: no PointsDB at `data/pointsdb-r13.db`
    hint: did you mean `data/pointsdb-r12.db`?
    ");
    insta::assert_snapshot!(project.analyze(&["evals", "elsewhere/zzz.duckdb"]), @"
    exit code 2
    ----- stderr
    error: no PointsDB at `elsewhere/zzz.duckdb`
    ");
}

#[test]
fn files_that_are_no_database() {
    let project = Project::with_records(&record("b", "{}", ""));
    project.write("data/d.db", "no database at all");
    insta::assert_snapshot!(project.analyze(&["evals", "data/d.json"]), @"
    exit code 2
    ----- stderr
    error: `data/d.db` is not a PointsDB: it is no DuckDB file
    ");
    insta::assert_snapshot!(project.analyze(&["evals", "data/d.db"]), @"
    exit code 2
    ----- stderr
    error: `data/d.db` is not a PointsDB: it is no DuckDB file
    ");
    project.write("data/d.db", "");
    insta::assert_snapshot!(project.analyze(&["evals", "data/d.db"]), @"
    exit code 2
    ----- stderr
    error: `data/d.db` is not a PointsDB: it is no DuckDB file
    ");
    // A database, but not one of ours.
    fs_err::remove_file(project.path("data/d.db")).unwrap();
    Connection::open(project.path("data/d.db")).unwrap().execute_batch("CREATE TABLE points (x INTEGER)").unwrap();
    insta::assert_snapshot!(project.analyze(&["evals", "data/d.db"]), @"
    exit code 2
    ----- stderr
    error: `data/d.db` is not a PointsDB: it has no `schema_version` in `meta`
    ");
}

#[test]
fn a_database_of_another_schema_version() {
    let project = Project::with_records(&record("b", "{}", ""));
    let sql = "UPDATE meta SET value = '2' WHERE key = 'schema_version'";
    Connection::open(project.path("data/d.db")).unwrap().execute_batch(sql).unwrap();
    insta::assert_snapshot!(project.analyze(&["evals", "data/d.json"]), @"
    exit code 2
    ----- stderr
    error: `data/d.db` has schema version 2; this program reads version 1
    hint: evaluate --dataset data/d.json
    ");
    insta::assert_snapshot!(project.analyze(&["evals", "data/d.db"]), @"
    exit code 2
    ----- stderr
    error: `data/d.db` has schema version 2; this program reads version 1
    ");
}

#[test]
fn a_database_that_somebody_writes() {
    let project = Project::with_records(&record("b", "{}", ""));
    let writer = Connection::open(project.path("data/d.db")).unwrap();
    let mut run = project.analyze(&["evals", "data/d.json"]);
    run.stderr = run.stderr.replace(&format!("pid {}", std::process::id()), "pid [PID]");
    insta::assert_snapshot!(run, @"
    exit code 3
    ----- stderr
    error: `data/d.db` is locked by another process (pid [PID])
    hint: try again once it is done
    ");
    drop(writer);
    let found: Evals = project.document(&["evals", "data/d.json"]);
    assert_eq!(found.points(), 1);
}

#[test]
fn unknown_keys_are_told_and_ignored() {
    let project = Project::with_records(&record("b", "{}", ""));
    project.write("data/d.json", r#"{"name": "d", "db": "d.db", "databse": 1, "cohorts": [{"path": "set/M"}]}"#);
    insta::assert_snapshot!(project.analyze(&["evals", "data/d.json"]), @"
    exit code 0
    ----- stdout
    eval_id  label  model  template  sampler  groups  tags  points  samples  truncated  mean tokens
    34c4dc   L      m      t         s                           1        1      0.0 %
    ----- stderr
    warning: data/d.json: unknown key `databse` is ignored
    ");
}

#[test]
fn an_evaluation_without_points_is_shown() {
    let project = Project::with_records(&record("b", "{}", "").replace("\"m\"", "\"other\""));
    insta::assert_snapshot!(project.analyze(&["evals", "data/d.json"]), @"
    exit code 0
    ----- stdout
    eval_id  label  model  template  sampler  groups  tags  points  samples  truncated  mean tokens
    34c4dc   L      m      t         s                           0        0
    ");
    insta::assert_snapshot!(project.analyze(&["tasks", "data/d.json"]), @"
    exit code 0
    ----- stdout
    base_task  label  points  samples  truncated  params  views
    ----- stderr
    note: there are no points
    ");
}

#[test]
fn what_is_undefined_is_empty() {
    // One point of truncated samples only, one of errors only, one that tells no tokens.
    let records = record("cut", "{}", ",\"truncated\":true,\"completion_tokens\":9")
        + &record("error", "{}", ",\"error\":\"timeout\"")
        + &record("silent", "{}", "");
    let project = Project::with_records(&records);
    let check = |task: &str, line: &str| {
        let run =
            project.analyze(&["evals", "data/d.json", "--format", "csv", "--where", &format!("base_task={task}")]);
        assert_eq!(run.stdout.lines().nth(1), Some(line), "{task}");
    };
    // Points, samples, truncated, mean tokens.
    check("cut", "34c4dc,L,m,t,s,,,1,1,1,");
    check("error", "34c4dc,L,m,t,s,,,1,0,,");
    check("silent", "34c4dc,L,m,t,s,,,1,1,0,");
}

//! Pushed, deleted, pulled, evaluated: the same points as before.

use clap::Parser;
use rs_cli::{Exit, Program, Screen, Ui};
use rs_pointsdb::connection::{Limits, open_to_read};

use crate::project::Project;

/// Runs `evaluate` in this process: the program belongs to another package.
#[track_caller]
fn evaluate(project: &Project) {
    let dataset = project.path("data/r12.json");
    let arguments = evaluate::Arguments::parse_from(["evaluate", "--dataset", dataset.to_str().unwrap()]);
    let sink = || Box::new(std::io::sink());
    let mut ui = Ui::new(sink(), sink(), Screen::default(), arguments.common());
    assert_eq!(arguments.run(&mut ui).map_err(|error| error.to_string()), Ok(Exit::Done));
}

/// Every row of the tables, less what depends on files' times.
fn rows(project: &Project) -> Vec<String> {
    let connection = open_to_read(&project.path("data/pointsdb-r12.db"), Limits { threads: 1 }).unwrap();
    let mut rows = Vec::new();
    for sql in [
        "SELECT points::VARCHAR FROM points ORDER BY eval_id, base_task, params::VARCHAR",
        "SELECT t::VARCHAR FROM (SELECT * EXCLUDE (fingerprint) FROM evals) t ORDER BY eval_id",
    ] {
        let mut statement = connection.prepare(sql).unwrap();
        let found = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.extend(found.map(Result::unwrap));
    }
    rows
}

/// Pushes all cohorts, deletes what git does not track, pulls, and evaluates: the rows before and after.
#[track_caller]
fn check_same_points_once_pulled(flags: &[&str]) -> Project {
    let (project, expected) = Project::with_fixtures();
    evaluate(&project);
    let before = rows(&project);
    assert!(before.len() > 700, "{}", before.len());
    project.data(&["remote", "add", "origin", "../remote"]).succeeds();
    let cohorts: Vec<&str> = expected.cohorts.iter().map(|cohort| cohort.path.as_str()).collect();
    project.data(&[&["push", "cohort"], &cohorts[..]].concat()).succeeds();
    project.remove_untracked();
    project.data(&[&["pull", "cohort"], flags, &cohorts[..]].concat()).succeeds();
    evaluate(&project);
    let after = rows(&project);
    assert_eq!(after.len(), before.len());
    for (after, before) in after.iter().zip(&before) {
        assert_eq!(after, before);
    }
    project
}

#[test]
fn pulled_raw_data_gives_the_same_points() {
    check_same_points_once_pulled(&[]);
}

#[test]
fn raw_data_that_stays_in_its_blobs_gives_the_same_points() {
    let project = check_same_points_once_pulled(&["--no-extract"]);
    let cohort = project.path("data/r12/Qwen3-32B");
    let inside: Vec<_> = fs_err::read_dir(cohort).unwrap().map(|item| item.unwrap().file_name()).collect();
    assert_eq!(inside, ["evals.json"], "nothing was unpacked");
}

#[test]
fn a_pulled_database_is_the_same_file() {
    let (project, _) = Project::with_fixtures();
    evaluate(&project);
    let (file, before) = (fs_err::read(project.path("data/pointsdb-r12.db")).unwrap(), rows(&project));
    project.data(&["remote", "add", "origin", "../remote"]).succeeds();
    project.data(&["push", "dataset", "data/r12.json"]).succeeds();
    project.remove_untracked();
    project.data(&["pull", "dataset", "data/r12.json"]).succeeds();
    assert!(fs_err::read(project.path("data/pointsdb-r12.db")).unwrap() == file);
    assert_eq!(rows(&project), before);
}

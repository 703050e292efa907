//! `analyze export`: whole folders, and none that is somebody else's.

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

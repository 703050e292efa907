//! Real data of five models: as it should be already, so maintenance changes nothing.

use rs_core::cohort::find_cohorts;
use serde_json::Value;

use crate::points::{check_same_points, collected};
use crate::project::{Project, copy_folder, real_data};

#[test]
fn maintenance_keeps_every_point() {
    let Some(source) = real_data() else { return };
    let project = Project::empty();
    copy_folder(&source.join("data"), &project.path("data"));
    let mut n_files = 0;
    for folder in find_cohorts(&project.path("data")).unwrap() {
        let cohort = folder.strip_prefix(project.path("")).unwrap().to_str().unwrap();
        let before = collected(&project, cohort);
        let run = project.cohort(&["postprocess", cohort, "--dedupe", "--compress", "--format", "json", "-q"]);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run}");
        let document: Value = run.document();
        assert_eq!((&document["steps"][0]["changed"], &document["problems"]), (&0.into(), &Value::Array(vec![])));
        n_files += document["steps"][1]["files"].as_u64().unwrap();
        check_same_points(&collected(&project, cohort), &before);
        assert!(before.iter().all(|evaluation| evaluation.n_duplicates == 0));
    }
    assert_eq!(n_files, 1003);
}

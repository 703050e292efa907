//! Real data of five models: as it should be already, so maintenance changes nothing.

use std::path::{Path, PathBuf};

use rs_core::cohort::find_cohorts;
use serde_json::Value;

use crate::points::{check_same_points, collected};
use crate::project::Project;

/// Where the real data lies, beside the checkout. Not everybody has it; CI must.
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "whether this is CI; why nothing was tested")]
fn source() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/real");
    if folder.join("expected.json").is_file() {
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none(), "CI is set, and the real data is not at {}", folder.display());
    eprintln!("nothing is tested: the real data is not at {}", folder.display());
    None
}

fn copy_folder(from: &Path, to: &Path) {
    fs_err::create_dir_all(to).unwrap();
    for item in fs_err::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy_folder(&item.path(), &target);
        } else {
            fs_err::copy(item.path(), target).unwrap();
        }
    }
}

#[test]
fn maintenance_keeps_every_point() {
    let Some(source) = source() else { return };
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

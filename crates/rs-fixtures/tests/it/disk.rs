//! Writing, comparing, and leaving alone what is not ours.

use std::path::{Path, PathBuf};

use rs_fixtures::{DEFAULT_SEED, Difference, FixtureError, FixtureModel, Scale};

fn small() -> FixtureModel {
    FixtureModel::new(Scale::Small, DEFAULT_SEED)
}

/// A data file of the small model.
fn some_file(root: &Path) -> PathBuf {
    let expected = small().expected();
    root.join(&expected.cohorts[0].runs[0].files[0].path)
}

/// A change of this value is a change of every test that reads the fixtures: make it on purpose, and say so.
#[test]
fn the_small_fixtures_are_these() {
    assert_eq!(small().digest(), "73c088ae74b2ec82710cb4110b50b1d1e0259a973251dfdb070cbd4879672702");
}

#[test]
fn the_digest_depends_on_seed_and_scale_alone() {
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one_thread.install(|| small().digest()), small().digest());
    assert_ne!(FixtureModel::new(Scale::Small, DEFAULT_SEED + 1).digest(), small().digest());
}

#[test]
fn what_is_written_passes_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let written = small().write(folder.path()).unwrap();
    assert_eq!(small().check(folder.path()).unwrap(), []);
    let expected = small().expected();
    let runs = || expected.cohorts.iter().flat_map(|cohort| &cohort.runs);
    assert_eq!(written.n_files, runs().map(|run| run.n_files).sum::<u64>());
    assert_eq!(written.bytes, runs().map(|run| run.bytes).sum::<u64>());
    assert_eq!(written.n_records, runs().map(|run| run.n_records).sum::<u64>());
    assert!(written.bytes < 6_000_000, "{}", written.bytes);

    // Once more over what is there.
    assert_eq!(small().write(folder.path()).unwrap(), written);
    assert_eq!(small().check(folder.path()).unwrap(), []);
}

#[test]
fn differences_are_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    small().write(root).unwrap();
    let changed = some_file(root);
    let content = fs_err::read_to_string(&changed).unwrap();
    let second_line = content.find('\n').unwrap() + 1;
    let mut other = content.clone();
    other.replace_range(second_line + 1..second_line + 2, "?");
    fs_err::write(&changed, other).unwrap();
    fs_err::remove_file(root.join("configs/r12.yaml")).unwrap();
    fs_err::write(changed.with_file_name("notes.txt"), "mine").unwrap();
    let differences = small().check(root).unwrap();
    let path = |path: &Path| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
    assert_eq!(
        differences,
        [
            Difference::Missing { path: "configs/r12.yaml".to_owned() },
            Difference::Changed { path: path(&changed), line: 2, byte: second_line as u64 + 1 },
            Difference::Unexpected { path: path(&changed.with_file_name("notes.txt")) },
        ]
    );

    fs_err::write(&changed, format!("{content}more")).unwrap();
    let n_lines = content.lines().count() as u64;
    assert!(small().check(root).unwrap().contains(&Difference::Changed {
        path: path(&changed),
        line: n_lines + 1,
        byte: content.len() as u64,
    }));
}

#[test]
fn another_scale_leaves_no_run_folders_behind() {
    let folder = tempfile::tempdir().unwrap();
    let stale = folder.path().join("data/r12/Qwen3-32B/2020-01-01_00-00-00_old_Qwen3-32B-fp16_think_x");
    fs_err::create_dir_all(&stale).unwrap();
    fs_err::write(stale.join(".fixture"), "").unwrap();
    assert!(small().check(folder.path()).unwrap().contains(&Difference::Unexpected {
        path: stale.strip_prefix(folder.path()).unwrap().to_str().unwrap().to_owned(),
    }));
    small().write(folder.path()).unwrap();
    assert!(!stale.exists());
}

#[test]
fn folders_of_others_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("data/r12/Qwen3-32B/2026-03-01_00-00-00_mine_Qwen3-32B-fp16_think_x");
    fs_err::create_dir_all(&own).unwrap();
    fs_err::write(own.join("000_mine.ndjson"), "{}\n").unwrap();
    small().write(folder.path()).unwrap();
    assert!(own.join("000_mine.ndjson").exists());
    assert_eq!(small().check(folder.path()).unwrap(), []);

    let in_the_way = some_file(folder.path()).parent().unwrap().to_owned();
    fs_err::remove_file(in_the_way.join(".fixture")).unwrap();
    match small().write(folder.path()) {
        Err(FixtureError::NotOurs { path }) => assert_eq!(path, in_the_way),
        other => panic!("{other:?}"),
    }
    assert!(in_the_way.join("metadata.json").exists());
}

use super::*;
use crate::manifest::{EvalBlobs, MANIFEST_FILE, Manifest, RunBlob};
use crate::monitor::Monitor;
use crate::pack;
use crate::presence::{Presence, presence};
use crate::store::{STORE_FOLDER, Store};

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs_err::create_dir_all(path.parent().expect("has a folder")).expect("is made");
    fs_err::write(path, text).expect("is written");
}

fn evals(glob: &str) -> String {
    format!(
        r#"[{{"evaluate":{{"glob":"{glob}"}},"filters":{{"model":"m","template":"t","sampler":"s"}},
           "label":"M","groups":["arch:moe","size:8b"],"odd":1}}]"#
    )
}

#[track_caller]
fn check_matches(glob: &str, matched: &[&str]) {
    let root = tempfile::tempdir().expect("a temporary folder");
    write(root.path(), "data/set/M/evals.json", &evals(glob));
    for file in [
        "run1_m/a.ndjson",
        "run1_m/b.jsonl.zst",
        "run1_m/metadata.json",
        "run2_n/a.ndjson.gz",
        "run2_n/x.log",
        ".cache/a.ndjson",
    ] {
        write(root.path(), &format!("data/set/M/{file}"), "");
    }
    let cohort = Cohort::open(&root.path().join("data/set/M")).expect("opens");
    let files: Vec<&str> = cohort.evaluations[0].files.iter().map(|at| cohort.files[*at].logical.as_str()).collect();
    assert_eq!(files, matched, "{glob}");
    assert_eq!(cohort.files.len(), 3, "other files are ignored");
}

#[test]
fn globs_match_run_folder_and_file() {
    check_matches("data/set/M/*_m/*", &["run1_m/a.ndjson", "run1_m/b.jsonl"]);
    check_matches("data/set/M/*/a.ndjson", &["run1_m/a.ndjson", "run2_n/a.ndjson"]);
    check_matches("set/M/*/*.gz", &["run2_n/a.ndjson"]);
    check_matches("*_n/*", &["run2_n/a.ndjson"]);
    check_matches("data/**/*.ndjson", &["run1_m/a.ndjson", "run2_n/a.ndjson"]);
    check_matches("data/set/M/*", &[]);
    check_matches("data/other/M/*/*", &[]);
}

#[track_caller]
fn check_refused(glob: &str, message: &str) {
    let root = tempfile::tempdir().expect("a temporary folder");
    write(root.path(), "M/evals.json", &evals(glob));
    let error = Cohort::open(&root.path().join("M")).expect_err("is refused").to_string();
    assert!(error.ends_with(message), "{error}");
    assert!(error.contains("M/evals.json: entry 0 (`M`): evaluate.glob"), "{error}");
}

#[test]
fn globs_that_leave_the_project_are_refused() {
    check_refused("/etc/*", "path `/etc/*` is absolute; it must be relative");
    check_refused("../*/*", "path `../*/*` climbs out with `..`");
    check_refused("a[", "error parsing glob 'a[': unclosed character class; missing ']'");
}

#[test]
fn run_folders_are_listed_once() {
    let root = tempfile::tempdir().expect("a temporary folder");
    write(root.path(), "M/evals.json", &evals("M/run*/*"));
    for file in ["run1/b.ndjson", "run1/a.ndjson.zst", "run1/metadata.json", "run1/x.tmp", "run1/.hidden"] {
        write(root.path(), &format!("M/{file}"), file);
    }
    for file in ["run2/a.ndjson", "run2/sub/b.txt", "run3/a.ndjson", "run3/b.partial"] {
        write(root.path(), &format!("M/{file}"), file);
    }
    let cohort = Cohort::open(&root.path().join("M")).expect("opens");
    assert_eq!(cohort.folders.keys().collect::<Vec<_>>(), ["run1", "run3"], "the other one holds a folder");
    for run in ["run1", "run2", "run3"] {
        let listed = pack::list_run(&root.path().join("M").join(run)).expect("lists");
        assert_eq!(cohort.run_files(run).expect("lists"), listed, "{run}");
    }
    std::os::unix::fs::symlink("nowhere", root.path().join("M/run3/link")).expect("is made");
    let cohort = Cohort::open(&root.path().join("M")).expect("opens");
    assert!(cohort.run_files("run3").expect_err("is no file").to_string().ends_with("the link leads nowhere"));
}

#[test]
fn there_is_no_cohort_in_a_cohort() {
    let root = tempfile::tempdir().expect("a temporary folder");
    for folder in ["set/M", "set/M/run", "set/N", "O"] {
        write(root.path(), &format!("{folder}/evals.json"), "[]");
    }
    let found = find_cohorts(root.path()).expect("lists");
    assert_eq!(found, ["O", "set/M", "set/N"].map(|folder| root.path().join(folder)));
}

#[test]
fn what_is_odd_is_told() {
    let root = tempfile::tempdir().expect("a temporary folder");
    write(root.path(), "M/evals.json", &evals("M/*_m/*"));
    write(root.path(), "M/run_x/a.ndjson", "");
    write(root.path(), "M/run_x/a.ndjson.zst", "");
    let cohort = Cohort::open(&root.path().join("M/evals.json")).expect("opens");
    assert_eq!(cohort.unmatched_runs(), ["run_x"]);
    assert_eq!(cohort.warnings.len(), 3, "{:?}", cohort.warnings);
    assert!(cohort.warnings[0].contains("unknown key `[0].odd`"));
    assert!(cohort.warnings[1].contains("matches no raw file"));
    assert!(cohort.warnings[2].contains("are there"));
    assert_eq!(cohort.evaluations[0].entry.facets(), BTreeMap::from([("arch", "moe"), ("size", "8b")]));
}

#[test]
fn a_missing_cohort_says_so() {
    let error = Cohort::open(Path::new("nowhere")).expect_err("is not there");
    assert_eq!(error.to_string(), "no cohort at `nowhere`: evals.json is not there");
}

#[test]
fn cohorts_are_found() {
    let root = tempfile::tempdir().expect("a temporary folder");
    for path in ["b/M/evals.json", "a/N/evals.json", "a/.hidden/evals.json", "a/other.json"] {
        write(root.path(), path, "[]");
    }
    let found = find_cohorts(root.path()).expect("lists");
    assert_eq!(found, [root.path().join("a/N"), root.path().join("b/M")]);
}

/// Packs run folders of the cohort `data/set/M` into the store, names them in the manifest, and removes them.
fn pack_away(root: &Path, runs: &[&str]) -> Vec<RunBlob> {
    let store = Store::new(root.join("data").join(STORE_FOLDER));
    let cohort = root.join("data/set/M");
    let pack_run = |run: &&str| {
        let folder = cohort.join(run);
        let files = pack::list_run(&folder).unwrap();
        let packed = pack::store_run(&folder, &files, &store, &Monitor::default()).unwrap();
        fs_err::remove_dir_all(folder).unwrap();
        RunBlob::new(*run, &packed)
    };
    let runs: Vec<RunBlob> = runs.iter().map(pack_run).collect();
    write_manifest(root, &runs);
    runs
}

/// A manifest in which the evaluation m+t+s has these runs.
fn write_manifest(root: &Path, runs: &[RunBlob]) {
    let eval = EvalBlobs {
        identity: "m+t+s".into(),
        cohort: "set/M".into(),
        runs: runs.to_vec(),
        others: serde_json::Map::new(),
    };
    let manifest = Manifest { evals: BTreeMap::from([("34c4dc".to_owned(), eval)]), ..Manifest::default() };
    fs_err::write(root.join("data").join(MANIFEST_FILE), manifest.to_text()).unwrap();
}

/// What a cohort's files are, wherever their bytes.
fn listed(cohort: &Cohort) -> Vec<(String, String, String, Codec, u64, Vec<usize>)> {
    let claimed = |at: usize| {
        (0..cohort.evaluations.len()).filter(|eval| cohort.evaluations[*eval].files.contains(&at)).collect()
    };
    let file = |(at, file): (usize, &RawFile)| {
        let path = paths::show(&file.path);
        (path, file.logical.clone(), file.run.clone(), file.codec, file.size_bytes, claimed(at))
    };
    cohort.files.iter().enumerate().map(file).collect()
}

fn cohort_with_runs(glob: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "data/set/M/evals.json", &evals(glob));
    for (file, text) in [
        ("a/1.ndjson", "x"),
        ("a/2.jsonl.zst", "xx"),
        ("a/metadata.json", "\u{FEFF}{\"k\": 1}"),
        ("a/sub/3.ndjson.gz", "xxx"),
        ("a/sub/deep/4.ndjson", ""),
        ("a/sub/metadata.json", "{\"k\": 2}"),
        ("b/1.ndjson", "xxxxx"),
        ("b/x.log", "x"),
    ] {
        write(root.path(), &format!("data/set/M/{file}"), text);
    }
    root
}

#[track_caller]
fn check_same_from_blobs(glob: &str, n_files: usize) {
    let root = cohort_with_runs(glob);
    let folder = root.path().join("data/set/M");
    let before = Cohort::open(&folder).unwrap();
    assert_eq!(before.evaluations[0].files.len(), n_files, "{glob}");
    assert_eq!(presence(&before), Presence::Here);
    pack_away(root.path(), &["a", "b"]);
    let after = Cohort::open(&folder).unwrap();
    assert_eq!(listed(&after), listed(&before), "{glob}");
    assert_eq!((&after.warnings, &after.absent), (&before.warnings, &Vec::new()));
    assert!(after.files.iter().all(|file| matches!(file.origin, Origin::Blob(_))));
    assert_eq!(presence(&after), Presence::Blobs);
    for (run, name) in [("a", "metadata.json"), ("a/sub", "metadata.json"), ("b", "metadata.json"), ("c", "x")] {
        let expected = match (run, name) {
            ("a", _) => Some("{\"k\": 1}".to_owned()),
            ("a/sub", _) => Some("{\"k\": 2}".to_owned()),
            _ => None,
        };
        assert_eq!(after.run_text(run, name).unwrap(), expected, "{run}");
    }
    // From somewhere else.
    let below = Cohort::open(&folder.join("../../../data/set/M/evals.json")).unwrap();
    assert_eq!(below.files.len(), before.files.len());
}

#[test]
fn blobs_are_listed_as_if_they_were_extracted() {
    check_same_from_blobs("data/set/M/*/*", 3);
    check_same_from_blobs("data/set/M/a/*", 2);
    check_same_from_blobs("set/M/a/sub/*", 1);
    check_same_from_blobs("set/M/a/**/*.ndjson", 3);
    check_same_from_blobs("data/**", 5);
    check_same_from_blobs("b/1.ndjson", 1);
}

#[test]
fn a_folder_with_raw_files_wins_over_its_blob() {
    let root = cohort_with_runs("data/set/M/*/*");
    let folder = root.path().join("data/set/M");
    let runs = pack_away(root.path(), &["a", "b"]);
    write(root.path(), "data/set/M/a/9.ndjson", "");
    let cohort = Cohort::open(&folder).unwrap();
    let names: Vec<&str> = cohort.files.iter().map(|file| file.logical.as_str()).collect();
    assert_eq!(names, ["a/9.ndjson", "b/1.ndjson"]);
    assert_eq!(presence(&cohort), Presence::Partly);
    assert_eq!(cohort.run_text("a", "metadata.json").unwrap(), None);
    let shown = folder.display();
    let told = |n_here: u64| {
        format!(
            "{shown}: a run folder lacks files that were pushed: a ({n_here} of 6 files); `data pull cohort {shown}` brings them back"
        )
    };
    assert_eq!(cohort.warnings[1..], [told(0)]);
    // A file that was compressed since is not missing.
    write(root.path(), "data/set/M/a/1.ndjson.zst", "");
    write(root.path(), "data/set/M/a/sub/metadata.json", "");
    let incomplete = |n_here| [IncompleteRun { run: "a".into(), n_here, n_files: 6 }];
    assert_eq!(Cohort::open(&folder).unwrap().incomplete, incomplete(2));
    // Without the blob the number tells.
    Store::new(root.path().join("data").join(STORE_FOLDER)).remove(&runs[0].blob).unwrap();
    assert_eq!(Cohort::open(&folder).unwrap().incomplete, incomplete(3));
    for name in ["a/2.jsonl.zst", "a/sub/3.ndjson.gz", "a/sub/deep/4.ndjson"] {
        write(root.path(), &format!("data/set/M/{name}"), "other");
    }
    let cohort = Cohort::open(&folder).unwrap();
    assert_eq!((cohort.incomplete.len(), presence(&cohort)), (0, Presence::Here));
}

/// What `rm run/*` leaves, and `rm run/*.ndjson`.
#[test]
fn a_folder_without_raw_files_does_not_hide_its_blob() {
    let lefts = [&["a/note.txt"][..], &["a/metadata.json", "a/sub/metadata.json"], &["a/sub/deep/4.ndjson"]];
    for left in lefts {
        let root = cohort_with_runs("data/set/M/*/*");
        let folder = root.path().join("data/set/M");
        let before = Cohort::open(&folder).unwrap();
        pack_away(root.path(), &["a", "b"]);
        left.iter().for_each(|name| write(root.path(), &format!("data/set/M/{name}"), "{}"));
        fs_err::create_dir_all(folder.join("b")).unwrap();
        let after = Cohort::open(&folder).unwrap();
        assert_eq!(listed(&after), listed(&before));
        assert_eq!((presence(&after), after.warnings.len()), (Presence::Blobs, 1), "{:?}", after.warnings);
        assert_eq!(after.run_text("a", "metadata.json").unwrap().unwrap(), "{\"k\": 1}");
    }
}

#[test]
fn raw_data_that_is_elsewhere_is_told() {
    let root = cohort_with_runs("data/set/M/*/*");
    let folder = root.path().join("data/set/M");
    let runs = pack_away(root.path(), &["a", "b"]);
    let store = Store::new(root.path().join("data").join(STORE_FOLDER));
    store.remove(&runs[0].blob).unwrap();
    let cohort = Cohort::open(&folder).unwrap();
    assert_eq!(cohort.absent, [AbsentRun { run: "a".into(), evaluations: vec![0] }]);
    assert_eq!((cohort.files.len(), presence(&cohort)), (1, Presence::Partly));
    let shown = folder.display();
    assert_eq!(
        cohort.warnings[1..],
        [format!(
            "{shown}: a run is neither extracted nor in the local store: a; `data pull cohort {shown}` fetches the raw data"
        )]
    );
    store.remove(&runs[1].blob).unwrap();
    let cohort = Cohort::open(&folder).unwrap();
    assert_eq!((cohort.files.len(), cohort.absent.len(), presence(&cohort)), (0, 2, Presence::Remote));
    // An unknown key, and this.
    assert_eq!(cohort.warnings.len(), 2);
    assert!(cohort.warnings[1].contains(": 2 runs are neither extracted nor in the local store: a, b;"));
}

/// A blob that cannot be opened, and one that is another than the manifest says.
#[test]
fn a_blob_that_cannot_be_used_stands_for_its_files() {
    let root = cohort_with_runs("data/set/M/*/*");
    let folder = root.path().join("data/set/M");
    let runs = pack_away(root.path(), &["a", "b"]);
    let check = |what: &str| {
        let cohort = Cohort::open(&folder).unwrap();
        let file = &cohort.files[cohort.evaluations[0].files[0]];
        assert_eq!((file.run.as_str(), &file.path), ("a", &folder.join("a")));
        let Origin::Unusable(why) = &file.origin else { panic!("{:?}", file.origin) };
        assert!(why.ends_with(what), "{why}");
        assert!(why.contains("data/.blobs/"), "{why}");
        assert_eq!(cohort.evaluations[0].files.len(), 2);
    };
    let other = RunBlob { n_files: 9, ..runs[0].clone() };
    write_manifest(root.path(), &[other, runs[1].clone()]);
    check("the number of its files is `6`, expected `9`");
    let other = RunBlob { content: runs[1].content, ..runs[0].clone() };
    write_manifest(root.path(), &[other, runs[1].clone()]);
    check(&format!("its content is `{}`, expected `{}`", runs[0].content, runs[1].content));
    write_manifest(root.path(), &runs);
    let blob = Store::new(root.path().join("data").join(STORE_FOLDER)).path_of(&runs[0].blob);
    fs_err::write(blob, "no blob").unwrap();
    check("no seek table at its end: it is cut short, or something follows, or it is no blob");
}

#[test]
fn a_manifest_that_is_wrong_is_an_error() {
    let root = cohort_with_runs("data/set/M/*/*");
    write(root.path(), "data/manifest.json", "<<<<<<< HEAD");
    let error = Cohort::open(&root.path().join("data/set/M")).unwrap_err();
    assert!(matches!(error, CohortError::Library(_)), "{error}");
}

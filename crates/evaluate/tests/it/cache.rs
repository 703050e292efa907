//! Results of raw files are kept by content: they give the same rows, whatever becomes of the folder they are in.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::killed::kill_at;
use crate::project::{DB, Project, Run, check_same, entry, evals, evaluate_with_disk_of, points, raw_files, record};

/// Kills spread over the time that a run takes.
const N_KILLS: u32 = 100;

/// Two evaluations whose records are in two files each, and one file that holds records of both.
fn project() -> Project {
    let project = Project::empty();
    write_dataset(&project, "d", "");
    let entry = |model: &str| entry(model, "data/set/M/run*/*", "");
    project.write("data/set/M/evals.json", format!("[{},\n{}]", entry("m"), entry("n")));
    project.write("data/set/M/run1/a.ndjson", lines("m", 0..30));
    project.write("data/set/M/run1/b.ndjson", lines("n", 0..40));
    project.write("data/set/M/run2/both.ndjson", lines("m", 30..50) + &lines("n", 40..45));
    project
}

fn write_dataset(project: &Project, name: &str, filters: &str) {
    let dataset = format!(
        r#"{{"name": "{name}", "db": "{name}.db", "cache": ".cache", "cohorts": [{{"path": "set/M"{filters}}}]}}"#
    );
    project.write(&format!("data/{name}.json"), dataset);
}

fn lines(model: &str, indexes: std::ops::Range<u32>) -> String {
    let more = |index: u32| {
        let words = "so the answer must be ".repeat(index as usize % 7);
        format!(",\"model\":\"{model}\",\"response\":\"{words}{index}\",\"prompt\":\"what is {index}?\"")
    };
    indexes.map(|index| record(index, &more(index)) + "\n").collect()
}

/// Runs `evaluate`, which must take so many files of each evaluation from the cache; the rows must be those that a run
/// without a cache makes.
#[track_caller]
fn check(project: &Project, arguments: &str, cached_files: &[u64]) -> Run {
    let run = project.evaluate_d(&format!("--format json {arguments}")).succeeds();
    let found: Vec<u64> = run.summary().evaluations.iter().map(|row| row.cached_files).collect();
    assert_eq!(found, cached_files, "{run}");
    check_rows(project, DB);
    run
}

/// The rows of a database of both evaluations are those that a run without a cache makes.
#[track_caller]
fn check_rows(project: &Project, db: &str) {
    project.write("data/plain.json", r#"{"name": "plain", "db": "plain.db", "cohorts": [{"path": "set/M"}]}"#);
    project.evaluate("--dataset data/plain.json -q --force").succeeds();
    let (found, plain) = (project.open(db), project.open("data/plain.db"));
    check_same("points", &points(&found), &points(&plain));
    check_same("evals", &evals(&found), &evals(&plain));
    check_same("raw files", &raw_files(&found), &raw_files(&plain));
}

/// Forgets the database, so that its rows must come from elsewhere.
fn forget_database(project: &Project) {
    fs_err::remove_file(project.path(DB)).unwrap();
}

/// Every file in the cache but its index.
fn entries(project: &Project) -> Vec<std::path::PathBuf> {
    let mut entries = Vec::new();
    for folder in fs_err::read_dir(project.path("data/.cache")).unwrap().map(|item| item.unwrap().path()) {
        if folder.is_dir() {
            entries.extend(fs_err::read_dir(folder).unwrap().map(|item| item.unwrap().path()));
        }
    }
    entries.sort();
    entries
}

#[test]
fn what_was_read_once_is_not_read_again() {
    let project = project();
    check(&project, "", &[0, 0]);
    assert_eq!(entries(&project).len(), 3);
    forget_database(&project);
    check(&project, "", &[3, 3]);
    // Touched, renamed, or changed.
    project.write("data/set/M/run1/a.ndjson", lines("m", 0..30));
    fs_err::rename(project.path("data/set/M/run1/b.ndjson"), project.path("data/set/M/run2/c.ndjson")).unwrap();
    check(&project, "", &[3, 3]);
    project.write("data/set/M/run1/a.ndjson", lines("m", 0..31));
    check(&project, "", &[2, 2]);
}

#[test]
fn what_killed_runs_leave_goes_after_a_day() {
    let project = project();
    let now = fs_err::metadata(project.path("data/d.json")).unwrap().modified().unwrap();
    let make_old = |path: &Path| {
        let file = fs_err::File::options().write(true).open(path).unwrap();
        file.set_modified(now - Duration::from_secs(25 * 3600)).unwrap();
    };
    check(&project, "", &[0, 0]);
    let whole = entries(&project);
    whole.iter().for_each(|entry| make_old(entry));
    let left = ["ab/.new-old1", ".index.json.new-old2"];
    // Anybody's but the cache's, whatever folder it is in.
    let others = ["a.new-b", ".new-b", "notes/.new-b", "ab/notes.new-b", "ab/c/.new-b"];
    for name in left.iter().chain(&others) {
        let name = format!("data/.cache/{name}");
        project.write(&name, "half");
        make_old(&project.path(&name));
    }
    project.write("data/.cache/ab/.new-young", "half");
    project.write("data/set/M/run1/a.ndjson", lines("m", 0..31));
    check(&project, "", &[2, 2]);
    let is_there = |name: &&str| project.path("data/.cache").join(name).exists();
    assert_eq!(left.iter().filter(|name| is_there(name)).count(), 0);
    assert_eq!(others.iter().filter(|name| is_there(name)).count(), others.len());
    assert!(is_there(&"ab/.new-young"));
    // What is whole stays, however old.
    assert!(whole.iter().all(|entry| entry.exists()));
}

/// The same bytes under another name are read otherwise.
#[test]
fn a_name_that_lies_about_the_codec() {
    let project = project();
    let packed = zstd::encode_all(lines("m", 50..60).as_bytes(), 1).unwrap();
    project.write("data/set/M/run1/c.ndjson", packed);
    let wrong = project.evaluate_d("--format json");
    assert!(wrong.code == Some(1) && wrong.summary().evaluations[0].malformed > 0, "{wrong}");
    fs_err::rename(project.path("data/set/M/run1/c.ndjson"), project.path("data/set/M/run1/c.ndjson.zst")).unwrap();
    let run = check(&project, "", &[3, 3]);
    assert_eq!(run.summary().evaluations[0].records, 60);
}

/// A compressed file with nothing in it is known, too.
#[test]
fn an_empty_file_is_kept() {
    let project = project();
    project.write("data/set/M/run1/nothing.ndjson.zst", zstd::encode_all(&b""[..], 1).unwrap());
    check(&project, "", &[0, 0]);
    forget_database(&project);
    check(&project, "", &[4, 4]);
}

#[test]
fn another_dataset_costs_the_merge() {
    let project = project();
    let read = project.evaluate_d("--format json").summary();
    write_dataset(&project, "e", "");
    let run = project.evaluate("--dataset data/e.json --format json").succeeds();
    let cached = run.summary();
    assert_eq!(cached.read_bytes, 0, "{run}");
    assert!(read.read_bytes > 0 && read.sample_memory_bytes > 0);
    assert_eq!(cached.sample_memory_bytes, read.sample_memory_bytes, "as much, wherever it comes from");
    check_rows(&project, "data/e.db");
}

#[test]
fn whose_records_are_wanted_matters_where_they_are() {
    let project = project();
    write_dataset(&project, "e", r#", "filters": {"model": "m"}"#);
    let cached = || {
        let run = project.evaluate("--dataset data/e.json --format json --db data/e2.db").succeeds();
        fs_err::remove_file(project.path("data/e2.db")).unwrap();
        run.summary().evaluations[0].cached_files
    };
    check(&project, "", &[0, 0]);
    // What was kept for both serves one of them.
    assert_eq!(cached(), 3);
    fs_err::remove_dir_all(project.path("data/.cache")).unwrap();
    forget_database(&project);
    // What was kept for one serves both where there are no records of the other.
    assert_eq!(cached(), 0);
    check(&project, "", &[1, 1]);
    forget_database(&project);
    check(&project, "", &[3, 3]);
}

#[test]
fn force_reads_again_and_no_forensics_does_without() {
    let project = project();
    check(&project, "", &[0, 0]);
    // What is there already is not written again, unless it is damaged.
    let whole: Vec<(std::path::PathBuf, u64, Vec<u8>)> = entries(&project)
        .into_iter()
        .map(|path| (path.clone(), fs_err::metadata(&path).unwrap().ino(), fs_err::read(path).unwrap()))
        .collect();
    fs_err::write(&whole[0].0, b"damaged").unwrap();
    check(&project, "--force", &[0, 0]);
    for (at, (path, inode, bytes)) in whole.iter().enumerate() {
        assert_eq!(fs_err::read(path).unwrap(), *bytes);
        assert_eq!(fs_err::metadata(path).unwrap().ino() == *inode, at != 0, "{}", path.display());
    }
    let run = project.evaluate_d("--no-forensics --db data/x.db --format json").succeeds();
    assert!(run.summary().evaluations.iter().all(|row| row.cached_files == 0), "{run}");
    let sizes =
        crate::project::texts(&project.open("data/x.db"), "SELECT count(compressed_sizes_list)::VARCHAR FROM points");
    assert_eq!(sizes, [["0"]]);
    // What a database has more than is asked for is no reason to read again; what it lacks is.
    let sources = |arguments: &str| project.evaluate_d(&format!("--format json {arguments}")).succeeds().sources();
    assert_eq!(sources("--no-forensics"), ["db", "db"]);
    assert_eq!(sources("--db data/x.db"), ["files", "files"]);
}

#[test]
fn a_damaged_cache_is_no_cache() {
    let project = project();
    check(&project, "", &[0, 0]);
    let whole: Vec<(std::path::PathBuf, Vec<u8>)> =
        entries(&project).into_iter().map(|path| (path.clone(), fs_err::read(path).unwrap())).collect();
    for damage in [
        |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2),
        |bytes: &mut Vec<u8>| bytes.clear(),
        |bytes: &mut Vec<u8>| bytes.push(0),
        |bytes: &mut Vec<u8>| bytes[7] += 1,
        |bytes: &mut Vec<u8>| bytes[20] ^= 1,
        |bytes: &mut Vec<u8>| *bytes.last_mut().unwrap() ^= 1,
    ] {
        for (path, bytes) in &whole {
            let mut bytes = bytes.clone();
            damage(&mut bytes);
            fs_err::write(path, bytes).unwrap();
        }
        forget_database(&project);
        check(&project, "", &[0, 0]);
    }
    for index in ["", "{", "{\"version\": 99, \"files\": {}, \"identities\": {}}", "[]"] {
        project.write("data/.cache/index.json", index);
        forget_database(&project);
        check(&project, "", &[0, 0]);
    }
    fs_err::remove_dir_all(project.path("data/.cache")).unwrap();
    forget_database(&project);
    check(&project, "", &[0, 0]);
}

/// A run that stops in the middle keeps nothing of the files that it has not read to their end, whatever was kept before.
#[test]
fn what_is_read_in_part_is_not_kept() {
    let project = project();
    project.write("data/set/M/run1/a.ndjson", String::from("{}\n") + &lines("m", 0..9_000));
    let entry = |model| entry(model, "data/set/M/run*/*", r#", "hf_id": "openai/gpt-oss-20b""#);
    project.write("data/set/M/evals.json", format!("[{},\n{}]", entry("m"), entry("n")));
    // The malformed line is told each time.
    let read = || {
        let run = project.evaluate_d("--format json");
        assert_eq!(run.code, Some(1), "{run}");
        run.summary().evaluations.iter().map(|row| (row.records, row.cached_files)).collect::<Vec<_>>()
    };
    assert_eq!(read(), [(9_020, 0), (45, 0)]);
    let stopped = project.evaluate_d("-q --force --strict");
    assert!(stopped.stderr.contains("hint: without --strict"), "{stopped}");
    forget_database(&project);
    assert_eq!(read(), [(9_020, 3), (45, 3)]);
    let stderr = evaluate_with_disk_of(&project, 6_000, "--force -q");
    assert!(stderr.contains("error: spectra cannot be kept in data: "), "{stderr}");
    forget_database(&project);
    assert_eq!(read(), [(9_020, 3), (45, 3)]);
}

/// Copies of a file are kept as one.
#[test]
fn copies_of_one_file() {
    let project = project();
    for copy in 0..40 {
        project.write(&format!("data/set/M/run3/{copy}.ndjson"), lines("m", 60..3_000));
    }
    let run = check(&project, "--parallel 8", &[0, 0]);
    assert!(!run.stderr.contains("not kept"), "{run}");
    assert_eq!(entries(&project).len(), 4);
    forget_database(&project);
    check(&project, "", &[43, 43]);
}

#[test]
fn a_cache_that_cannot_be_written_is_a_warning() {
    let project = project();
    project.write("data/.cache", "a file");
    let run = project.evaluate_d("-q").succeeds();
    assert!(run.stderr.starts_with("warning: results were not kept for the next time: "), "{run}");
    check_rows(&project, DB);
}

#[test]
fn problems_are_told_again() {
    let project = project();
    project.write("data/set/M/run1/a.ndjson", lines("m", 0..3) + "{\"model\": 1}\n" + &lines("m", 3..5));
    let problem = "data/set/M/run1/a.ndjson:4: `model`: expected a string, found a number (column 11)";
    for cached_files in [0, 3] {
        let run = project.evaluate_d("--format json");
        assert_eq!(run.code, Some(1), "{run}");
        assert!(run.stderr.contains(problem), "{run}");
        assert_eq!(run.summary().evaluations[0].cached_files, cached_files, "{run}");
        assert_eq!(run.summary().evaluations[0].malformed, 1, "{run}");
        forget_database(&project);
    }
}

#[test]
fn several_at_once_do_not_get_in_each_others_way() {
    let project = project();
    let run = |db: &str| project.command(["--dataset", "data/d.json", "-q", "--db", db]).spawn().expect("starts");
    for _ in 0..5 {
        let mut runs: Vec<_> = ["data/1.db", "data/2.db", "data/3.db"].map(run).into();
        for (number, run) in runs.iter_mut().enumerate() {
            assert!(run.wait().expect("ends").success());
            let db = format!("data/{}.db", number + 1);
            check_rows(&project, &db);
            fs_err::remove_file(project.path(&db)).unwrap();
        }
        fs_err::remove_dir_all(project.path("data/.cache")).unwrap();
    }
}

#[test]
fn kills_at_any_moment_leave_a_cache_that_gives_the_right_rows() {
    let project = project();
    project.evaluate_d("-q").succeeds();
    let (old, old_file) = (points(&project.open(DB)), fs_err::read(project.path(DB)).unwrap());
    for (file, model) in ["m", "n"].iter().enumerate() {
        for part in 0..4 {
            let first = 1000 + part * 400;
            project.write(&format!("data/set/M/run1/{file}{part}.ndjson"), lines(model, first..first + 400));
        }
    }
    let began = Instant::now();
    project.evaluate_d("-q").succeeds();
    // A run that ends leaves its results in the cache, with which the next are shorter: by how much is learned from those
    // that were over before their kill.
    let mut durations = [began.elapsed(); 2];
    let new = points(&project.open(DB));
    let (mut n_killed, mut n_tries) = (0, 0);
    while n_killed < N_KILLS {
        assert!(n_tries < 10 * N_KILLS, "{n_killed} of {n_tries} runs were killed, the others had ended");
        if n_tries % 20 == 0 {
            fs_err::remove_dir_all(project.path("data/.cache")).unwrap();
        }
        let duration = &mut durations[usize::from(n_tries % 20 >= 10)];
        n_tries += 1;
        // Spread over the run, in an order that visits early and late moments in turns.
        let moment = duration.mul_f64(f64::from(n_killed * 37 % N_KILLS) / f64::from(N_KILLS));
        fs_err::write(project.path(DB), &old_file).unwrap();
        match kill_at(&project, |elapsed| elapsed >= moment) {
            None => n_killed += 1,
            Some(shorter) => *duration = (*duration).min(shorter).mul_f64(0.95),
        }
        let found = points(&project.open(DB));
        assert!(found == old || found == new, "after {moment:?}: {} rows", found.len());
        if n_tries % 10 == 0 {
            project.evaluate_d("-q").succeeds();
            check_rows(&project, DB);
        }
    }
}

#[test]
fn explained() {
    let project = project();
    // Files that have just changed are not known by their times.
    std::thread::sleep(Duration::from_millis(1100));
    let explain = |arguments: &str| project.evaluate_d(&format!("--explain {arguments}")).succeeds();
    insta::assert_snapshot!(explain(""), @"
    exit code 0
    ----- stdout
    eval_id  label  rows       because              files  in cache
    34c4dc   L m    made anew  not in the database      3         0
    7d262a   L n    made anew  not in the database      3         0
    ");
    assert!(!project.path(DB).exists());
    project.evaluate_d("-q").succeeds();
    insta::assert_snapshot!(explain(""), @"
    exit code 0
    ----- stdout
    eval_id  label  rows        because    files  in cache
    34c4dc   L m    taken over  unchanged      3
    7d262a   L n    taken over  unchanged      3
    ");
    assert!(explain("--db data/other.db").stdout.contains("not in the database      3         3"));
    project.write("data/set/M/run1/a.ndjson", lines("m", 0..31));
    insta::assert_snapshot!(explain("--eval-id 34c4dc"), @"
    exit code 0
    ----- stdout
    eval_id  label  rows        because                                 files  in cache
    34c4dc   L m    made anew   entry, sizes or times of files changed      3         2
    7d262a   L n    taken over  not asked for                               3
    ");
}

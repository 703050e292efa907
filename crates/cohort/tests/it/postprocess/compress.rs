//! The step `compress`.

use std::time::{Duration, SystemTime};

use rs_core::zstd_frames::{Checksums, checksums};

use super::{document, gzipped, postprocess, step, with_checksum};
use crate::points::{check_same_points, collected};
use crate::project::{Project, record};

#[test]
fn every_file_becomes_zstd_and_nothing_else_changes() {
    let (project, expected) = Project::with_fixtures();
    for cohort in &expected.cohorts {
        let before = collected(&project, &cohort.path);
        let time = |name: &str| fs_err::metadata(project.path(name)).unwrap().modified().unwrap();
        let files: Vec<_> = cohort.runs.iter().flat_map(|run| &run.files).collect();
        let times: Vec<SystemTime> = files.iter().map(|file| time(&file.path)).collect();
        let run = project.cohort(&["postprocess", &cohort.path, "--compress", "-q"]);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run}");
        check_same_points(&collected(&project, &cohort.path), &before);
        for (file, before) in files.iter().zip(times) {
            let plain = file.path.trim_end_matches(".gz").trim_end_matches(".zst");
            let path = project.path(&format!("{plain}.zst"));
            assert_eq!(checksums(&path).unwrap(), Checksums::All);
            assert_eq!(time(&format!("{plain}.zst")), before);
            assert_eq!(zstd::decode_all(&*fs_err::read(&path).unwrap()).unwrap().len() as u64, file.raw_bytes);
            assert_eq!(file.path == format!("{plain}.zst"), project.path(&file.path).exists());
        }
        let after = project.tree();
        let again = project.cohort(&["postprocess", &cohort.path, "--compress", "-q"]);
        assert_eq!(again.code, Some(0));
        assert_eq!(project.tree(), after);
    }
}

/// Torn lines, marks, blanks, bytes that are no text, nothing at all: it is bytes that are packed.
#[test]
fn odd_content_stays_byte_for_byte() {
    let contents: [&[u8]; 6] = [
        b"",
        b"\n\n",
        b"\xEF\xBB\xBF{}\r\n",
        b"{\"torn\":",
        b"\0\xFF\xFE\n",
        &b"{\"long\": \"xxxxxxxx\"}\n".repeat(900_000),
    ];
    for (at, content) in contents.into_iter().enumerate() {
        let project = Project::small();
        project.write("data/set/M/run/a.ndjson", content);
        project.write("data/set/M/run/b.ndjson.gz", gzipped(content));
        project.write("data/set/M/run/c.ndjson.zst", zstd::encode_all(content, 1).unwrap());
        let d = with_checksum(content);
        project.write("data/set/M/run/d.ndjson.zst", &d);
        let document = document(&project, &["--compress"], 0);
        assert_eq!(step(&document, 0), ("compress", 4, 3, None, None), "{at}");
        let tree = project.tree();
        assert_eq!(tree.len(), 5);
        for name in ["a", "b", "c", "d"] {
            let stored = &tree[&format!("data/set/M/run/{name}.ndjson.zst")];
            assert!(zstd::decode_all(&**stored).unwrap() == content, "{at} {name}");
        }
        assert!(tree["data/set/M/run/d.ndjson.zst"] == d, "what is as it should be is not touched");
    }
}

#[test]
fn what_cannot_be_packed_stays_and_is_told() {
    let project = Project::small();
    let text = record("m", "");
    let packed = gzipped(text.repeat(1000).as_bytes());
    project.write("data/set/M/run/cut.ndjson.gz", &packed[..packed.len() - 5]);
    project.write("data/set/M/run/more.ndjson.gz", [packed.as_slice(), b"garbage"].concat());
    project.write("data/set/M/run/damaged.ndjson.zst", &zstd::encode_all(text.as_bytes(), 1).unwrap()[..20]);
    project.write("data/set/M/run/there.ndjson", &text);
    project.write("data/set/M/run/there.ndjson.zst", with_checksum(b"something else\n"));
    project.write("data/set/M/run/two.ndjson", &text);
    project.write("data/set/M/run/two.ndjson.gz", gzipped(b"another\n"));
    let before = project.tree();
    assert_eq!(postprocess(&project, &["--compress", "--dry-run"]).code, Some(1));
    assert_eq!(project.tree(), before);
    let run = postprocess(&project, &["--compress"]);
    assert_eq!(run.code, Some(1), "{run}");
    let told: String =
        run.stderr.lines().filter(|line| line.contains("stays as it is")).map(|line| line.to_owned() + "\n").collect();
    insta::assert_snapshot!(told, @"
    data/set/M/run/cut.ndjson.gz: cannot be read to its end: unexpected end of file; it stays as it is
    data/set/M/run/damaged.ndjson.zst: is damaged or cut off; it stays as it is
    data/set/M/run/more.ndjson.gz: cannot be read to its end: unexpected end of file; it stays as it is
    data/set/M/run/there.ndjson: `data/set/M/run/there.ndjson.zst` is there already; it stays as it is
    data/set/M/run/two.ndjson.gz: `data/set/M/run/two.ndjson.zst` is there already; it stays as it is
    ");
    let mut after = project.tree();
    assert!(after.remove("data/set/M/run/two.ndjson.zst").is_some());
    assert!(before.iter().filter(|(name, _)| *name != "data/set/M/run/two.ndjson").eq(after.iter()));
}

/// Between the two last steps of packing a file, both are there: the next run sees that they are the same.
#[test]
fn a_run_that_was_killed_before_the_old_file_went_is_finished() {
    let project = Project::small();
    let text = record("m", "");
    project.write("data/set/M/run/a.ndjson", &text);
    let packed = with_checksum(text.as_bytes());
    project.write("data/set/M/run/a.ndjson.zst", &packed);
    project.write("data/set/M/run/.a.ndjson.zst.new-Ab12Cd", "half");
    let dry = document(&project, &["--compress", "--dry-run"], 0);
    assert_eq!(step(&dry, 0).2, 1);
    let document = document(&project, &["--dedupe", "--compress"], 0);
    assert_eq!([0, 1].map(|at| step(&document, at).2), [0, 0]);
    let tree = project.tree();
    assert_eq!(tree.keys().collect::<Vec<_>>(), ["data/set/M/evals.json", "data/set/M/run/a.ndjson.zst"]);
    assert!(tree["data/set/M/run/a.ndjson.zst"] == packed);
}

#[test]
fn times_stay() {
    let project = Project::small();
    project.write("data/set/M/run/a.ndjson", record("m", ""));
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let file = fs_err::OpenOptions::new().append(true).open(project.path("data/set/M/run/a.ndjson")).unwrap();
    file.file().set_modified(time).unwrap();
    drop(file);
    assert_eq!(postprocess(&project, &["--compress"]).code, Some(0));
    let new = fs_err::metadata(project.path("data/set/M/run/a.ndjson.zst")).unwrap();
    assert_eq!(new.modified().unwrap(), time);
}

//! The step `dedupe`.

use super::{document, gzipped, postprocess, step};
use crate::points::{check_same_points, collected};
use crate::project::{Project, entry, record};

#[test]
fn points_of_the_fixtures_stay_and_duplicates_go() {
    let (project, expected) = Project::with_fixtures();
    let mut n_removed = 0;
    for cohort in &expected.cohorts {
        let before = collected(&project, &cohort.path);
        let tree = project.tree();
        let arguments = ["postprocess", cohort.path.as_str(), "--dedupe"];
        let dry = project.cohort(&[&arguments[..], &["--dry-run"]].concat());
        assert_eq!(project.tree(), tree);
        let run = project.cohort(&arguments);
        assert_eq!(run.stdout.len(), dry.stdout.len(), "{run}{dry}");
        let after = collected(&project, &cohort.path);
        check_same_points(&after, &before);
        for (before, after) in before.iter().zip(&after) {
            n_removed += before.n_duplicates;
            assert_eq!(after.n_duplicates, 0);
            assert_eq!(after.tally.n_records, before.tally.n_records - before.n_duplicates);
        }
        let tree = project.tree();
        project.cohort(&arguments);
        assert_eq!(project.tree(), tree);
    }
    assert!(n_removed > 0);
}

/// What belongs to nobody, or cannot be read, stays byte for byte.
#[test]
fn only_losers_go() {
    let project = Project::small();
    let (one, other) = (record("m", ",\"index\":0"), record("n", ",\"index\":0"));
    let kept = format!("\u{FEFF}{other}{other}no record\n\n  \r\n{{\"model\":\"m\"}}\n");
    let single = record("m", "");
    project.write("data/set/M/run/a.ndjson", format!("{kept}{one}{single}{single}"));
    project.write("data/set/M/run/b.ndjson.gz", gzipped(format!("{one}{}", one.trim_end()).as_bytes()));
    project.write("data/set/M/run/c.ndjson", "{\"torn\":");
    insta::assert_snapshot!(postprocess(&project, &["--dedupe"]), @"
    exit code 0
    ----- stdout
    step    files  changed  bytes before  bytes after  records before  records after
    dedupe      3        2         618 B        500 B               7              5
    ----- stderr
    note: duplicates of a record in another file: 1
    ");
    let tree = project.tree();
    let text = |name: &str| String::from_utf8(tree[&format!("data/set/M/run/{name}")].clone()).unwrap();
    assert_eq!(text("a.ndjson"), format!("{kept}{single}{single}"));
    assert_eq!(text("c.ndjson"), "{\"torn\":");
    let b = &tree["data/set/M/run/b.ndjson.gz"];
    let mut unpacked = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&**b), &mut unpacked).unwrap();
    assert_eq!(unpacked, one.trim_end());
}

/// A record counts in one evaluation though it lost in another, which reads more files.
#[test]
fn a_record_that_one_evaluation_counts_stays() {
    let project = Project::empty();
    let entries = [entry("m", "data/set/M/run*/*", ""), entry("m", "data/set/M/run/*", ",\"context\":100")];
    project.write("data/set/M/evals.json", format!("[{}]", entries.join(",")));
    let one = record("m", ",\"index\":0");
    project.write("data/set/M/run/a.ndjson", one.repeat(2));
    project.write("data/set/M/run2/a.ndjson", &one);
    let before = collected(&project, "data/set/M");
    let document = document(&project, &["--dedupe"], 0);
    assert_eq!(step(&document, 0), ("dedupe", 2, 1, Some(3), Some(2)));
    assert_eq!(project.tree()["data/set/M/run/a.ndjson"], one.as_bytes());
    check_same_points(&collected(&project, "data/set/M"), &before);
}

/// Nobody can say what is in the rest of it.
#[test]
fn a_file_that_cannot_be_read_stays_and_beats_nobody() {
    let project = Project::small();
    let one = record("m", ",\"index\":0");
    let many: String = (0..20_000).map(|index| record("m", &format!(",\"index\":{index}"))).collect();
    let packed = gzipped(many.as_bytes());
    project.write("data/set/M/run/a.ndjson", one.repeat(2));
    project.write("data/set/M/run/b.ndjson.gz", &packed[..packed.len() - 9]);
    let before = collected(&project, "data/set/M");
    let document = document(&project, &["--dedupe"], 1);
    assert_eq!(document["problems"][0]["path"], "data/set/M/run/b.ndjson.gz");
    assert_eq!(project.tree()["data/set/M/run/a.ndjson"], one.as_bytes());
    check_same_points(&collected(&project, "data/set/M"), &before);
}

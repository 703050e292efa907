//! Raw files with something wrong in them: each problem is told with its place, and the rest counts.

use std::io::Write;

use crate::project::{DB, Project, Run, check_same, points, points_without_places, record, records};

/// That every line that is not blank is counted somewhere in the database: as a sample, a duplicate, an error, a
/// malformed line or a record of others.
#[track_caller]
fn check_nothing_is_lost(project: &Project, n_lines: usize) {
    let counted = project.query(
        "SELECT n_records + n_malformed + n_foreign, n_records - n_duplicates,
            (SELECT coalesce(sum(total + truncated + errors), 0)::BIGINT FROM points) FROM evals",
    );
    assert_eq!(counted[0][0], n_lines.to_string(), "lines");
    assert_eq!(counted[0][1], counted[0][2], "samples");
}

/// Runs `evaluate` on one raw file of so many lines that are not blank.
#[track_caller]
fn evaluate(bytes: impl AsRef<[u8]>, n_lines: usize) -> Run {
    let project = Project::with_raw(bytes);
    let run = project.evaluate_d("");
    check_nothing_is_lost(&project, n_lines);
    run
}

/// Lines, each with its end.
fn lines(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[test]
fn missing_keys() {
    let complete = record(0, "");
    let without = |member: &str| {
        assert!(complete.contains(member), "{member}");
        complete.replace(member, "")
    };
    let text = lines(&[
        &complete,
        &without("\"model\":\"m\","),
        &without("\"template\":\"t\","),
        &without("\"sampler\":\"s\","),
        &without("\"base_task\":\"b\","),
        &without("\"params\":{\"n\":1},"),
        &without("\"correct\":true,"),
        "{}",
        &record(1, ""),
    ]);
    insta::assert_snapshot!(evaluate(text, 9), @"
    exit code 1
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        1        2       1          0           0          7       0        0  files
    ----- stderr
    data/set/M/run/a.ndjson:2: missing key `model` (column 89)
    data/set/M/run/a.ndjson:3: missing key `template` (column 86)
    data/set/M/run/a.ndjson:4: missing key `sampler` (column 87)
    data/set/M/run/a.ndjson:5: missing key `base_task` (column 85)
    data/set/M/run/a.ndjson:6: missing key `params` (column 84)
    data/set/M/run/a.ndjson:7: missing key `correct` (column 86)
    data/set/M/run/a.ndjson:8: missing key `model` (column 3)
    note: 1 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
}

#[test]
fn wrong_types() {
    let members = [
        r#","model":1"#,
        r#","params":[]"#,
        r#","params":null"#,
        r#","correct":"yes""#,
        r#","correct":null"#,
        r#","truncated":0"#,
        r#","error":false"#,
        r#","guess_chance":1.5"#,
        r#","score":"1""#,
        r#","completion_tokens":-1"#,
        r#","prompt_tokens":2147483648"#,
        r#","response":{}"#,
        r#","prompt":5"#,
        r#","seed":1.5"#,
        r#","repeat":99999999999"#,
        r#","timestamp":"yesterday""#,
        r#","manifold":"x""#,
    ];
    let mut text = records(0..1);
    for member in members {
        text += &format!("{}\n", record(1, member));
    }
    insta::assert_snapshot!(evaluate(text, members.len() + 1), @r#"
    exit code 1
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        1        1       1          0           0         17       0        0  files
    ----- stderr
    data/set/M/run/a.ndjson:2: `model`: expected a string, found a number (column 109)
    data/set/M/run/a.ndjson:3: `params`: expected an object, found an array (column 110)
    data/set/M/run/a.ndjson:4: `params`: expected an object, found `null` (column 110)
    data/set/M/run/a.ndjson:5: `correct`: expected true or false, found a string (column 111)
    data/set/M/run/a.ndjson:6: `correct`: expected true or false, found null (column 115)
    data/set/M/run/a.ndjson:7: `truncated`: expected true or false, found a number (column 113)
    data/set/M/run/a.ndjson:8: `error`: expected a string, found `false` (column 109)
    data/set/M/run/a.ndjson:9: `guess_chance`: expected a number from 0 to 1, found 1.5 (column 116)
    data/set/M/run/a.ndjson:10: `score`: expected a number from 0 to 1, found a string (column 109)
    data/set/M/run/a.ndjson:11: `completion_tokens`: expected an integer from 0 to 2147483647, found -1 (column 121)
    data/set/M/run/a.ndjson:12: `prompt_tokens`: expected an integer from 0 to 2147483647, found 2147483648 (column 117)
    data/set/M/run/a.ndjson:13: `response`: expected a string, found an object (column 112)
    data/set/M/run/a.ndjson:14: `prompt`: expected a string or a list of messages, found a number (column 110)
    data/set/M/run/a.ndjson:15: `seed`: expected an integer of 64 bits, found 1.5 (column 108)
    data/set/M/run/a.ndjson:16: `repeat`: expected an integer from -2147483648 to 2147483647, found 99999999999 (column 110)
    data/set/M/run/a.ndjson:17: `timestamp`: expected an RFC 3339 date and time, found "yesterday" (column 113)
    data/set/M/run/a.ndjson:18: `manifold`: expected an object, found a string (column 112)
    note: 1 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    "#);
}

#[test]
fn lines_that_are_no_json_object() {
    let deep = record(1, &format!(",\"answer\":{}{}", "[".repeat(200), "]".repeat(200)));
    let text = lines(&[
        &record(0, ""),
        "[]",
        "null",
        "a log line",
        &record(1, ",}"),
        &(record(1, "") + "x"),
        &(record(1, "") + &record(2, "")),
        &record(1, ",\"answer\":01"),
        &record(1, ",\"answer\":NaN"),
        &record(1, ",\"answer\":\"\\x\""),
        &deep,
        "{",
    ]);
    insta::assert_snapshot!(evaluate(text, 12), @"
    exit code 1
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        1        1       1          0           0         11       0        0  files
    ----- stderr
    data/set/M/run/a.ndjson:2: expected a JSON object, found an array (column 1)
    data/set/M/run/a.ndjson:3: expected a JSON object, found `null` (column 1)
    data/set/M/run/a.ndjson:4: expected a JSON object, found `a` (column 1)
    data/set/M/run/a.ndjson:5: expected a key, found `}` (column 101)
    data/set/M/run/a.ndjson:6: expected the end of the line, found `x` (column 101)
    data/set/M/run/a.ndjson:7: expected the end of the line, found an object (column 101)
    data/set/M/run/a.ndjson:8: number with a leading zero (column 110)
    data/set/M/run/a.ndjson:9: expected a value, found `NaN` (column 110)
    data/set/M/run/a.ndjson:10: unknown escape in a string (column 111)
    data/set/M/run/a.ndjson:11: nested deeper than 128 levels (column 239)
    data/set/M/run/a.ndjson:12: expected a key, found the end of the line (column 2)
    note: 1 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
}

#[test]
fn numbers_beyond_all_bounds() {
    let text = lines(&[
        &record(0, ",\"score\":1e400"),
        &record(0, ",\"guess_chance\":-1e400"),
        &record(0, ",\"completion_tokens\":1e400"),
        &record(0, ",\"seed\":1e400"),
        &record(0, ",\"timestamp\":1e400"),
        // Nobody reads an answer.
        &record(0, ",\"answer\":1e400"),
    ]);
    insta::assert_snapshot!(evaluate(text, 6), @"
    exit code 1
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        1        1       1          0           0          5       0        0  files
    ----- stderr
    data/set/M/run/a.ndjson:1: `score`: expected a number from 0 to 1, found 1e400 (column 109)
    data/set/M/run/a.ndjson:2: `guess_chance`: expected a number from 0 to 1, found -1e400 (column 116)
    data/set/M/run/a.ndjson:3: `completion_tokens`: expected an integer from 0 to 2147483647, found 1e400 (column 121)
    data/set/M/run/a.ndjson:4: `seed`: expected an integer of 64 bits, found 1e400 (column 108)
    data/set/M/run/a.ndjson:5: `timestamp`: expected a string, found a number (column 113)
    note: 1 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
}

/// They are JSON, if no double: as a coordinate such a number stays as it was written, and the database can read it.
#[test]
fn coordinates_beyond_all_bounds() {
    let text = lines(&[
        &record(0, "").replace("{\"n\":1}", "{\"n\":1e400}"),
        &record(0, "").replace("{\"n\":1}", "{\"n\":12345678901234567890123}"),
        &record(0, ",\"manifold\":{\"id\":\"x\",\"target_tokens\":-1e400}"),
    ]);
    let project = Project::with_raw(text);
    project.evaluate_d("").succeeds();
    check_nothing_is_lost(&project, 3);
    let values = project.query(
        "SELECT params ->> '$.n', json_type(params, '$.n'), manifold ->> '$.target_tokens' FROM points ORDER BY params::VARCHAR",
    );
    assert_eq!(
        values,
        [["12345678901234567890123", "DOUBLE", "NULL"], ["1e400", "DOUBLE", "NULL"], ["1", "UBIGINT", "-1e400"]]
    );
}

#[test]
fn invalid_utf_8() {
    let mut bytes = records(0..2).into_bytes();
    bytes.extend(record(2, ",\"response\":\"caf").as_bytes());
    bytes.extend(b"\xE9\"}\n");
    bytes.extend(records(3..4).as_bytes());
    bytes.extend(b"\xFF\xFE\n");
    insta::assert_snapshot!(evaluate(bytes, 5), @"
    exit code 1
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        1        3       1          0           0          2       0        0  files
    ----- stderr
    data/set/M/run/a.ndjson:3: invalid UTF-8 (column 117)
    data/set/M/run/a.ndjson:5: invalid UTF-8 (column 1)
    note: 1 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
}

#[test]
fn nul_bytes() {
    let mut bytes = lines(&[&record(0, ""), &record(1, ",\"response\":\"a\0b\""), "\0", &record(2, "")]).into_bytes();
    // What is left of a block that never reached the disk.
    bytes.extend([0; 4096]);
    insta::assert_snapshot!(evaluate(bytes, 5), @"
    exit code 1
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        1        2       1          0           0          3       0        0  files
    ----- stderr
    data/set/M/run/a.ndjson:2: control character 0x00 in a string (column 114)
    data/set/M/run/a.ndjson:3: expected a JSON object, found control character 0x00 (column 1)
    data/set/M/run/a.ndjson:5: torn last line: no line end, and expected a JSON object, found control character 0x00 (column 1)
    note: 1 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
}

#[test]
fn a_torn_last_line() {
    let whole = records(0..3);
    insta::assert_snapshot!(evaluate(&whole[..whole.len() - 20], 3), @"
    exit code 1
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        1        2       1          0           0          1       0        0  files
    ----- stderr
    data/set/M/run/a.ndjson:3: torn last line: no line end, and string has no end (column 76)
    note: 1 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
}

#[test]
fn a_last_line_without_an_end_is_a_line() {
    let whole = records(0..3);
    evaluate(whole.trim_end(), 3).succeeds();
}

/// The rows that a raw file gives, without complaint.
#[track_caller]
fn rows(bytes: impl AsRef<[u8]>) -> Vec<Vec<String>> {
    let project = Project::with_raw(bytes);
    let run = project.evaluate_d("-q").succeeds();
    assert_eq!(run.stderr, "");
    points_without_places(&project.open(DB))
}

#[test]
fn line_ends_blank_lines_and_marks_change_nothing() {
    let text = records(0..3);
    let expected = rows(&text);
    check_same("CRLF", &rows(text.replace('\n', "\r\n")), &expected);
    check_same("CRLF, the last without LF", &rows(text.replace('\n', "\r\n").trim_end_matches('\n')), &expected);
    check_same("blank lines", &rows(text.replace('\n', "\n\n \t\r\n")), &expected);
    check_same("byte order mark", &rows(format!("\u{FEFF}{text}")), &expected);
    check_same("mark and CRLF", &rows(format!("\u{FEFF}{}", text.replace('\n', "\r\n"))), &expected);
}

#[test]
fn a_byte_order_mark_elsewhere_is_no_blank() {
    insta::assert_snapshot!(evaluate(format!("{}\u{FEFF}{}", records(0..1), records(1..3)), 3), @"
    exit code 1
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        1        2       1          0           0          1       0        0  files
    ----- stderr
    data/set/M/run/a.ndjson:2: expected a JSON object, found `﻿` (column 1)
    note: 1 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
}

#[test]
fn empty_files_hold_nothing() {
    for bytes in [&b""[..], b"\n\n", b"\xEF\xBB\xBF", b" \r\n\t\n"] {
        let project = Project::with_raw(bytes);
        let run = project.evaluate_d("-q --format csv").succeeds();
        assert_eq!(run.stderr, "", "{bytes:?}");
        check_nothing_is_lost(&project, 0);
    }
}

#[test]
fn an_empty_file_in_full() {
    insta::assert_snapshot!(evaluate("", 0), @"
    exit code 0
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        1        0       0          0           0          0       0        0  files
    ----- stderr
    note: 0 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
}

#[test]
fn a_line_of_64_megabytes_is_a_line() {
    let long = record(1, &format!(",\"response\":\"{}\"", "a".repeat(64 << 20)));
    let text = lines(&[&record(0, ""), &long, &record(2, ""), &long[..long.len() - 1], &record(3, "")]);
    let project = Project::with_raw(text);
    let run = project.evaluate_d("");
    check_nothing_is_lost(&project, 5);
    let lists = project.query("SELECT sample_index_list, response_bytes_list FROM points");
    assert_eq!(lists, [["[0, 1, 2, 3]", "[0, 67108864, 0, 0]"]]);
    assert_eq!(run.code, Some(1));
    let problem =
        format!("data/set/M/run/a.ndjson:4: expected `,` or `}}`, found the end of the line (column {})", long.len());
    assert_eq!(run.stderr.lines().next(), Some(problem.as_str()));
}

#[test]
fn of_a_key_that_stands_twice_the_last_counts() {
    let text = lines(&[
        &record(0, ",\"correct\":false"),
        &record(1, ",\"error\":\"HTTP 503\",\"error\":null"),
        &record(2, ",\"completion_tokens\":7,\"completion_tokens\":8"),
        &record(3, ",\"params\":{\"n\":1,\"n\":2}"),
        &record(4, ",\"model\":\"other\""),
    ]);
    let project = Project::with_raw(text);
    project.evaluate_d("").succeeds();
    check_nothing_is_lost(&project, 5);
    let rows = project.query(
        "SELECT params, correct, total, errors, completion_tokens_list, sample_index_list FROM points ORDER BY params::VARCHAR",
    );
    assert_eq!(
        rows,
        [["{\"n\":1}", "2", "3", "0", "[NULL, NULL, 8]", "[0, 1, 2]"], ["{\"n\":2}", "1", "1", "0", "[NULL]", "[3]"]]
    );
    assert_eq!(project.query("SELECT n_foreign FROM evals"), [["1"]]);
}

#[test]
fn many_problems_are_counted() {
    let text = "{}\n".repeat(50) + &records(0..1);
    let run = evaluate(text, 51);
    assert_eq!(run.code, Some(1));
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(lines.len(), 22, "{run}");
    assert_eq!(lines[19], "data/set/M/run/a.ndjson:20: missing key `model` (column 3)");
    assert_eq!(lines[20], "... and 30 more problems; in a cohort `cohort validate` lists them all");
}

/// Problems come in the order of files and lines.
#[test]
fn problems_of_several_files() {
    let project = Project::with_raw(records(0..1) + "{}\n");
    project.write("data/set/M/run/b.ndjson", records(1..2) + "\n[]\n");
    project.write("data/set/M/run/c.jsonl", format!("3\n{}\n", record(2, "")));
    project.write("data/set/M/run/notes.txt", "not read");
    let run = project.evaluate_d("");
    check_nothing_is_lost(&project, 6);
    insta::assert_snapshot!(run, @"
    exit code 1
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        3        3       1          0           0          3       0        0  files
    ----- stderr
    data/set/M/run/a.ndjson:2: missing key `model` (column 3)
    data/set/M/run/b.ndjson:3: expected a JSON object, found an array (column 1)
    data/set/M/run/c.jsonl:1: expected a JSON object, found a number (column 1)
    note: 1 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
}

fn packed_zst(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn packed_gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A project with a good plain file and a packed one.
fn with_packed(name: &str, bytes: &[u8]) -> Project {
    let project = Project::with_raw(records(0..3));
    project.write(&format!("data/set/M/run/{name}"), bytes);
    project
}

#[test]
fn a_zst_file_that_is_cut_off() {
    let packed = packed_zst(records(3..50).as_bytes());
    let project = with_packed("b.ndjson.zst", &packed[..packed.len() / 2]);
    insta::assert_snapshot!(project.evaluate_d(""), @"
    exit code 1
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        2        3       1          0           0          1       0        0  files
    ----- stderr
    data/set/M/run/b.ndjson.zst: cannot be read to its end, the zstd data is damaged or cut off: incomplete frame
    note: 1 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
    assert_eq!(project.query("SELECT n_malformed FROM evals"), [["1"]]);
}

#[test]
fn a_zst_file_with_a_flipped_bit() {
    let mut packed = packed_zst(records(3..50).as_bytes());
    let checksum = packed.len() - 4;
    packed[checksum] ^= 4;
    let project = with_packed("b.ndjson.zst", &packed);
    insta::assert_snapshot!(project.evaluate_d(""), @"
    exit code 1
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        2        3       1          0           0          1       0        0  files
    ----- stderr
    data/set/M/run/b.ndjson.zst: cannot be read to its end, the zstd data is damaged or cut off: Restored data doesn't match checksum
    note: 1 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
    assert_eq!(project.query("SELECT n_malformed FROM evals"), [["1"]]);
}

#[test]
fn a_zst_file_that_is_none() {
    let project = with_packed("b.ndjson.zst", records(3..6).as_bytes());
    insta::assert_snapshot!(project.evaluate_d(""), @"
    exit code 1
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        2        3       1          0           0          1       0        0  files
    ----- stderr
    data/set/M/run/b.ndjson.zst: cannot be read to its end, the zstd data is damaged or cut off: Unknown frame descriptor
    note: 1 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
}

#[test]
fn a_gz_file_that_is_cut_off() {
    let packed = packed_gz(records(3..4000).as_bytes());
    let project = with_packed("b.ndjson.gz", &packed[..packed.len() - 8]);
    insta::assert_snapshot!(project.evaluate_d(""), @"
    exit code 1
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        2    4,000       1          0           0          1       0        0  files
    ----- stderr
    data/set/M/run/b.ndjson.gz: cannot be read to its end, the gzip data is damaged or cut off: unexpected end of file
    note: 1 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
    assert_eq!(project.query("SELECT n_malformed FROM evals"), [["1"]]);
}

#[test]
fn a_gz_file_with_a_wrong_checksum() {
    let mut packed = packed_gz(records(3..4000).as_bytes());
    let checksum = packed.len() - 8;
    packed[checksum] ^= 1;
    let project = with_packed("b.ndjson.gz", &packed);
    insta::assert_snapshot!(project.evaluate_d(""), @"
    exit code 1
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        2    4,000       1          0           0          1       0        0  files
    ----- stderr
    data/set/M/run/b.ndjson.gz: cannot be read to its end, the gzip data is damaged or cut off: corrupt gzip stream does not have a matching checksum
    note: 1 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
}

#[test]
fn packed_files_of_no_bytes_are_cut_off() {
    let project = with_packed("b.ndjson.gz", b"");
    project.write("data/set/M/run/c.ndjson.zst", b"");
    insta::assert_snapshot!(project.evaluate_d(""), @"
    exit code 1
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        3        3       1          0           0          2       0        0  files
    ----- stderr
    data/set/M/run/b.ndjson.gz: cannot be read to its end, the gzip data is damaged or cut off: unexpected end of file
    data/set/M/run/c.ndjson.zst: cannot be read to its end, the zstd data is damaged or cut off: incomplete frame
    note: 1 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
}

/// Several frames or members one after another are one file.
#[test]
fn packed_pieces_add_up() {
    let project = with_packed(
        "b.ndjson.zst",
        &[packed_zst(records(3..5).as_bytes()), packed_zst(records(5..6).as_bytes())].concat(),
    );
    project.write(
        "data/set/M/run/c.jsonl.gz",
        [packed_gz(&records(6..8).as_bytes()[..50]), packed_gz(&records(6..8).as_bytes()[50..])].concat(),
    );
    project.evaluate_d("").succeeds();
    assert_eq!(project.query("SELECT sample_index_list FROM points"), [["[0, 1, 2, 3, 4, 5, 6, 7]"]]);
    check_nothing_is_lost(&project, 8);
}

#[test]
fn strict_stops_and_leaves_the_old_database() {
    let project = Project::with_raw(records(0..3));
    project.evaluate_d("-q").succeeds();
    let before = points(&project.open(DB));
    project.write("data/set/M/run/a.ndjson", records(0..5) + "{\"model\":3}\n" + &records(5..7));
    insta::assert_snapshot!(project.evaluate_d("--strict"), @"
    exit code 1
    ----- stderr
    error: data/set/M/run/a.ndjson:6: `model`: expected a string, found a number (column 10)
    hint: without --strict the line is counted and the rest goes on
    ");
    check_same("points", &points(&project.open(DB)), &before);
    assert_eq!(project.files_in("data"), ["d.db", "d.json"]);
}

#[test]
fn strict_stops_at_a_damaged_file() {
    let packed = packed_zst(records(3..4000).as_bytes());
    let project = with_packed("b.ndjson.zst", &packed[..packed.len() / 2]);
    insta::assert_snapshot!(project.evaluate_d("--strict"), @"
    exit code 1
    ----- stderr
    error: data/set/M/run/b.ndjson.zst: cannot be read to its end, the zstd data is damaged or cut off: incomplete frame
    hint: without --strict the line is counted and the rest goes on
    ");
    assert_eq!(project.files_in("data"), ["d.json"]);
}

#[test]
fn strict_does_not_mind_good_data() {
    let project = Project::with_raw(records(0..3));
    project.evaluate_d("--strict").succeeds();
    check_nothing_is_lost(&project, 3);
}

/// What names hold cannot move the cursor.
#[test]
fn control_characters_in_messages() {
    let project = Project::with_raw(
        record(0, ",\"score\":\"\u{1b}[2J\"") + "\n" + &record(1, ",\"timestamp\":\"\\u001b[2J\"") + "\n",
    );
    insta::assert_snapshot!(project.evaluate_d(""), @r#"
    exit code 1
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        1        0       0          0           0          2       0        0  files
    ----- stderr
    data/set/M/run/a.ndjson:1: `score`: expected a number from 0 to 1, found a string (column 109)
    data/set/M/run/a.ndjson:2: `timestamp`: expected an RFC 3339 date and time, found "\u{1b}[2J" (column 113)
    note: 0 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    "#);
}

/// An identity that is mistyped finds nothing: who is there is told.
#[test]
fn records_of_others_only() {
    let project = Project::with_raw(records(0..3).replace("\"m\"", "\"M\""));
    insta::assert_snapshot!(project.evaluate_d(""), @"
    exit code 0
    ----- stdout
    eval_id  label  files  records  points  truncated  duplicates  malformed  errors  foreign  from
    34c4dc   L m        1        0       0          0           0          0       0        3  files
    ----- stderr
    warning: 34c4dc: no record is of `m+t+s`; its files hold 3 of others: `M+t+s`
    note: 0 points in data/d.db; 0.0 MB read in [TIME] s ([SPEED] MB/s)
    ");
}

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use proptest::sample::Index;

use super::files::Shared;
use super::*;
use crate::diagnostic::Problem;
use crate::forensics::{SPECTRUM_BINS, Spectrum};
use crate::origin::InBlob;
use crate::pack::{self, Pack};
use crate::point::Attributes;
use crate::reader::MAX_LINE_BYTES;
use crate::sample::Sample;

/// Raw files in a temporary folder.
struct Files {
    folder: tempfile::TempDir,
    inputs: Vec<Input>,
}

impl Files {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), inputs: Vec::new() }
    }

    /// A file whose records all evaluations up to `n_evaluations` may claim.
    fn add(&mut self, codec: Codec, text: &[u8], n_evaluations: usize) {
        let path = self.folder.path().join(self.inputs.len().to_string());
        fs_err::write(&path, packed(codec, text)).unwrap();
        let size_bytes = fs_err::metadata(&path).unwrap().len();
        let evaluations = (0..n_evaluations).collect();
        self.inputs.push(Input { path, codec, size_bytes, origin: Origin::File, evaluations });
    }

    /// Files of one evaluation, plain.
    fn plain<T: AsRef<[u8]>>(texts: impl IntoIterator<Item = T>) -> Self {
        let mut files = Self::new();
        texts.into_iter().for_each(|text| files.add(Codec::Plain, text.as_ref(), 1));
        files
    }
}

fn packed(codec: Codec, text: &[u8]) -> Vec<u8> {
    match codec {
        Codec::Plain => text.to_vec(),
        Codec::Zstd => zstd::encode_all(text, 1).unwrap(),
        Codec::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
    }
}

const CODECS: [Codec; 3] = [Codec::Plain, Codec::Zstd, Codec::Gzip];

fn wanted(model: &str, context_tokens: Option<u32>) -> Wanted {
    let identity = Identity { model: model.into(), template: "t".into(), sampler: "s".into() };
    Wanted { identity, context_tokens }
}

/// A record of the model `m`; `members` come last and so win over what it has.
fn line(members: &str) -> String {
    format!(
        "{{\"model\":\"m\",\"template\":\"t\",\"sampler\":\"s\",\"base_task\":\"b\",\"params\":{{}},\"correct\":true{members}}}\n"
    )
}

/// Collects one evaluation, on so many threads, in pieces of these sizes.
fn collect_so(wanted: &[Wanted], inputs: &[Input], pieces: Pieces, n_threads: usize) -> Collection {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
    let (keep, on_malformed) = (Keep::Points, OnMalformed::Continue);
    pool.install(|| {
        collect_in(pieces, wanted, inputs, How { keep, on_malformed, examiner: None, cache: None }, &Monitor::default())
    })
    .unwrap()
}

/// Collects the evaluation of the model `m`.
fn collect_m(files: &Files) -> Collection {
    collect_so(&[wanted("m", None)], &files.inputs, Pieces::default(), 2)
}

/// What does not depend on which files and lines records stand in.
fn without_places(found: &[Collected]) -> Vec<Collected> {
    let mut found = found.to_vec();
    for collected in &mut found {
        collected.files.clear();
        for sample in collected.points.iter_mut().flat_map(|point| &mut point.samples) {
            (sample.file, sample.line) = (0, None);
        }
    }
    found
}

#[track_caller]
fn check_kept(lines: &[&str], completion_tokens: &[u32]) {
    let text: String = lines.iter().map(|members| line(members)).collect();
    let together = collect_m(&Files::plain([text]));
    let apart = collect_m(&Files::plain(lines.iter().map(|members| line(members))));
    assert_eq!(without_places(&together.evaluations), without_places(&apart.evaluations), "one file or several");
    let points = &together.evaluations[0].points;
    let kept: Vec<u32> =
        points.iter().flat_map(|point| &point.samples).filter_map(|sample| sample.completion_tokens).collect();
    assert_eq!(kept, completion_tokens);
}

/// Without timestamps the last record in (path, line) order counts, however its coordinates are spelled and whatever
/// else it carries.
#[test]
fn the_last_of_equal_duplicates_counts() {
    let spellings = [
        r#","index":0,"params":{"a":1,"b":2},"completion_tokens":1"#,
        r#","index":0,"params":{"b":2,"a":1},"completion_tokens":2"#,
        r#","index":0,"params":{"a":1,"b":2},"completion_tokens":3"#,
    ];
    check_kept(&spellings, &[3]);
    check_kept(&[spellings[0], spellings[2], spellings[1]], &[2]);
    let counts = [
        r#","index":0,"params":{"a":1,"count":8},"completion_tokens":1"#,
        r#","index":0,"params":{"a":1,"count":64},"completion_tokens":2"#,
        r#","index":0,"params":{"a":1,"count":8},"completion_tokens":3"#,
    ];
    check_kept(&counts, &[3]);
    let steps = [
        r#","index":0,"task":"first","completion_tokens":1"#,
        r#","index":0,"task":"second","completion_tokens":2"#,
        r#","index":0,"task":"first","completion_tokens":3"#,
    ];
    check_kept(&steps, &[3]);
}

#[test]
fn an_empty_text_is_not_an_absent_one() {
    let files = Files::plain([line(r#","params":{"a":1},"index":1,"category":"""#)
        + &line(r#","params":{"a":1},"index":0,"task":"""#)
        + &line(r#","params":{"a":2},"index":1,"task":"""#)
        + &line(r#","params":{"a":2},"index":0,"category":"""#)]);
    let found = collect_m(&files);
    let attributes: Vec<&Attributes> = found.evaluations[0].points.iter().map(|point| &point.attributes).collect();
    let empty = || Some(String::new());
    assert_eq!(attributes[0], &Attributes { task: empty(), ..Attributes::default() });
    assert_eq!(attributes[1], &Attributes { category: empty(), ..Attributes::default() });
}

/// A point's task, category and manifold are those of its first sample, not of its first record.
#[test]
fn attributes_are_of_the_first_sample() {
    let files = Files::plain([
        line(r#","index":1,"task":"second""#),
        line(r#","index":0,"task":"lost","timestamp":"2026-01-01T00:00:00""#)
            + &line(r#","index":0,"task":"first","timestamp":"2026-01-02T00:00:00""#),
    ]);
    assert_eq!(collect_m(&files).evaluations[0].points[0].attributes.task.as_deref(), Some("first"));
}

/// What a record carries besides its timestamp.
#[derive(Debug, Clone)]
struct Members {
    coordinate: &'static str,
    sample: String,
    attributes: &'static str,
    result: String,
}

/// Three coordinates, some spelled in two ways.
fn coordinate() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        r#","params":{"a":1,"b":"x","count":3}"#,
        r#","params":{ "b":"\u0078", "a":1 }"#,
        r#","params":{"a":2}"#,
        r#","params":{"a":2},"base_task":"c""#,
        r#","base_task":"\u0063","params":{"a":2,"count":1}"#,
    ])
}

/// Which sample of a point a record is; `Some` names tell duplicates apart from others.
fn sample() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..3, 0..4, 0..2)
            .prop_map(|(seed, index, repeat)| format!(r#","seed":{seed},"index":{index},"repeat":{repeat}"#)),
        (0..4).prop_map(|index| format!(r#","index":{index}"#)),
        (0..4).prop_map(|id| format!(r#","id":"i{id}""#)),
    ]
}

fn result() -> impl Strategy<Value = String> {
    let flags = prop::sample::select(vec![
        "",
        r#","correct":false"#,
        r#","truncated":true"#,
        r#","invalid":true"#,
        r#","error":"HTTP 503""#,
        r#","hard_terminated":true"#,
    ]);
    (flags, 0_u32..2000, prop::option::of(0_u32..10), "\\PC{0,8}").prop_map(|(flags, tokens, tenths, response)| {
        let response = serde_json::Value::from(response);
        let chance = tenths.map(|tenths| format!(r#","guess_chance":0.{tenths},"score":0.{tenths}"#));
        let chance = chance.unwrap_or_default();
        format!(r#"{flags},"completion_tokens":{tokens},"response":{response}{chance}"#)
    })
}

fn members(sample: impl Strategy<Value = String>) -> impl Strategy<Value = Members> {
    let attributes =
        prop::sample::select(vec!["", r#","task":"x""#, r#","task":"","category":"y""#, r#","manifold":{"id":"z"}"#]);
    (coordinate(), sample, attributes, result()).prop_map(|(coordinate, sample, attributes, result)| Members {
        coordinate,
        sample,
        attributes,
        result,
    })
}

/// Records, a line each, with different timestamps, so that no two of a sample are equally late.
fn lines(sample: impl Strategy<Value = String>) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(members(sample), 1..40).prop_map(|records| {
        let timed = records.iter().enumerate().map(|(at, record)| {
            let Members { coordinate, sample, attributes, result } = record;
            line(&format!(r#"{coordinate}{sample}{attributes}{result},"timestamp":"2026-01-01T00:00:{at:02}""#))
        });
        timed.collect()
    })
}

fn pieces() -> impl Strategy<Value = Pieces> {
    // The first range must hold a byte order mark.
    (4_u64..2000, 16_usize..600, 16_usize..600).prop_map(|(range_bytes, plain_block_bytes, stream_block_bytes)| {
        Pieces { range_bytes, plain_block_bytes, stream_block_bytes }
    })
}

/// Lines, dealt out to files of any codec.
fn dealt(lines: &[String], to: &[(Index, Codec)], wanted: &[Wanted]) -> Files {
    let mut texts = vec![String::new(); to.len()];
    for (line, (index, _)) in lines.iter().zip(to.iter().cycle()) {
        texts[index.index(to.len())].push_str(line);
    }
    let mut files = Files::new();
    for (text, (_, codec)) in texts.iter().zip(to) {
        files.add(*codec, text.as_bytes(), wanted.len());
    }
    files
}

fn files_to_deal_to() -> impl Strategy<Value = Vec<(Index, Codec)>> {
    prop::collection::vec((any::<Index>(), prop::sample::select(CODECS.to_vec())), 1..6)
}

/// What does not depend on how the records are spread over files.
fn sums(found: &Collected) -> (Tally, u64, u64, u64, u64) {
    (found.tally, found.n_duplicates, found.n_errors, found.n_malformed, found.n_foreign)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn however_records_are_spread_over_files(
        (lines, shuffled) in lines(prop_oneof![sample(), Just(String::new())]).prop_flat_map(|lines| (Just(lines.clone()), Just(lines).prop_shuffle())),
        to in files_to_deal_to(),
        pieces in pieces(),
        n_threads in 1_usize..5,
    ) {
        let wanted = [wanted("m", None), wanted("m", Some(1000))];
        let mut whole = Files::new();
        whole.add(Codec::Plain, lines.concat().as_bytes(), wanted.len());
        let expected = collect_so(&wanted, &whole.inputs, Pieces::default(), 1);
        prop_assert_eq!(&expected.diagnostics, &[]);
        let n_samples = |found: &Collected| found.points.iter().map(|point| point.samples.len() as u64).sum::<u64>();
        for found in &expected.evaluations {
            prop_assert_eq!(found.tally.n_records, lines.len() as u64);
            prop_assert_eq!(n_samples(found) + found.n_errors + found.n_duplicates, lines.len() as u64);
        }
        let found = collect_so(&wanted, &dealt(&shuffled, &to, &wanted).inputs, pieces, n_threads);
        prop_assert_eq!(without_places(&found.evaluations), without_places(&expected.evaluations));
    }

    #[test]
    fn whole_files_twice_are_duplicates(
        lines in lines(sample()),
        to in files_to_deal_to(),
        again in any::<Index>(),
        pieces in pieces(),
    ) {
        let wanted = [wanted("m", None)];
        let mut files = dealt(&lines, &to, &wanted);
        let once = collect_so(&wanted, &files.inputs, pieces, 2);
        let again = files.inputs[again.index(files.inputs.len())].clone();
        files.inputs.push(again);
        let twice = collect_so(&wanted, &files.inputs, pieces, 2);
        prop_assert_eq!(
            &without_places(&twice.evaluations)[0].points,
            &without_places(&once.evaluations)[0].points
        );
        let more: u64 = twice.files.last().unwrap().identities.values().map(|tally| tally.n_records).sum();
        prop_assert_eq!(twice.evaluations[0].n_duplicates, once.evaluations[0].n_duplicates + more);
        prop_assert_eq!(twice.evaluations[0].tally.n_records, once.evaluations[0].tally.n_records + more);
    }

    /// Bad lines among good ones, and an end that may be torn: the same problems at the same places, however the file
    /// is packed and cut into pieces.
    #[test]
    fn problems_have_one_place(
        lines in prop::collection::vec(prop::sample::select(vec![
            line(r#","index":1"#),
            line(r#","model":"other""#),
            "{}\n".to_owned(),
            "\n".to_owned(),
            "a long line that is no JSON at all, and so on, and so on\r\n".to_owned(),
            format!("{{\"model\":\"{}\"}}\n", "x".repeat(700)),
        ]), 0..30),
        cut in 0_usize..60,
        has_mark in any::<bool>(),
        codec in prop::sample::select(CODECS.to_vec()),
        pieces in pieces(),
        n_threads in 1_usize..4,
    ) {
        let text = format!("{}{}", if has_mark { "\u{FEFF}" } else { "" }, lines.concat());
        let text = &text.as_bytes()[..text.len().saturating_sub(cut)];
        let wanted = [wanted("m", None)];
        let places = |found: &Collection| {
            found.diagnostics.iter().map(|one| (one.line, one.column, one.problem, one.what.clone())).collect::<Vec<_>>()
        };
        let mut whole = Files::new();
        whole.add(Codec::Plain, text, 1);
        let expected = collect_so(&wanted, &whole.inputs, Pieces::default(), 1);
        let mut files = Files::new();
        files.add(codec, text, 1);
        let found = collect_so(&wanted, &files.inputs, pieces, n_threads);
        prop_assert_eq!(places(&found), places(&expected));
        prop_assert_eq!(sums(&found.evaluations[0]), sums(&expected.evaluations[0]));
        prop_assert_eq!(&found.evaluations[0].points, &expected.evaluations[0].points);
        prop_assert_eq!(&found.evaluations[0].files, &expected.evaluations[0].files);
        // No line is lost.
        let is_blank = |line: &[u8]| line.trim_ascii().is_empty();
        let without_mark = text.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(text);
        let n_lines = without_mark.split(|byte| *byte == b'\n').filter(|line| !is_blank(line)).count() as u64;
        let (tally, _, _, n_malformed, n_foreign) = sums(&found.evaluations[0]);
        prop_assert_eq!(tally.n_records + n_malformed + n_foreign, n_lines);
        prop_assert_eq!(n_malformed, found.diagnostics.len() as u64);
    }

    /// A bit that flips in a packed file with a checksum is noticed, or changes nothing (it may be one that nobody reads).
    #[test]
    fn flipped_bits_are_noticed(position in any::<Index>(), bit in 0_u8..8, is_zstd in any::<bool>()) {
        let text: String = (0..50).map(|index| line(&format!(r#","index":{index},"response":"{}""#, index * 7919))).collect();
        let mut bytes = if is_zstd {
            let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
            encoder.include_checksum(true).unwrap();
            encoder.write_all(text.as_bytes()).unwrap();
            encoder.finish().unwrap()
        } else {
            packed(Codec::Gzip, text.as_bytes())
        };
        let position = position.index(bytes.len());
        bytes[position] ^= 1 << bit;
        let mut files = Files::new();
        files.add(if is_zstd { Codec::Zstd } else { Codec::Gzip }, b"", 1);
        fs_err::write(&files.inputs[0].path, bytes).unwrap();
        let found = collect_m(&files);
        if found.evaluations[0].n_malformed == 0 {
            prop_assert_eq!(&found.evaluations[0].points, &collect_m(&Files::plain([text])).evaluations[0].points);
        }
    }
}

/// Texts of some length whose records come to a known number of points.
fn many_lines(n_lines: u64, response_bytes: usize) -> String {
    let response = "x".repeat(response_bytes);
    (0..n_lines)
        .map(|index| line(&format!(r#","index":{index},"params":{{"n":{}}},"response":"{response}""#, index % 7)))
        .collect()
}

/// Samples of one file stand in the lines that they say, and marks where lines begin.
#[track_caller]
fn check_places(found: &Collected, text: &str) {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for sample in found.points.iter().flat_map(|point| &point.samples) {
        let line = lines[sample.line.expect("nothing is damaged").get() as usize - 1];
        let index = format!("\"index\":{},", sample.index.expect("all have one"));
        assert!(sample.file == 0 && line.contains(&index), "{index} {line:.100}");
    }
    let mut marks = Vec::new();
    let mut offset = 0;
    for (line, text) in (1..).zip(&lines) {
        if marks.last().is_none_or(|last: &Mark| last.offset / MARK_BYTES < offset / MARK_BYTES) {
            marks.push(Mark { line, offset });
        }
        offset += text.len() as u64;
    }
    assert_eq!(found.files, [SampleFile { input: 0, file: 0, marks }]);
}

/// Files are called by their position among those that the evaluation matches, whatever else is read.
#[test]
fn samples_name_their_files() {
    let mut files = Files::plain([line(r#","index":0"#), line(r#","model":"other""#), line(r#","index":1"#)]);
    files.inputs[0].evaluations = vec![1];
    for input in &mut files.inputs[1..] {
        input.evaluations = vec![0, 1];
    }
    let found = collect_so(&[wanted("m", None), wanted("m", Some(9))], &files.inputs, Pieces::default(), 2);
    let marks = vec![Mark { line: 1, offset: 0 }];
    let file = |input, file| SampleFile { input, file, marks: marks.clone() };
    assert_eq!(found.evaluations[0].files, [file(2, 1)]);
    assert_eq!(found.evaluations[1].files, [file(0, 0), file(2, 2)]);
    let named = |found: &Collected| found.points[0].samples.iter().map(|sample| sample.file).collect::<Vec<_>>();
    assert_eq!((named(&found.evaluations[0]), named(&found.evaluations[1])), (vec![1], vec![0, 2]));
}

/// A plain file of several real ranges, with problems in all of them, and the same packed.
#[test]
fn a_large_file_is_its_lines() {
    let good = many_lines(6000, 8000);
    let n_bad = 3_u64;
    let lines: Vec<&str> = good.split_inclusive('\n').collect();
    let bad_at: [usize; 3] = [10, 3000, 5999];
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        if bad_at.contains(&number) {
            text.push_str("{\"model\":7}\n");
        }
        text.push_str(line);
    }
    assert!(text.len() as u64 > 2 * Pieces::default().range_bytes, "several ranges");
    let expected_lines: Vec<u64> = (1..).zip(bad_at).map(|(before, at)| at as u64 + before).collect();

    let small: Vec<String> = lines.chunks(100).map(<[&str]>::concat).collect();
    let expected = without_places(&collect_m(&Files::plain(small)).evaluations).remove(0);
    assert_eq!((expected.points.len(), expected.tally.n_records), (7, 6000));
    for codec in CODECS {
        let mut files = Files::new();
        files.add(codec, text.as_bytes(), 1);
        for n_threads in [1, 2, 4] {
            let found = collect_so(&[wanted("m", None)], &files.inputs, Pieces::default(), n_threads);
            let points = &without_places(&found.evaluations)[0].points;
            assert_eq!(*points, expected.points, "{codec:?} {n_threads}");
            check_places(&found.evaluations[0], &text);
            assert_eq!(found.evaluations[0].n_malformed, n_bad, "{codec:?} {n_threads}");
            let places: Vec<u64> = found.diagnostics.iter().filter_map(|problem| problem.line).collect();
            assert_eq!(places, expected_lines, "{codec:?} {n_threads}");
        }
    }
}

/// Ranges that a long line crosses do not each read it to its end.
#[test]
fn a_long_line_is_read_about_once() {
    let files = Files::plain([line("") + &line(&format!(r#","response":"{}""#, "x".repeat(80 << 20))) + &line("")]);
    let monitor = Monitor::default();
    let found = collect(
        &[wanted("m", None)],
        &files.inputs,
        How { keep: Keep::Points, on_malformed: OnMalformed::Continue, examiner: None, cache: None },
        &monitor,
    )
    .unwrap();
    assert_eq!(found.evaluations[0].points[0].samples.len(), 3);
    let read_bytes = monitor.done_bytes.load(Ordering::Relaxed);
    let most = 2 * files.inputs[0].size_bytes + (1 << 20);
    assert!(read_bytes <= most, "{read_bytes} read of {}", files.inputs[0].size_bytes);
}

#[test]
fn a_file_that_has_grown_is_read_to_its_end() {
    let mut files = Files::plain([many_lines(10, 10)]);
    for size_bytes in [0, 100] {
        files.inputs[0].size_bytes = size_bytes;
        assert_eq!(collect_m(&files).evaluations[0].tally.n_records, 10);
    }
}

#[test]
fn a_file_that_has_gone_is_a_problem() {
    let mut files = Files::plain([line(""), line("")]);
    fs_err::remove_file(&files.inputs[0].path).unwrap();
    files.inputs[0].path = PathBuf::from("nowhere/a.ndjson");
    let found = collect_m(&files);
    assert_eq!((found.evaluations[0].tally.n_records, found.evaluations[0].n_malformed), (1, 1));
    let problem = &found.diagnostics[0];
    assert_eq!((problem.path.as_str(), problem.line, problem.problem), ("nowhere/a.ndjson", None, Problem::Unreadable));
}

#[test]
fn cancelling_stops() {
    let files = Files::plain([many_lines(100, 10)]);
    let monitor = Monitor::default();
    monitor.cancel.store(true, Ordering::Relaxed);
    let result = collect(
        &[wanted("m", None)],
        &files.inputs,
        How { keep: Keep::Points, on_malformed: OnMalformed::Continue, examiner: None, cache: None },
        &monitor,
    );
    assert!(matches!(result, Err(CollectError::Cancelled)), "{result:?}");
    assert_eq!(monitor.done_bytes.load(Ordering::Relaxed), 0);
}

#[test]
fn cancelling_stops_in_the_middle() {
    for codec in CODECS {
        let mut files = Files::new();
        files.add(codec, many_lines(2000, 8000).as_bytes(), 1);
        let size_bytes = files.inputs[0].size_bytes;
        // Endless, were it not stopped.
        files.inputs = std::iter::repeat_n(files.inputs[0].clone(), 1_000_000).collect();
        let monitor = Monitor::default();
        let result = std::thread::scope(|scope| {
            scope.spawn(|| {
                while monitor.done_bytes.load(Ordering::Relaxed) == 0 {
                    std::thread::yield_now();
                }
                monitor.cancel.store(true, Ordering::Relaxed);
            });
            collect(
                &[wanted("m", None)],
                &files.inputs,
                How { keep: Keep::Points, on_malformed: OnMalformed::Continue, examiner: None, cache: None },
                &monitor,
            )
        });
        assert!(matches!(result, Err(CollectError::Cancelled)), "{codec:?}");
        assert!(monitor.done_bytes.load(Ordering::Relaxed) < 100_000 * size_bytes, "{codec:?}");
    }
}

#[test]
fn a_malformed_line_stops_where_that_is_asked() {
    for codec in CODECS {
        let mut files = Files::new();
        files.add(codec, (line("") + "\n{}\n" + &line("")).as_bytes(), 1);
        let monitor = Monitor::default();
        match collect(
            &[wanted("m", None)],
            &files.inputs,
            How { keep: Keep::Points, on_malformed: OnMalformed::Stop, examiner: None, cache: None },
            &monitor,
        ) {
            Err(CollectError::Malformed(problem)) => {
                assert_eq!((problem.line, problem.what.as_str()), (Some(3), "missing key `model`"));
            }
            other => panic!("{other:?}"),
        }
    }
}

/// The first in (file, line) order, whichever is found first: the last file is the largest, and so the first to be read.
#[test]
fn the_first_malformed_line_is_told() {
    for codec in CODECS {
        let mut files = Files::new();
        files.add(codec, line("").as_bytes(), 1);
        files.add(codec, (line("") + "{}\n[]\n").as_bytes(), 1);
        files.add(codec, ("3\n".to_owned() + &many_lines(100, 5000)).as_bytes(), 1);
        for n_threads in [1, 2, 4] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            let (keep, monitor) = (Keep::Points, Monitor::default());
            let found = pool.install(|| {
                collect(
                    &[wanted("m", None)],
                    &files.inputs,
                    How { keep, on_malformed: OnMalformed::Stop, examiner: None, cache: None },
                    &monitor,
                )
            });
            match found {
                Err(CollectError::Malformed(problem)) => {
                    let path = files.inputs[1].path.display().to_string();
                    assert_eq!((problem.path, problem.line), (path, Some(2)), "{codec:?} {n_threads}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Evaluations of one model under several contexts share its files; others find them foreign.
#[test]
fn evaluations_share_files() {
    let text = line(r#","index":0,"completion_tokens":100"#)
        + &line(r#","index":1,"completion_tokens":200"#)
        + &line(r#","index":2,"model":"other","completion_tokens":150"#)
        + "{}\n";
    let mut files = Files::new();
    files.add(Codec::Plain, text.as_bytes(), 4);
    // Nobody but the first claims this one.
    files.add(Codec::Plain, (line(r#","index":3"#) + "[]\n").as_bytes(), 1);
    let wanted = [wanted("m", None), wanted("m", Some(150)), wanted("other", Some(100)), wanted("nobody", None)];
    let found = collect_so(&wanted, &files.inputs, Pieces::default(), 2);
    let totals: Vec<(u64, u64, u64, u64)> = found
        .evaluations
        .iter()
        .map(|found| {
            let sum = |of: fn(&Point) -> u64| found.points.iter().map(of).sum::<u64>();
            let answered = sum(|point| point.counters.answered);
            (answered, sum(|point| point.counters.truncated), found.n_foreign, found.n_malformed)
        })
        .collect();
    assert_eq!(totals, [(3, 0, 1, 2), (1, 1, 1, 1), (0, 1, 2, 1), (0, 0, 3, 1)]);
    assert_eq!(found.files[0].identities.len(), 2);
    assert_eq!((found.files[0].n_malformed, found.files[1].n_malformed), (1, 1));
    assert_eq!(found.evaluations[1].points[0].samples.len(), 2, "its own samples only");
    assert_eq!(found.sample_memory_bytes, 4 * size_of::<Sample>() as u64, "each sample once");
}

#[test]
fn counts_alone_are_the_same_counts() {
    let text = line(r#","timestamp":"2026-01-02T00:00:00""#) + &line(r#","timestamp":"2026-01-01T00:00:00""#) + "{}\n";
    let files = Files::plain([text]);
    let counts = collect(
        &[wanted("m", None)],
        &files.inputs,
        How { keep: Keep::Counts, on_malformed: OnMalformed::Continue, examiner: None, cache: None },
        &Monitor::default(),
    );
    let counts = counts.unwrap();
    let points = collect_m(&files);
    assert_eq!(counts.files, points.files);
    assert_eq!(counts.evaluations[0].tally, points.evaluations[0].tally);
    assert_eq!(counts.evaluations[0].points, []);
    let tally = counts.evaluations[0].tally;
    assert_eq!(tally.last_timestamp.unwrap() - tally.first_timestamp.unwrap(), 86_400_000_000);
}

/// Finds a spectrum in every prompt that is a number, which it is made of, and keeps it in a folder.
struct Prompts {
    folder: PathBuf,
    n_found: AtomicUsize,
    is_ready: bool,
    /// The evaluations that it was told of.
    prepared: Mutex<Vec<BTreeSet<usize>>>,
}

impl Prompts {
    fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), n_found: AtomicUsize::new(0), is_ready: true, prepared: Mutex::default() }
    }

    fn collect(&self, files: &Files, pieces: Pieces, cache: Option<&Cache>) -> Result<Collection, CollectError> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let how = How { keep: Keep::Points, on_malformed: OnMalformed::Continue, examiner: Some(self), cache };
        pool.install(|| collect_in(pieces, &[wanted("m", None)], &files.inputs, how, &Monitor::default()))
    }
}

impl Examiner for Prompts {
    fn prepare(&self, evaluations: &BTreeSet<usize>, _: &Monitor) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.prepared.lock().unwrap().push(evaluations.clone());
        if self.is_ready { Ok(()) } else { Err("not ready".into()) }
    }
    fn compressed_bytes(&self, _: &[u8]) -> u32 {
        0
    }
    fn has_spectra(&self, _: usize) -> bool {
        true
    }
    fn spectrum(&self, _: usize, prompt: &str) -> Option<Spectrum> {
        self.n_found.fetch_add(1, Ordering::Relaxed);
        prompt.parse().ok().map(|value| [value; SPECTRUM_BINS])
    }
    fn scratch_folder(&self) -> &Path {
        &self.folder
    }
    fn fingerprint(&self, _: usize) -> String {
        String::new()
    }
}

/// What samples take in memory counts each record, duplicates included, not the records of others; spectra take none.
#[test]
fn what_samples_take_is_told() {
    let prompts = ["1", "2", "2"].map(|text| line(&format!(r#","index":0,"prompt":"{text}""#)));
    let files = Files::plain([prompts.concat() + &line(r#","model":"other","prompt":"3""#)]);
    let with = Prompts::new(files.folder.path()).collect(&files, Pieces::default(), None).unwrap();
    for found in [collect_m(&files), with] {
        assert_eq!(found.sample_memory_bytes, 3 * size_of::<Sample>() as u64);
    }
}

/// Whichever files and parts they are in, read or out of the cache. Repetitions that follow each other have one.
#[test]
fn samples_have_the_spectra_of_their_prompts() {
    let lines = |values: &[u32], params: &str| {
        let line = |(index, value)| line(&format!(r#","params":{params},"index":{index},"prompt":"{value}""#));
        values.iter().enumerate().map(line).collect::<String>()
    };
    let files =
        Files::plain([lines(&[1, 3], r#"{"a":1}"#) + &lines(&[5], r#"{"a":3}"#), lines(&[10, 10, 40], r#"{"a":2}"#)]);
    let means = |found: &Collection| {
        let mean = |point: &Point| point.fft_power_mean.as_ref().map(|mean| (mean[0], mean[SPECTRUM_BINS - 1]));
        found.evaluations[0].points.iter().map(mean).collect::<Vec<_>>()
    };
    let expected = [2.0, 20.0, 5.0].map(|mean| Some((mean, mean)));
    let small = Pieces { range_bytes: 64, plain_block_bytes: 64, ..Pieces::default() };
    for (pieces, n_found) in [(Pieces::default(), 5), (small, 6)] {
        let cache_folder = tempfile::tempdir().unwrap();
        let prompts = Prompts::new(files.folder.path());
        for is_cached in [false, true] {
            let cache = Cache::open(cache_folder.path(), 0, UseOfEntries::Used);
            let found = prompts.collect(&files, pieces, Some(&cache)).unwrap();
            cache.save().unwrap();
            assert_eq!(means(&found), expected, "cached: {is_cached}");
            assert!(found.files.iter().all(|file| file.is_from_cache == is_cached));
            assert_eq!(prompts.n_found.load(Ordering::Relaxed), n_found, "cached: {is_cached}");
        }
        assert_eq!(prompts.prepared.into_inner().unwrap(), [BTreeSet::from([0]), BTreeSet::new()]);
    }
}

/// Each keeps what it has learnt beside what the other has kept since it began.
#[test]
fn two_runs_at_once_lose_nothing() {
    let cache_folder = tempfile::tempdir().unwrap();
    let both = [Files::plain([line(r#","prompt":"1""#)]), Files::plain([line(r#","prompt":"2""#)])];
    let open = || Cache::open(cache_folder.path(), 0, UseOfEntries::Used);
    let caches = [open(), open()];
    let n_kept = |files: &Files, cache: &Cache| {
        let found = Prompts::new(files.folder.path()).collect(files, Pieces::default(), Some(cache)).unwrap();
        found.files.iter().filter(|file| file.is_from_cache).count()
    };
    assert_eq!(both.iter().zip(&caches).map(|(files, cache)| n_kept(files, cache)).collect::<Vec<_>>(), [0, 0]);
    caches.iter().for_each(|cache| cache.save().unwrap());
    assert_eq!(both.each_ref().map(|files| n_kept(files, &open())), [1, 1]);
}

/// Nothing is read then.
#[test]
fn who_cannot_look_at_texts_is_an_error() {
    let files = Files::plain([line(r#","prompt":"1""#)]);
    let prompts = Prompts { is_ready: false, ..Prompts::new(files.folder.path()) };
    let error = prompts.collect(&files, Pieces::default(), None).unwrap_err();
    assert_eq!(error.to_string(), "not ready");
    assert_eq!(prompts.n_found.load(Ordering::Relaxed), 0);
}

/// They are, and nothing more is read.
#[test]
fn spectra_that_cannot_be_kept_are_an_error() {
    let files = Files::plain((0..40).map(|index| line(&format!(r#","index":{index},"prompt":"1""#))));
    let prompts = Prompts::new(&files.folder.path().join("none"));
    let error = prompts.collect(&files, Pieces::default(), None).unwrap_err().to_string();
    let folder = prompts.folder.display();
    assert!(error.starts_with(&format!("spectra cannot be kept in {folder}: No such file")), "{error}");
    assert_eq!(prompts.n_found.load(Ordering::Relaxed), 1);
}

/// A part does not grow with what it is of: here its spectra would take 5 MB.
#[test]
fn a_large_part_is_several() {
    let lines = |n_lines: u32| {
        let line = |index| line(&format!(r#","index":{index},"prompt":"{}""#, index % 7));
        (0..n_lines).map(line).collect::<String>()
    };
    let mut files = Files::plain([lines(10_000)]);
    let prompts = Prompts::new(files.folder.path());
    let found = prompts.collect(&files, Pieces::default(), None).unwrap();
    let point = &found.evaluations[0].points[0];
    assert_eq!(point.samples.len(), 10_000);
    let line = |(index, sample): (usize, &crate::point::PointSample)| sample.line.unwrap().get() as usize == index + 1;
    assert!(point.samples.iter().enumerate().all(line));
    // Of the first 128 samples.
    let mean = (0..128).map(|index| f64::from(index % 7)).sum::<f64>() / 128.0;
    assert!((f64::from(point.fft_power_mean.as_ref().unwrap()[0]) - mean).abs() < 1e-6);
    let check_parts = |files: &Files| {
        let (wanted, spectra, monitor) = ([wanted("m", None)], Spectra::new(&prompts.folder), Monitor::default());
        let context = context(Pieces::default(), &wanted, files, Some(&prompts), &spectra, &monitor);
        let parts = context.read_all(&blobs::inputs(&files.inputs, &context.is_kept));
        assert_eq!(parts.iter().map(|part| part.n_spectra).sum::<usize>(), 10_000);
        assert!(parts.iter().all(|part| part.n_spectra < 6_500), "4,096 and those of a block");
    };
    check_parts(&files);
    let blob = files.folder.path().join("blob");
    files.inputs = in_blob(&files, &blob);
    check_parts(&files);
    let packed = prompts.collect(&files, Pieces::default(), None).unwrap();
    assert_eq!(packed.evaluations, found.evaluations);
}

/// Diagnostics are kept up to a limit and counted beyond it.
#[test]
fn problems_beyond_the_limit_are_counted() {
    let files = Files::plain(["{}\n".repeat(MAX_DIAGNOSTICS), "[]\n".repeat(5)]);
    let found = collect_m(&files);
    assert_eq!((found.diagnostics.len(), found.n_more_diagnostics), (MAX_DIAGNOSTICS, 5));
    assert_eq!(found.evaluations[0].n_malformed, MAX_DIAGNOSTICS as u64 + 5);
    assert_eq!(found.diagnostics.last().unwrap().line, Some(MAX_DIAGNOSTICS as u64));
}

/// A writer that did not escape: names that differ only in how they are written are one identity.
#[test]
fn spellings_of_one_identity_are_one() {
    let files = Files::plain([line("") + &line(r#","model":"\u006d""#)]);
    let found = collect_m(&files);
    assert_eq!(found.files[0].identities.len(), 1);
    assert_eq!(found.evaluations[0].tally.n_records, 2);
    assert_eq!(found.evaluations[0].points.len(), 1);
}

/// What reads these files as they are.
fn context<'a>(
    pieces: Pieces,
    wanted: &'a [Wanted],
    files: &'a Files,
    examiner: Option<&'a dyn Examiner>,
    spectra: &'a Spectra<'a>,
    monitor: &'a Monitor,
) -> Context<'a> {
    Context {
        pieces,
        wanted,
        files: &files.inputs,
        is_kept: vec![false; files.inputs.len()],
        keep: Keep::Points,
        on_malformed: OnMalformed::Continue,
        examiner,
        spectra,
        monitor,
        hasher: DefaultHashBuilder::default(),
    }
}

/// What a blob's frames give of a file, cut at these places: no frame need be of any size for this.
fn collect_cut(wanted: &[Wanted], files: &Files, text: &[u8], cuts: &[usize], pieces: Pieces) -> Collection {
    let monitor = Monitor::default();
    let spectra = Spectra::new(files.folder.path());
    let context = context(pieces, wanted, files, None, &spectra, &monitor);
    let (parts, in_flight, stop_at) = (Mutex::default(), AtomicUsize::new(0), Mutex::new((usize::MAX, u64::MAX)));
    let shared = Shared { parts: &parts, in_flight: &in_flight, most_in_flight: 0, stop_at: &stop_at };
    let ends = cuts.iter().copied().chain([text.len()]);
    let starts = [0].into_iter().chain(cuts.iter().copied());
    let mut line = vec![b'x'; 10];
    for (start, end) in starts.zip(ends) {
        context.read_piece(0, start as u64, &text[start..end], &text[end..], &mut line, &shared);
    }
    let mut parts = parts.into_inner().unwrap();
    parts.sort_by_key(|part| part.offset);
    assert_eq!(monitor.done_bytes.load(Ordering::Relaxed), text.len() as u64);
    context.put_together(parts)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn wherever_frames_are_cut(
        lines in prop::collection::vec(prop::sample::select(vec![
            line(r#","index":1"#),
            line(r#","model":"other""#),
            "{}\n".to_owned(),
            "\n".to_owned(),
            "\r\n".to_owned(),
            line(&format!(r#","response":"{}""#, "x".repeat(300))),
        ]), 0..20),
        torn in 0_usize..60,
        has_mark in any::<bool>(),
        cuts in prop::collection::vec(any::<Index>(), 0..12),
        at_line_ends in any::<bool>(),
        pieces in pieces(),
    ) {
        let text = format!("{}{}", if has_mark { "\u{FEFF}" } else { "" }, lines.concat());
        let text = &text.as_bytes()[..text.len().saturating_sub(torn)];
        // Frames hold more than a byte order mark.
        let places: Vec<usize> = match at_line_ends {
            true => memchr::memchr_iter(b'\n', text).map(|end| end + 1).collect(),
            false => (0..text.len()).collect(),
        };
        let places: Vec<usize> = places.into_iter().filter(|at| (3..text.len()).contains(at)).collect();
        let mut cuts: Vec<usize> = match places.as_slice() {
            [] => Vec::new(),
            places => cuts.iter().map(|index| places[index.index(places.len())]).collect(),
        };
        cuts.sort_unstable();
        cuts.dedup();
        let wanted = [wanted("m", None)];
        let mut files = Files::new();
        files.add(Codec::Plain, text, 1);
        let expected = collect_so(&wanted, &files.inputs, Pieces::default(), 1);
        prop_assert_eq!(collect_cut(&wanted, &files, text, &cuts, pieces), expected);
    }
}

/// The files' blob: they are read from there, and would be at the same paths.
fn in_blob(files: &Files, blob: &Path) -> Vec<Input> {
    let listed = pack::list_run(files.folder.path()).unwrap();
    let mut out = fs_err::File::create(blob).unwrap();
    pack::pack_run(files.folder.path(), &listed, &mut out, &Monitor::default()).unwrap();
    let pack = Pack::open(blob).unwrap();
    let blob: std::sync::Arc<Path> = blob.into();
    let place = |input: &Input| {
        let name = input.path.file_name().unwrap().to_str().unwrap();
        let member = pack.members().iter().find(|member| member.name == name).unwrap();
        let place = InBlob { blob: blob.clone(), offset: member.offset, content: member.content };
        Input { origin: Origin::Blob(place), ..input.clone() }
    };
    files.inputs.iter().map(place).collect()
}

/// Everything that can lie in a blob: files without content, small ones, lines and compressed files across frames, a line
/// across several, problems everywhere, a byte order mark, a torn end.
fn varied_files() -> Files {
    let mut files = Files::new();
    let bad = |at: usize| format!("{{\"bad\":{at}}}\n");
    for codec in CODECS {
        files.add(codec, b"", 1);
        files.add(codec, (bad(0) + &many_lines(5, 10) + &bad(1)).as_bytes(), 1);
    }
    files.add(Codec::Plain, format!("\u{FEFF}{}", many_lines(2000, 5000)).as_bytes(), 1);
    let long = line(&format!(r#","response":"{}""#, "x".repeat(20 << 20)));
    let crossing = many_lines(300, 3000) + &long + &bad(2) + &many_lines(900, 7000) + &bad(3) + "{\"torn";
    files.add(Codec::Plain, crossing.as_bytes(), 1);
    let incompressible: String = (0_u64..400_000)
        .map(|index| line(&format!(r#","index":{index},"id":"{}""#, blake3::hash(&index.to_le_bytes()))))
        .collect();
    for codec in [Codec::Gzip, Codec::Zstd] {
        files.add(codec, (incompressible.clone() + &bad(4)).as_bytes(), 1);
    }
    // Cut off.
    let path = &files.inputs[files.inputs.len() - 1].path;
    let cut = fs_err::read(path).unwrap();
    files.inputs.push(Input { path: files.folder.path().join("cut"), ..files.inputs[files.inputs.len() - 1].clone() });
    let last = files.inputs.last_mut().unwrap();
    last.size_bytes = cut.len() as u64 / 2;
    fs_err::write(&last.path, &cut[..cut.len() / 2]).unwrap();
    files
}

#[test]
fn blobs_give_what_files_do() {
    let files = varied_files();
    let folder = tempfile::tempdir().unwrap();
    let blob = folder.path().join("blob");
    let in_blob = in_blob(&files, &blob);
    assert!(Pack::open(&blob).unwrap().frame_starts().len() > 8, "several frames");
    let wanted = [wanted("m", None)];
    let expected = collect_so(&wanted, &files.inputs, Pieces::default(), 2);
    assert!(expected.diagnostics.len() >= 12);
    let mixed: Vec<Input> = in_blob
        .iter()
        .enumerate()
        .map(|(at, input)| if at % 3 == 0 { &files.inputs[at] } else { input }.clone())
        .collect();
    for (inputs, n_threads) in [(&in_blob, 1), (&in_blob, 2), (&in_blob, 3), (&mixed, 2)] {
        let found = collect_so(&wanted, inputs, Pieces::default(), n_threads);
        assert_eq!(found.diagnostics, expected.diagnostics, "{n_threads}");
        assert!(found == expected, "{n_threads}");
    }
    // What is done comes to what there is.
    let monitor = Monitor::default();
    collect(
        &wanted,
        &in_blob,
        How { keep: Keep::Counts, on_malformed: OnMalformed::Continue, examiner: None, cache: None },
        &monitor,
    )
    .unwrap();
    let total: u64 = in_blob.iter().map(|input| input.size_bytes).sum();
    assert_eq!(monitor.done_bytes.into_inner(), total);
}

#[test]
fn the_first_malformed_line_in_blobs_is_told() {
    let mut files = Files::plain([many_lines(2500, 5000), many_lines(100, 10)]);
    files.add(Codec::Plain, (many_lines(2500, 5000) + "{}\n" + &many_lines(10, 10)).as_bytes(), 1);
    files.add(Codec::Plain, b"[]\n", 1);
    let folder = tempfile::tempdir().unwrap();
    let in_blob = in_blob(&files, &folder.path().join("blob"));
    for n_threads in [1, 2, 4] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        let (keep, monitor) = (Keep::Points, Monitor::default());
        let found = pool.install(|| {
            collect(
                &[wanted("m", None)],
                &in_blob,
                How { keep, on_malformed: OnMalformed::Stop, examiner: None, cache: None },
                &monitor,
            )
        });
        let Err(CollectError::Malformed(problem)) = found else { panic!("{found:?}") };
        assert_eq!((problem.path, problem.line), (files.inputs[2].path.display().to_string(), Some(2501)));
    }
}

#[test]
fn a_line_longer_than_any_is_skipped_in_blobs_too() {
    let text = line("") + &"x".repeat(MAX_LINE_BYTES + 100) + "\n" + &line(r#","index":1"#);
    let files = Files::plain([text.as_str(), &text[..MAX_LINE_BYTES / 2]]);
    let folder = tempfile::tempdir().unwrap();
    let in_blob = in_blob(&files, &folder.path().join("blob"));
    let collect = |inputs: &[Input]| collect_so(&[wanted("m", None)], inputs, Pieces::default(), 2);
    let found = collect(&in_blob);
    assert_eq!(found.diagnostics.len(), 2);
    assert!(found == collect(&files.inputs));
}

/// A damaged frame costs what begins in it and no more; the files in it are each unreadable once.
#[test]
fn a_damaged_frame_is_a_problem_of_the_files_in_it() {
    let files = Files::plain([many_lines(2000, 10_000), many_lines(100, 10), many_lines(100, 10)]);
    let folder = tempfile::tempdir().unwrap();
    let blob = folder.path().join("blob");
    let in_blob = in_blob(&files, &blob);
    let mut bytes = fs_err::read(&blob).unwrap();
    let whole = bytes.clone();
    let frames: Vec<usize> = memchr::memmem::find_iter(&bytes, &0xFD2F_B528_u32.to_le_bytes()).collect();
    assert_eq!(frames.len(), 3);
    let expected = collect_m(&files);
    // The first file lies in all three frames, the others in the last.
    for (frame, n_damaged) in [(0, 1), (1, 1), (2, 3)] {
        bytes[frames[frame] + 100] ^= 4;
        fs_err::write(&blob, &bytes).unwrap();
        let mut all = Vec::new();
        for n_threads in [1, 2, 3] {
            let found = collect_so(&[wanted("m", None)], &in_blob, Pieces::default(), n_threads);
            assert_eq!((found.diagnostics.len(), found.n_in_damaged_blobs), (n_damaged, n_damaged as u64));
            assert_eq!(found.evaluations[0].n_malformed, n_damaged as u64);
            let n_records = found.evaluations[0].tally.n_records;
            assert!(n_records > 500 && n_records < expected.evaluations[0].tally.n_records);
            let samples = || found.evaluations[0].points.iter().flat_map(|point| &point.samples);
            let n_without_line = samples().filter(|sample| sample.file == 0 && sample.line.is_none()).count();
            assert_eq!(n_without_line > 0, frame < 2, "what is behind the damage has no line");
            let problem = &found.diagnostics[0];
            assert_eq!((problem.line, problem.problem), (None, Problem::Unreadable));
            assert_eq!(problem.path, files.inputs[0].path.display().to_string());
            let what =
                format!("cannot be read to its end: blob `{}` is damaged or no blob: frame {frame} ", blob.display());
            assert!(problem.what.starts_with(&what), "{}", problem.what);
            all.push(found);
        }
        assert!(all.iter().all(|found| *found == all[0]));
        bytes.clone_from(&whole);
    }
    // Gone, cut short, and another in its place.
    for other in [None, Some(&whole[..whole.len() / 2]), Some(&b"no blob"[..])] {
        fs_err::remove_file(&blob).unwrap_or_default();
        if let Some(other) = other {
            fs_err::write(&blob, other).unwrap();
        }
        let found = collect_so(&[wanted("m", None)], &in_blob, Pieces::default(), 2);
        assert_eq!((found.diagnostics.len(), found.evaluations[0].tally.n_records), (3, 0));
        assert!(found.diagnostics[0].what.contains(&blob.display().to_string()), "{}", found.diagnostics[0].what);
    }
    let small = Files::plain([many_lines(10, 10)]);
    self::in_blob(&small, &blob);
    let found = collect_so(&[wanted("m", None)], &in_blob, Pieces::default(), 2);
    assert_eq!(found.n_in_damaged_blobs, 3);
    assert!(found.diagnostics[0].what.ends_with("0` is no longer in it"), "{}", found.diagnostics[0].what);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    /// A bit that flips anywhere in a blob is noticed, or changes nothing.
    #[test]
    fn flipped_bits_in_blobs_are_noticed(position in any::<Index>(), bit in 0_u8..8) {
        let mut files = Files::plain([many_lines(50, 30), "{}\n".to_owned()]);
        files.add(Codec::Zstd, many_lines(50, 30).as_bytes(), 1);
        let folder = tempfile::tempdir().unwrap();
        let blob = folder.path().join("blob");
        let in_blob = in_blob(&files, &blob);
        let mut bytes = fs_err::read(&blob).unwrap();
        let position = position.index(bytes.len());
        bytes[position] ^= 1 << bit;
        fs_err::write(&blob, bytes).unwrap();
        let found = collect_so(&[wanted("m", None)], &in_blob, Pieces::default(), 2);
        if found.n_in_damaged_blobs == 0 {
            prop_assert_eq!(found, collect_m(&files));
        }
    }
}

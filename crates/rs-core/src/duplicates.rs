//! Records that no evaluation of a cohort counts, because each that could count another of the same sample instead.
//!
//! Which of several records of a sample counts is decided as in [`crate::sample`]: the latest timestamp, then the last in
//! (path, line) order, among the files that an evaluation reads. What is kept of a record meanwhile are the 48 bytes of
//! an entry, whatever its length.

use rayon::prelude::*;

use crate::collect::Wanted;
use crate::every_line::{self, Input, Line, Place, Visited, Visitor};
use crate::monitor::Monitor;
use crate::params::canonical_params;
use crate::record::{self, Record};
use crate::sample::{Sample, SampleKey};
use crate::shape::Shape;

/// A file to look through.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The file.
    pub input: Input,
    /// Positions of the evaluations that read it.
    pub evaluations: Vec<usize>,
}

/// Bytes of a decoded file that are a record with its line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub n_bytes: u32,
}

/// What was found in one file.
#[derive(Debug, Default)]
pub struct InFile {
    /// Its records, of any identity.
    pub n_records: u64,
    /// Those that no evaluation counts, in order.
    pub losers: Vec<Span>,
    /// How many of them lost to a record of another file.
    pub n_lost_to_others: u64,
    /// Why it was not looked at: it cannot be read to its end. Its records are neither lost nor do others lose to them.
    pub unreadable: Option<std::io::Error>,
}

/// Finds them in `files`, which are in (path, line) order. When the work is cancelled, the result is of no use.
#[must_use]
pub fn find(files: &[Candidate], evaluations: &[Wanted], monitor: &Monitor) -> Vec<InFile> {
    let inputs: Vec<Input> = files.iter().map(|file| file.input.clone()).collect();
    let scan = |file: usize| Scan {
        file: u32::try_from(file).unwrap_or(u32::MAX),
        claims: &files[file].evaluations,
        evaluations,
        shape: Shape::default(),
        last: None,
        n_records: 0,
        entries: Vec::new(),
    };
    let visited = every_line::visit(&inputs, scan, monitor);
    let mut found: Vec<InFile> = Vec::with_capacity(files.len());
    let mut entries = Vec::new();
    for Visited { parts, incomplete } in visited {
        let n_records = parts.iter().map(|part| part.visitor.n_records).sum();
        if incomplete.is_none() {
            parts.into_iter().for_each(|part| entries.extend(part.visitor.entries));
        }
        found.push(InFile { n_records, unreadable: incomplete, ..InFile::default() });
    }
    entries.par_sort_unstable_by_key(|entry| (entry.key, entry.timestamp, entry.file, entry.offset));
    let counts = |entry: &Entry, evaluation: usize| files[entry.file as usize].evaluations.contains(&evaluation);
    for rivals in entries.chunk_by(|a, b| a.key == b.key).filter(|rivals| rivals.len() > 1) {
        let mut winners: Vec<usize> = Vec::new();
        let identity = &evaluations[rivals[0].identity as usize].identity;
        let of_identity = evaluations.iter().enumerate().filter(|(_, wanted)| wanted.identity == *identity);
        for (evaluation, _) in of_identity {
            winners.extend(rivals.iter().rposition(|entry| counts(entry, evaluation)));
        }
        for (at, entry) in rivals.iter().enumerate().filter(|(at, _)| !winners.contains(at)) {
            let file = &mut found[entry.file as usize];
            file.losers.push(Span { offset: entry.offset, n_bytes: entry.n_bytes });
            let is_beaten_at_home = winners.iter().any(|winner| *winner > at && rivals[*winner].file == entry.file);
            file.n_lost_to_others += u64::from(!is_beaten_at_home);
        }
    }
    found.par_iter_mut().for_each(|file| file.losers.sort_unstable_by_key(|span| span.offset));
    found
}

/// What is kept of a record that some evaluation may count.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Of identity, coordinate and sample.
    key: [u64; 2],
    /// Microseconds since 1970; the least for none, which is earliest.
    timestamp: i64,
    offset: u64,
    n_bytes: u32,
    file: u32,
    /// The first evaluation of its identity.
    identity: u32,
}

/// Looks through a part of a file.
struct Scan<'a> {
    file: u32,
    /// The evaluations that read the file.
    claims: &'a [usize],
    evaluations: &'a [Wanted],
    shape: Shape,
    /// Where the record before belongs.
    last: Option<Belonging>,
    n_records: u64,
    entries: Vec<Entry>,
}

/// The identity and coordinate of a record.
#[derive(Clone, Copy)]
enum Belonging {
    /// No evaluation reads it here.
    ToNone,
    To {
        identity: u32,
        coordinate: [u8; 32],
    },
}

impl Visitor for Scan<'_> {
    fn line(&mut self, line: &Line<'_>, place: Place) {
        let Ok(record) = line.lexer().and_then(|lexer| record::parse(lexer, &mut self.shape)) else { return };
        let belonging = match self.last.take() {
            Some(last) if record.is_like_last => last,
            _ => match self.belonging(&record) {
                Some(belonging) => belonging,
                // It is malformed, and nobody counts it.
                None => return,
            },
        };
        self.last = Some(belonging);
        self.n_records += 1;
        let Belonging::To { identity, coordinate } = belonging else { return };
        let Some(key) = sample_key(&coordinate, &record) else { return };
        self.entries.push(Entry {
            key,
            timestamp: record.timestamp.unwrap_or(i64::MIN),
            offset: place.offset,
            n_bytes: u32::try_from(line.n_bytes).unwrap_or(u32::MAX),
            file: self.file,
            identity,
        });
    }
}

impl Scan<'_> {
    fn belonging(&self, record: &Record<'_>) -> Option<Belonging> {
        let names = [record.model.decode(), record.template.decode(), record.sampler.decode()];
        let is_its = |wanted: &Wanted| {
            let identity = &wanted.identity;
            [&identity.model, &identity.template, &identity.sampler].into_iter().zip(&names).all(|(a, b)| a == b)
        };
        if !self.claims.iter().any(|claim| is_its(&self.evaluations[*claim])) {
            return Some(Belonging::ToNone);
        }
        let identity = u32::try_from(self.evaluations.iter().position(is_its)?).ok()?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&identity.to_le_bytes());
        hasher.update(record.base_task.decode().as_bytes());
        // In no UTF-8 text.
        hasher.update(&[0xFF]);
        hasher.update(canonical_params(record.params).ok()?.as_bytes());
        Some(Belonging::To { identity, coordinate: hasher.finalize().into() })
    }
}

/// Which sample of the coordinate a record is; `None` if it is one by itself.
fn sample_key(coordinate: &[u8; 32], record: &Record<'_>) -> Option<[u64; 2]> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(coordinate);
    let sample = Sample::new(record, 0, None);
    match sample.key {
        SampleKey::Single => return None,
        SampleKey::Indexed(index) => {
            hasher.update(&[0, u8::from(sample.seed.is_some())]);
            hasher.update(&sample.seed.unwrap_or_default().to_le_bytes());
            hasher.update(&index.to_le_bytes());
            hasher.update(&sample.repeat.to_le_bytes());
        }
        SampleKey::Named(name) => {
            hasher.update(&[1]);
            name.iter().for_each(|half| {
                hasher.update(&half.to_le_bytes());
            });
        }
    }
    let hash = hasher.finalize();
    let (low, high) = hash.as_bytes()[..16].split_at(8);
    Some([low, high].map(|half| half.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::{self, Collection, How, Keep, OnMalformed};
    use crate::eval_id::Identity;
    use crate::origin::Origin;
    use crate::reader::Codec;
    use proptest::prelude::*;
    use std::path::Path;

    fn wanted(model: &str, context_tokens: Option<u32>) -> Wanted {
        let identity = Identity { model: model.into(), template: "t".into(), sampler: "s".into() };
        Wanted { identity, context_tokens }
    }

    fn line(members: &str) -> String {
        format!("{{\"template\":\"t\",\"sampler\":\"s\",\"base_task\":\"b\",\"correct\":true,{members}}}\n")
    }

    /// Writes files and gives them with the evaluations that read them.
    fn written(folder: &Path, files: &[(Vec<u8>, Vec<usize>)]) -> Vec<Candidate> {
        let candidate = |(at, (bytes, evaluations)): (usize, &(Vec<u8>, Vec<usize>))| {
            let path = folder.join(format!("{at}.ndjson"));
            fs_err::write(&path, bytes).expect("is written");
            let input = Input { path, codec: Codec::Plain, size_bytes: bytes.len() as u64 };
            Candidate { input, evaluations: evaluations.clone() }
        };
        files.iter().enumerate().map(candidate).collect()
    }

    /// What is found, but for the lines that samples stand in: without losers they move up.
    fn collected(files: &[Candidate], evaluations: &[Wanted]) -> Collection {
        let inputs: Vec<collect::Input> = files
            .iter()
            .map(|file| collect::Input {
                path: file.input.path.clone(),
                codec: Codec::Plain,
                size_bytes: fs_err::metadata(&file.input.path).expect("is there").len(),
                origin: Origin::File,
                evaluations: file.evaluations.clone(),
            })
            .collect();
        let how = How { keep: Keep::Points, on_malformed: OnMalformed::Continue, examiner: None, cache: None };
        let mut found = collect::collect(evaluations, &inputs, how, &Monitor::default()).expect("is collected");
        let points = found.evaluations.iter_mut().flat_map(|evaluation| &mut evaluation.points);
        points.flat_map(|point| &mut point.samples).for_each(|sample| sample.line = None);
        found
    }

    fn without(bytes: &[u8], losers: &[Span]) -> Vec<u8> {
        let (mut kept, mut at) = (Vec::new(), 0);
        for loser in losers {
            let start = usize::try_from(loser.offset).expect("small");
            kept.extend_from_slice(&bytes[at..start]);
            at = start + loser.n_bytes as usize;
        }
        kept.extend_from_slice(&bytes[at..]);
        kept
    }

    #[track_caller]
    fn check(lines: &[&str], expected: &[usize]) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let lines: Vec<String> = lines.iter().map(|members| line(members)).collect();
        let files = written(folder.path(), &[(lines.concat().into_bytes(), vec![0])]);
        let found = find(&files, &[wanted("m", None)], &Monitor::default());
        let starts = lines.iter().scan(0, |at, line| Some(std::mem::replace(at, *at + line.len() as u64)));
        let starts: Vec<u64> = starts.collect();
        let losers: Vec<usize> = found[0]
            .losers
            .iter()
            .map(|span| starts.iter().position(|start| *start == span.offset).expect("is a line"))
            .collect();
        assert_eq!(losers, expected);
    }

    #[test]
    fn of_one_sample_the_latest_stays() {
        let a = r#""model":"m","params":{"n":1,"count":3},"index":0"#;
        let same = r#""model":"m","params":{"count":9,"n":1},"index":0"#;
        check(&[a, same, a], &[0, 1]);
        check(&[&format!("{a},\"timestamp\":\"2026-01-02T00:00:00Z\""), same], &[1]);
        check(&[a, &a.replace("index", "idx"), &a.replace("index", "idx")], &[]);
        check(&[&a.replace("\"index\":0", "\"id\":\"a\""), &a.replace("\"index\":0", "\"id\":\"a\"")], &[0]);
        check(&[a, &a.replace("\"m\"", "\"other\""), &a.replace("\"m\"", "\"other\"")], &[]);
        check(&[a, &a.replace("\"n\":1", "\"n\":2"), &format!("{a},\"seed\":1"), &format!("{a},\"repeat\":1")], &[]);
    }

    #[test]
    fn a_record_that_some_evaluation_counts_stays() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let record = line(r#""model":"m","params":{},"index":0"#).into_bytes();
        let find = |claims: [Vec<usize>; 2]| {
            let files = written(folder.path(), &claims.map(|claims| (record.clone(), claims)));
            let found = find(&files, &[wanted("m", None), wanted("m", Some(9))], &Monitor::default());
            found.iter().map(|file| (file.losers.len(), file.n_lost_to_others)).collect::<Vec<_>>()
        };
        assert_eq!(find([vec![0, 1], vec![0, 1]]), [(1, 1), (0, 0)]);
        assert_eq!(find([vec![0, 1], vec![0]]), [(0, 0), (0, 0)]);
        assert_eq!(find([vec![0], vec![1]]), [(0, 0), (0, 0)]);
        assert_eq!(find([vec![0], vec![0, 1]]), [(1, 1), (0, 0)]);
        assert_eq!(find([vec![0], vec![]]), [(0, 0), (0, 0)]);
    }

    fn any_line() -> impl Strategy<Value = String> {
        let record = ("[mn]", 0..3, prop::option::of(0..3), prop::option::of("[ab]"), prop::option::of(0..3), 0..9);
        let record = record.prop_map(|(model, n, index, id, day, tokens)| {
            let mut members = format!("\"model\":\"{model}\",\"params\":{{\"n\":{n}}},\"completion_tokens\":{tokens}");
            index.iter().for_each(|index| members.push_str(&format!(",\"index\":{index}")));
            id.iter().for_each(|id| members.push_str(&format!(",\"id\":\"{id}\"")));
            day.iter().for_each(|day| members.push_str(&format!(",\"timestamp\":\"2026-01-0{}T00:00:00Z\"", day + 1)));
            line(&members)
        });
        prop_oneof![9 => record, 1 => Just("\n".to_owned()), 1 => Just("{\"model\":\"m\"}\n".to_owned())]
    }

    proptest! {
        #[test]
        fn without_losers_the_points_are_the_same(
            files in proptest::collection::vec((proptest::collection::vec(any_line(), 0..20), 0_u8..8), 1..4),
        ) {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let evaluations = [wanted("m", None), wanted("m", Some(4)), wanted("n", None)];
            let files: Vec<(Vec<u8>, Vec<usize>)> = files
                .into_iter()
                .map(|(lines, claims)| {
                    (lines.concat().into_bytes(), (0..3).filter(|evaluation| claims >> evaluation & 1 == 1).collect())
                })
                .collect();
            let candidates = written(folder.path(), &files);
            let before = collected(&candidates, &evaluations);
            let found = find(&candidates, &evaluations, &Monitor::default());
            let records: Vec<u64> =
                before.files.iter().map(|file| file.identities.values().map(|tally| tally.n_records).sum()).collect();
            prop_assert_eq!(found.iter().map(|file| file.n_records).collect::<Vec<_>>(), records);
            let kept: Vec<(Vec<u8>, Vec<usize>)> = files
                .into_iter()
                .zip(&found)
                .map(|((bytes, claims), file)| (without(&bytes, &file.losers), claims))
                .collect();
            let candidates = written(folder.path(), &kept);
            let after = collected(&candidates, &evaluations);
            for (before, after) in before.evaluations.iter().zip(&after.evaluations) {
                prop_assert_eq!(&before.points, &after.points);
            }
            // What is left of duplicates is counted by another evaluation.
            if kept.iter().all(|(_, claims)| claims.len() == 3) {
                prop_assert!(after.evaluations.iter().all(|evaluation| evaluation.n_duplicates == 0));
            }
            prop_assert!(find(&candidates, &evaluations, &Monitor::default()).iter().all(|file| file.losers.is_empty()));
        }
    }
}

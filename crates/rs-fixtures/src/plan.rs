//! What is written where: run folders, files, and the records of each file, without their text.

use jiff::civil::{DateTime, date};
use jiff::tz::TimeZone;

use crate::evaluation::{COHORTS, SUBJECTS, subject};
use crate::random::{Random, Stream};
use crate::scale::Scale;
use crate::task::{Point, TASKS};

/// Microseconds that a task takes in a run.
const TASK_DURATION: i64 = 2_400_000_000;

/// The seed that a harness gives to the questions of a first pass, and the one of those added later.
const FIRST_SEED: u64 = 42;

/// Everything that is written, at one scale and seed.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) scale: Scale,
    pub(crate) seed: u64,
    /// The points of each task.
    pub(crate) points: Vec<Vec<Point>>,
    pub(crate) runs: Vec<Run>,
    /// When each subject began each task, in microseconds.
    starts: Vec<[Option<i64>; TASKS.len()]>,
}

/// A run folder.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) cohort: usize,
    pub(crate) folder: String,
    pub(crate) started: i64,
    pub(crate) subjects: Vec<usize>,
    pub(crate) files: Vec<File>,
}

/// A data file of a run folder.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) compression: Compression,
    pub(crate) shape: Shape,
    pub(crate) parts: Vec<Part>,
}

/// How a file is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Plain,
    Gzip,
    Zstd,
}

/// What is particular about the lines of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Usual,
    /// Lines end in `\r\n`, and there are blank ones.
    CarriageReturns,
    /// A UTF-8 byte order mark comes first.
    ByteOrderMark,
    /// The last line has no end.
    Unterminated,
}

/// Some records of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    subject: usize,
    task: usize,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Every sample of every point.
    Base,
    /// The same, with failed requests tried again in the same file.
    BaseWithRetries,
    /// Half of the samples once more, and some new ones, from this time on.
    Rerun { started: i64 },
    /// A few samples of the first two points.
    Trial,
}

/// How a record says which sample it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// By `seed`, `index` and `repeat`.
    Index,
    /// By `id` alone.
    Id,
    /// Not at all.
    Nothing,
}

/// A record without its text.
#[derive(Debug, Clone)]
pub(crate) struct RecordPlan {
    pub(crate) subject: usize,
    pub(crate) task: usize,
    /// A position in the task's list of points.
    pub(crate) point: usize,
    pub(crate) seed: u64,
    pub(crate) index: u64,
    pub(crate) repeat: u32,
    /// 0 for the first request, 1 for a later one of the same sample.
    pub(crate) attempt: u32,
    pub(crate) forced_error: bool,
    pub(crate) naming: Naming,
    /// Microseconds since 1970, UTC.
    pub(crate) timestamp: Option<i64>,
    /// The `count` among the params.
    pub(crate) count: u32,
}

impl RecordPlan {
    /// The key of the record's random streams.
    pub(crate) fn key(&self, point: &Point) -> [u64; 7] {
        [
            self.subject as u64,
            self.task as u64,
            point.number as u64,
            self.seed,
            self.index,
            u64::from(self.repeat),
            u64::from(self.attempt),
        ]
    }
}

/// A run of the table below: its cohort, when it started, its step, its subjects, its tasks.
struct Outline {
    cohort: usize,
    started: DateTime,
    step: &'static str,
    subjects: &'static [&'static str],
    tasks: std::ops::Range<usize>,
    kind: OutlineKind,
}

enum OutlineKind {
    /// One file a task, all subjects in it.
    PerTask,
    /// All tasks in one file.
    SingleFile,
    /// A second run of samples that were there already, made at this time.
    Rerun(DateTime),
    Trial,
}

const fn morning(month: i8, day: i8) -> DateTime {
    date(2026, month, day).at(9, 30, 0, 0)
}

const fn evening(month: i8, day: i8) -> DateTime {
    date(2026, month, day).at(18, 5, 12, 0)
}

const fn outline(
    cohort: usize,
    started: DateTime,
    step: &'static str,
    subjects: &'static [&'static str],
    tasks: std::ops::Range<usize>,
    kind: OutlineKind,
) -> Outline {
    Outline { cohort, started, step, subjects, tasks, kind }
}

fn outlines() -> Vec<Outline> {
    use OutlineKind::{PerTask, Rerun, SingleFile, Trial};
    vec![
        outline(0, morning(1, 12), "r12-a", &["qwen-off"], 0..6, PerTask),
        outline(0, evening(1, 12), "r12-b", &["qwen-off"], 6..12, PerTask),
        outline(0, morning(1, 14), "r12-a", &["qwen-on"], 0..6, PerTask),
        outline(0, evening(1, 14), "r12-b", &["qwen-on"], 6..12, PerTask),
        outline(0, morning(1, 20), "r12-more", &["qwen-on"], 0..2, Rerun(morning(1, 20))),
        outline(0, morning(1, 22), "r12", &["qwen-awq"], 0..12, SingleFile),
        outline(1, morning(1, 17), "r12-a", &["gpt-low"], 0..6, PerTask),
        outline(1, evening(1, 17), "r12-a", &["gpt-high"], 0..6, PerTask),
        outline(1, morning(1, 18), "r12-b", &["gpt-low", "gpt-high"], 6..12, PerTask),
        // Begun early and taken up again later: its path comes before that of the run above, its records after.
        outline(1, morning(1, 16), "r12-more", &["gpt-high"], 9..11, Rerun(morning(2, 2))),
        outline(2, morning(1, 25), "r12-a", &["seed"], 0..6, PerTask),
        outline(2, evening(1, 25), "r12-b", &["seed"], 6..12, PerTask),
        outline(2, morning(1, 27), "r12-a", &["seed-greedy"], 0..6, PerTask),
        // Its server ran out of memory before the tables.
        outline(2, morning(1, 29), "r12", &["seed-int4"], 0..11, PerTask),
        outline(2, morning(1, 5), "trial", &["seed-trial"], 5..6, Trial),
        outline(3, morning(2, 3), "r12-a", &["nemotron-on"], 0..6, PerTask),
        outline(3, evening(2, 3), "r12-b", &["nemotron-on"], 6..12, PerTask),
        outline(3, morning(2, 9), "r12-more", &["nemotron-on"], 4..5, Rerun(morning(2, 9))),
        outline(3, morning(2, 6), "r12", &["nemotron-off"], 0..12, PerTask),
    ]
}

impl Plan {
    pub(crate) fn new(scale: Scale, seed: u64) -> Self {
        let points = TASKS.iter().map(|task| task.points(scale)).collect();
        let mut starts = vec![[None; TASKS.len()]; SUBJECTS.len()];
        let mut runs = Vec::new();
        for outline in outlines() {
            let subjects: Vec<usize> = outline.subjects.iter().map(|key| subject(key)).collect();
            let started = microseconds(outline.started);
            if !matches!(outline.kind, OutlineKind::Rerun(_)) {
                for (slot, task) in outline.tasks.clone().enumerate() {
                    for subject in &subjects {
                        starts[*subject][task] = Some(started + slot as i64 * TASK_DURATION);
                    }
                }
            }
            runs.push(Run {
                cohort: outline.cohort,
                folder: folder_name(&outline, &subjects),
                started,
                files: files(&outline, &subjects),
                subjects,
            });
        }
        runs.sort_by(|left, right| (left.cohort, &left.folder).cmp(&(right.cohort, &right.folder)));
        Self { scale, seed, points, runs, starts }
    }

    /// Where a run folder lies, relative to the root, with `/` between the parts.
    pub(crate) fn run_path(run: &Run) -> String {
        format!("{}/{}", cohort_path(run.cohort), run.folder)
    }

    /// The records of a file, in the order of its lines.
    pub(crate) fn records(&self, file: &File) -> Vec<RecordPlan> {
        let mut records = Vec::new();
        for part in &file.parts {
            self.push_part(*part, &mut records);
        }
        // Requests end in the order of time, whatever they are about. Records without a time stay where they are.
        records.sort_by_key(|record| record.timestamp.unwrap_or_default());
        records
    }

    fn push_part(&self, part: Part, records: &mut Vec<RecordPlan>) {
        let samples = self.scale.samples();
        let repeats = repeats(part);
        let n_points = self.points[part.task].len();
        match part.kind {
            Kind::Base | Kind::BaseWithRetries => {
                let mut again = Vec::new();
                for number in 0..n_points * (samples * repeats) as usize {
                    let mut record = self.base_record(part, number);
                    match part.kind {
                        Kind::BaseWithRetries => again.extend(retry(&mut record, number)),
                        _ if record.naming == Naming::Id && number % 20 == 11 => {
                            again.push(RecordPlan { attempt: 1, ..record.clone() });
                        }
                        _ => {}
                    }
                    records.push(record);
                }
                records.extend(again);
            }
            Kind::Rerun { started } => self.push_rerun(part, started, records),
            Kind::Trial => {
                let per_point = (samples * repeats) as usize;
                records.extend((0..2 * per_point).map(|number| self.base_record(part, number)));
            }
        }
    }

    /// Record `number` of a subject's own run of a task: point by point, sample by sample, repetition by repetition.
    fn base_record(&self, part: Part, number: usize) -> RecordPlan {
        let samples = self.scale.samples() as usize;
        let repeats = repeats(part) as usize;
        let n_records = self.points[part.task].len() * samples * repeats;
        let point = number / (samples * repeats);
        let sample = number / repeats % samples;
        let naming = naming(part);
        let started = self.starts[part.subject][part.task].unwrap_or_default();
        let timestamp = match naming {
            Naming::Id => None,
            Naming::Index | Naming::Nothing => Some(self.clock(part, started, number, n_records, 0)),
        };
        let (seed, index) = self.question(sample as u32);
        RecordPlan {
            subject: part.subject,
            task: part.task,
            point,
            seed,
            index,
            repeat: (number % repeats) as u32,
            attempt: 0,
            forced_error: is_outage(part, point),
            naming,
            timestamp,
            count: 32,
        }
    }

    fn push_rerun(&self, part: Part, started: i64, records: &mut Vec<RecordPlan>) {
        let samples = self.scale.samples();
        let added = (samples / 8).max(1);
        let again: Vec<u32> = (0..samples).filter(|sample| sample % 2 == 0).chain(samples..samples + added).collect();
        let n_records = self.points[part.task].len() * again.len();
        for number in 0..n_records {
            let point = number / again.len();
            let sample = again[number % again.len()];
            let is_new = sample >= samples;
            let original = self.base_record(part, point * samples as usize + (sample % samples) as usize);
            let timestamp = if !is_new && number % 9 == 4 {
                // To the microsecond the same: the order of paths decides.
                original.timestamp
            } else {
                Some(self.clock(part, started, number, n_records, 1))
            };
            let (seed, index) = self.question(sample);
            records.push(RecordPlan {
                seed,
                index,
                attempt: 1,
                forced_error: number % 13 == 6,
                timestamp,
                count: 64,
                ..original
            });
        }
    }

    /// The seed and index of a sample: three quarters of a point's samples come from the first pass.
    fn question(&self, sample: u32) -> (u64, u64) {
        let first_pass = (self.scale.samples() * 3).div_ceil(4);
        match sample.checked_sub(first_pass) {
            None => (FIRST_SEED, u64::from(sample)),
            Some(index) => (FIRST_SEED + 1, u64::from(index)),
        }
    }

    /// When request `number` of `n_records` ended: in order, but for those that run at the same time.
    fn clock(&self, part: Part, started: i64, number: usize, n_records: usize, attempt: u64) -> i64 {
        let key = [part.subject as u64, part.task as u64, number as u64, attempt];
        let mut random = Random::keyed(self.seed, Stream::Clock, &key);
        let at_once = 24;
        let step = TASK_DURATION / (n_records + at_once) as i64;
        started + number as i64 * step + random.below(at_once * step as usize) as i64
    }
}

/// A cohort's folder, relative to the root.
pub(crate) fn cohort_path(cohort: usize) -> String {
    format!("data/r12/{}", COHORTS[cohort].folder)
}

/// The name of a harness's step.
pub(crate) fn step_name(task: usize) -> String {
    format!("{}_r12", TASKS[task].name)
}

/// The name that a record of a run without indices has. `point` is its number in the full grid.
pub(crate) fn sample_id(record: &RecordPlan, point: &Point) -> String {
    format!("{}-{:03}-{}-{:04}", TASKS[record.task].name, point.number, record.seed, record.index)
}

/// What happens to every 25th request of a subject that retries: most failed once and then did not, some failed in the
/// end, and some have two answers of the very same moment.
fn retry(record: &mut RecordPlan, number: usize) -> Option<RecordPlan> {
    const HALF_A_MINUTE: i64 = 30_000_000;
    if number % 25 != 7 {
        return None;
    }
    let later = record.timestamp.map(|timestamp| timestamp + HALF_A_MINUTE);
    let again = RecordPlan { attempt: 1, ..record.clone() };
    Some(match (number / 25 + record.task) % 4 {
        2 => RecordPlan { timestamp: later, forced_error: true, ..again },
        3 => again,
        _ => {
            record.forced_error = true;
            RecordPlan { timestamp: later, ..again }
        }
    })
}

/// The repetitions of each question: one subject answers the sequences four times.
fn repeats(part: Part) -> u32 {
    if is(part, "nemotron-on", "sequence") { 4 } else { 1 }
}

fn naming(part: Part) -> Naming {
    if is(part, "seed-int4", "dates") {
        Naming::Id
    } else if is(part, "nemotron-off", "objects") {
        Naming::Nothing
    } else {
        Naming::Index
    }
}

/// One point never got an answer: its server was down.
fn is_outage(part: Part, point: usize) -> bool {
    point == 1 && is(part, "seed", "shapes")
}

fn is(part: Part, subject: &str, task: &str) -> bool {
    SUBJECTS[part.subject].key == subject && TASKS[part.task].name == task
}

fn files(outline: &Outline, subjects: &[usize]) -> Vec<File> {
    let part = |subject: usize, task: usize| {
        let kind = match outline.kind {
            OutlineKind::PerTask => Kind::Base,
            OutlineKind::SingleFile => Kind::BaseWithRetries,
            OutlineKind::Rerun(started) => Kind::Rerun { started: microseconds(started) },
            OutlineKind::Trial => Kind::Trial,
        };
        Part { subject, task, kind }
    };
    if matches!(outline.kind, OutlineKind::SingleFile) {
        let parts =
            outline.tasks.clone().flat_map(|task| subjects.iter().map(move |subject| part(*subject, task))).collect();
        return vec![File {
            name: "results.jsonl".to_owned(),
            compression: Compression::Plain,
            shape: Shape::Usual,
            parts,
        }];
    }
    let files = outline.tasks.clone().enumerate().map(|(slot, task)| {
        let parts: Vec<Part> = subjects.iter().map(|subject| part(*subject, task)).collect();
        let (ending, compression, shape) = form(parts[0]);
        File { name: format!("{slot:03}_{}.{ending}", step_name(task)), compression, shape, parts }
    });
    files.collect()
}

/// The file ending, compression and shape of a file, by what it holds.
fn form(part: Part) -> (&'static str, Compression, Shape) {
    let rerun = matches!(part.kind, Kind::Rerun { .. });
    match (SUBJECTS[part.subject].key, TASKS[part.task].name) {
        ("qwen-off", "letters") => ("ndjson", Compression::Plain, Shape::CarriageReturns),
        ("qwen-off", "dates") => ("ndjson.gz", Compression::Gzip, Shape::Usual),
        ("qwen-on", "letters") => ("ndjson", Compression::Plain, Shape::ByteOrderMark),
        ("qwen-on", "tables") => ("ndjson.zst", Compression::Zstd, Shape::Usual),
        ("qwen-on", "boolean") if rerun => ("ndjson.zst", Compression::Zstd, Shape::Usual),
        ("gpt-low", "sort") => ("ndjson.zst", Compression::Zstd, Shape::Usual),
        ("seed", "boolean") => ("jsonl.gz", Compression::Gzip, Shape::Usual),
        ("seed", "shuffle") => ("jsonl.zst", Compression::Zstd, Shape::Usual),
        ("nemotron-on", "cars") => ("ndjson", Compression::Plain, Shape::Unterminated),
        _ => ("ndjson", Compression::Plain, Shape::Usual),
    }
}

fn folder_name(outline: &Outline, subjects: &[usize]) -> String {
    let first = SUBJECTS[subjects[0]].identity;
    let template = match subjects {
        [_, second] => {
            let ending = SUBJECTS[*second].identity.template.rsplit('-').next().unwrap_or_default();
            format!("{}-and-{ending}", first.template)
        }
        _ => first.template.to_owned(),
    };
    let started = outline.started.strftime("%Y-%m-%d_%H-%M-%S");
    format!("{started}_{}_{}_{template}_{}", outline.step, first.model, first.sampler)
}

fn microseconds(time: DateTime) -> i64 {
    // Every time in the table exists in UTC.
    TimeZone::UTC.to_timestamp(time).map(jiff::Timestamp::as_microsecond).unwrap_or_default()
}

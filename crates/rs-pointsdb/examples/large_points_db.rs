//! Makes a large PointsDB without a raw record, for measuring: `large_points_db OUT.db [EVALUATIONS [POINTS [SAMPLES]]]`,
//! by default 150 evaluations of 1,070 points of 100 samples. The same arguments give the same rows. Prints how many
//! seconds it took to write them, once all were made: that takes two gigabytes.

#![expect(clippy::print_stderr, clippy::print_stdout, reason = "a program for developers, without `Ui`")]

use std::error::Error;
use std::num::NonZeroU32;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use fastrand::Rng;
use rs_core::eval_id::{EvalId, Identity};
use rs_core::forensics::SPECTRUM_BINS;
use rs_core::point::{Attributes, HAZARD_BIN_TOKENS, Hazard, Point, PointSample};
use rs_core::record::Outcome;
use rs_core::statistics::Counters;
use rs_pointsdb::builder::{Builder, EvalRow, Old, RawFileRow};
use rs_pointsdb::connection::Size;
use rs_pointsdb::schema::SCHEMA_VERSION;

/// Tasks; the points are dealt out to them in turn.
const TASKS: [&str; 12] = [
    "arithmetic",
    "boolean",
    "brackets",
    "cars",
    "dates",
    "letters",
    "logic",
    "movies",
    "objects",
    "sequence",
    "shapes",
    "sort",
];

/// As `evaluate` allocates.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Tokens after which a trial is truncated.
const CONTEXT_TOKENS: u32 = 16_384;

fn main() -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "a program without arguments of the common kind")]
    let arguments: Vec<String> = std::env::args_os().skip(1).map(|text| text.to_string_lossy().into_owned()).collect();
    let Some(out) = arguments.first() else {
        eprintln!("usage: large_points_db OUT.db [EVALUATIONS [POINTS [SAMPLES]]]");
        return ExitCode::from(2);
    };
    let number = |at: usize, usual: u32| arguments.get(at).map_or(Ok(usual), |text| text.parse());
    let made = (|| -> Result<Duration, Box<dyn Error>> {
        Ok(make(Path::new(out), number(1, 150)?, number(2, 1070)?, number(3, 100)?)?)
    })();
    match made {
        Ok(took) => {
            println!("{:.3}", took.as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn make(
    out: &Path,
    n_evaluations: u32,
    n_points: u32,
    n_samples: u32,
) -> Result<Duration, rs_pointsdb::connection::PointsDbError> {
    let made: Vec<(EvalRow, Vec<Point>)> = (0..n_evaluations)
        .map(|number| {
            let mut random = Rng::with_seed(u64::from(number));
            // 0 for the worst, nearly 1 for the best.
            let skill = f64::from(number) / f64::from(n_evaluations);
            let points = (0..n_points).map(|at| point(at, n_samples, skill, &mut random)).collect();
            (evaluation(number, u64::from(n_points) * u64::from(n_samples)), points)
        })
        .collect();
    let began = Instant::now();
    let mut builder = Builder::create(out, Old::Ignored, Size::Large)?;
    builder.append(made, || {})?;
    builder.finish(&[
        ("schema_version", SCHEMA_VERSION.to_string()),
        ("dataset", "large".to_owned()),
        ("created_at", "2000-01-01T00:00:00Z".to_owned()),
    ])?;
    Ok(began.elapsed())
}

fn evaluation(number: u32, n_records: u64) -> EvalRow {
    let identity = Identity {
        model: format!("Model-{:03}", number / 2),
        template: if number.is_multiple_of(2) { "plain" } else { "think" }.to_owned(),
        sampler: "greedy-16k".to_owned(),
    };
    EvalRow {
        eval_id: EvalId::new(&identity, None),
        label: format!("Model {:03} ({})", number / 2, identity.template),
        identity,
        context_tokens: None,
        hf_id: None,
        groups: vec![
            format!("arch:{}", if number.is_multiple_of(3) { "moe" } else { "dense" }),
            format!("size:{}", ["small", "mid", "large"][(number / 2 % 3) as usize]),
        ],
        tags: if number.is_multiple_of(5) { vec!["leaderboard".to_owned()] } else { Vec::new() },
        cohort: None,
        n_files: TASKS.len() as u64,
        source_bytes: 0,
        n_records,
        n_duplicates: 0,
        n_errors: 0,
        n_malformed: 0,
        n_foreign: 0,
        first_timestamp: None,
        last_timestamp: None,
        fingerprint: number.to_string(),
        files: (0..)
            .zip(TASKS)
            .map(|(file, task)| RawFileRow { file, path: format!("run/{task}.ndjson"), marks: Vec::new() })
            .collect(),
    }
}

/// A point of `TASKS[at % 12]`: the harder its coordinate, the fewer right answers and the more tokens.
fn point(at: u32, n_samples: u32, skill: f64, random: &mut Rng) -> Point {
    let task = at as usize % TASKS.len();
    let place = at / TASKS.len() as u32;
    let (length, depth) = (place / 8, place % 8);
    let hardness = (f64::from(length) / 12.0 + f64::from(depth) / 8.0) / 2.0;
    let chance = (0.35 + 0.9 * skill - 0.7 * hardness).clamp(0.02, 0.98);
    let typical = 300.0 + 6000.0 * hardness;
    let guess_chance = if task.is_multiple_of(3) { 0.25 } else { 0.0 };
    let sample = |index: u32, random: &mut Rng| {
        // The product of uniform numbers is skewed as numbers of tokens are.
        let tokens = typical * (0.3 + 4.0 * random.f64() * random.f64());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some thousands")]
        let tokens = (tokens as u32).min(CONTEXT_TOKENS);
        let outcome = match random.f64() {
            _ if tokens == CONTEXT_TOKENS => Outcome::Truncated,
            _ if hardness > 0.8 && random.u32(0..20) == 0 => Outcome::Truncated,
            draw if draw < chance => Outcome::Correct,
            draw if draw > 0.99 => Outcome::Invalid,
            _ => Outcome::Incorrect,
        };
        PointSample {
            seed: Some(42),
            index: Some(i64::from(index)),
            repeat: 0,
            outcome,
            completion_tokens: Some(tokens),
            trace_bytes: tokens * 4,
            compressed_bytes: Some(tokens + random.u32(0..=tokens)),
            guess_chance,
            file: task as u32,
            line: NonZeroU32::new(place * n_samples + index + 1),
        }
    };
    let samples: Vec<PointSample> = (0..n_samples).map(|index| sample(index, random)).collect();
    counted(TASKS[task], format!("{{\"depth\":{depth},\"length\":{length}}}"), samples, random)
}

fn counted(base_task: &str, params: String, samples: Vec<PointSample>, random: &mut Rng) -> Point {
    let count = |is_meant: fn(Outcome) -> bool| samples.iter().filter(|sample| is_meant(sample.outcome)).count() as u64;
    let mean = |is_meant: fn(Outcome) -> bool| {
        let tokens =
            samples.iter().filter(|sample| is_meant(sample.outcome)).filter_map(|sample| sample.completion_tokens);
        let (sum, n) = tokens.fold((0.0, 0.0), |(sum, n), tokens| (sum + f64::from(tokens), n + 1.0));
        (n > 0.0).then(|| sum / n)
    };
    let answered = count(Outcome::is_answered);
    let bins = |is_meant: fn(Outcome) -> bool| {
        let bin = |sample: &PointSample| (sample.completion_tokens.unwrap_or(0) / HAZARD_BIN_TOKENS) as usize;
        let mut bins = vec![0; samples.iter().map(bin).max().map_or(0, |last| last + 1)];
        samples.iter().filter(|sample| is_meant(sample.outcome)).for_each(|sample| bins[bin(sample)] += 1);
        bins
    };
    Point {
        base_task: base_task.to_owned(),
        params,
        attributes: Attributes::default(),
        counters: Counters {
            correct: count(|outcome| outcome == Outcome::Correct),
            invalid: count(|outcome| outcome == Outcome::Invalid),
            answered,
            truncated: count(|outcome| outcome == Outcome::Truncated),
            guess_sum: samples
                .iter()
                .filter(|sample| sample.outcome.is_answered())
                .map(|sample| sample.guess_chance)
                .sum(),
        },
        hard_terminated: 0,
        errors: 0,
        score_sum: None,
        prompt_tokens_mean: Some(100.0),
        completion_tokens_mean: mean(Outcome::is_answered),
        completion_tokens_correct_mean: mean(|outcome| outcome == Outcome::Correct),
        completion_tokens_incorrect_mean: mean(|outcome| matches!(outcome, Outcome::Incorrect | Outcome::Invalid)),
        total_tokens: Some(samples.iter().map(|sample| 100 + u64::from(sample.completion_tokens.unwrap_or(0))).sum()),
        fft_power_mean: Some((0..SPECTRUM_BINS).map(|bin| (1.0 + random.f32()) / (1.0 + bin as f32)).collect()),
        fft_power_std: Some((0..SPECTRUM_BINS).map(|_| random.f32() * 0.1).collect()),
        hazard: Some(Hazard {
            correct: bins(|outcome| outcome == Outcome::Correct),
            incorrect: bins(|outcome| matches!(outcome, Outcome::Incorrect | Outcome::Invalid)),
            truncated: bins(|outcome| outcome == Outcome::Truncated),
        }),
        samples,
    }
}

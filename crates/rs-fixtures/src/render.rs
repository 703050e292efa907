//! From the plan of a file to its bytes, piece by piece.

use std::borrow::Cow;
use std::io::{self, Write};

use flate2::write::GzEncoder;
use serde::Serialize;

use crate::config::pretty;
use crate::evaluation::SUBJECTS;
use crate::plan::{Compression, File, Plan, Run, Shape};
use crate::record::{Fact, RecordWriter};

/// Bytes of a piece of a file that is stored as it is.
const PLAIN_PIECE: usize = 256 * 1024;
/// Bytes of a piece of a compressed file. Every piece is a zstd frame or gzip member of its own, and ends anywhere in a
/// line: readers must take both.
const COMPRESSED_PIECE: usize = 16 * 1024;

/// The name of the file that marks a run folder as made here.
pub(crate) const MARKER: &str = ".fixture";

/// Makes a data file: its content goes to `take_piece`, uncompressed, and what it holds to `take_fact`.
pub(crate) fn render_file<E>(
    plan: &Plan,
    file: &File,
    mut take_piece: impl FnMut(&[u8]) -> Result<(), E>,
    mut take_fact: impl FnMut(Fact),
) -> Result<(), E> {
    let piece = match file.compression {
        Compression::Plain => PLAIN_PIECE,
        Compression::Gzip | Compression::Zstd => COMPRESSED_PIECE,
    };
    let line_end: &[u8] = if file.shape == Shape::CarriageReturns { b"\r\n" } else { b"\n" };
    let records = plan.records(file);
    let mut writer = RecordWriter::default();
    let mut line = String::new();
    let mut buffer: Vec<u8> = Vec::with_capacity(2 * piece);
    if file.shape == Shape::ByteOrderMark {
        buffer.extend_from_slice("\u{feff}".as_bytes());
    }
    for (number, record) in records.iter().enumerate() {
        line.clear();
        take_fact(writer.write(plan, record, &mut line));
        buffer.extend_from_slice(line.as_bytes());
        if file.shape != Shape::Unterminated || number + 1 < records.len() {
            buffer.extend_from_slice(line_end);
        }
        if file.shape == Shape::CarriageReturns && number % 16 == 15 {
            buffer.extend_from_slice(line_end);
        }
        let whole = buffer.len() / piece * piece;
        for bytes in buffer[..whole].chunks(piece) {
            take_piece(bytes)?;
        }
        buffer.drain(..whole);
    }
    if buffer.is_empty() { Ok(()) } else { take_piece(&buffer) }
}

/// A piece of a file as it is stored.
pub(crate) fn store(piece: &[u8], compression: Compression) -> io::Result<Cow<'_, [u8]>> {
    match compression {
        Compression::Plain => Ok(Cow::Borrowed(piece)),
        Compression::Zstd => Ok(Cow::Owned(zstd::bulk::compress(piece, 3)?)),
        Compression::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(piece)?;
            Ok(Cow::Owned(encoder.finish()?))
        }
    }
}

#[derive(Serialize)]
struct Metadata<'a> {
    run: &'a str,
    models: Vec<&'a str>,
    templates: Vec<&'a str>,
    sampler: &'a str,
    server: &'a str,
    temperature: f64,
    top_p: f64,
    max_tokens: u64,
    timestamp: String,
    steps: Vec<&'a str>,
}

/// The files of a run folder that hold no records: name and content.
pub(crate) fn side_files(plan: &Plan, run: &Run) -> Vec<(&'static str, String)> {
    let subjects: Vec<_> = run.subjects.iter().map(|subject| &SUBJECTS[*subject]).collect();
    let first = subjects[0];
    let started = jiff::Timestamp::from_microsecond(run.started).unwrap_or_default();
    let mut models: Vec<&str> = subjects.iter().map(|subject| subject.identity.model).collect();
    models.dedup();
    let metadata = Metadata {
        run: &run.folder,
        models,
        templates: subjects.iter().map(|subject| subject.identity.template).collect(),
        sampler: first.identity.sampler,
        server: first.server.name,
        temperature: first.server.temperature,
        top_p: first.server.top_p,
        max_tokens: first.limit,
        timestamp: started.to_string(),
        steps: run.files.iter().map(|file| file.name.split('.').next().unwrap_or_default()).collect(),
    };
    let log = format!(
        "{started} INFO {} serving {} with a context of {}\n{started} INFO {} steps queued\n",
        first.server.name,
        first.identity.model,
        first.limit,
        run.files.len()
    );
    vec![
        (MARKER, format!("made by rs-fixtures, scale {}, seed {}\n", plan.scale, plan.seed)),
        ("metadata.json", pretty(&metadata)),
        ("server.log", log),
    ]
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use serde_json::Value;

    use super::{render_file, store};
    use crate::plan::{Compression, Plan};
    use crate::scale::Scale;

    /// Packed size over size of the long traces of two medium files, of those that end and of those that do not.
    fn ratios() -> (Vec<f64>, Vec<f64>) {
        let plan = Plan::new(Scale::Medium, crate::DEFAULT_SEED);
        let run = plan.runs.iter().find(|run| run.folder.contains("2026-01-25_09-30-00")).expect("a run of that day");
        let (mut healthy, mut truncated) = (Vec::new(), Vec::new());
        for file in [&run.files[0], &run.files[3]] {
            let mut content = Vec::new();
            let Ok(()) = render_file(
                &plan,
                file,
                |piece| {
                    content.extend_from_slice(piece);
                    Ok::<(), Infallible>(())
                },
                |_| {},
            );
            for line in content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let record: Value = serde_json::from_slice(line).expect("JSON");
                let Some(reasoning) = record["reasoning"].as_str().filter(|text| text.len() > 2_000) else { continue };
                let packed = store(reasoning.as_bytes(), Compression::Gzip).expect("packed").len();
                let ratio = packed as f64 / reasoning.len() as f64;
                if record["truncated"] == Value::Bool(true) {
                    truncated.push(ratio);
                    continue;
                }
                healthy.push(ratio);
                let mut sentences: Vec<&str> = reasoning.split(". ").collect();
                let n_sentences = sentences.len();
                sentences.sort_unstable();
                sentences.dedup();
                assert!(sentences.len() * 3 > n_sentences, "{reasoning}");
            }
        }
        (healthy, truncated)
    }

    #[test]
    fn traces_have_the_redundancy_of_reasoning() {
        let (mut healthy, mut truncated) = ratios();
        assert!(healthy.len() > 500 && truncated.len() > 5, "{} and {}", healthy.len(), truncated.len());
        let median = |ratios: &mut Vec<f64>| {
            ratios.sort_by(f64::total_cmp);
            ratios[ratios.len() / 2]
        };
        assert!((0.25..0.45).contains(&median(&mut healthy)), "{healthy:?}");
        assert!((0.05..0.24).contains(&median(&mut truncated)), "{truncated:?}");
    }
}

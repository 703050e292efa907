//! What is looked at in the texts of a record besides its counters, and by whom (statistics.md, section 5).
//!
//! Compressing and tokenizing need libraries that most programs do without: `collect` is told who does it.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;

use serde_json::{Map, Value};

use crate::monitor::Monitor;

/// Values of a spectrum: at equally spaced frequencies from 0 to 0.5 cycles a token, both included.
pub const SPECTRUM_BINS: usize = 128;

/// Samples of a point whose spectra are averaged: the first in sample order that have one.
pub const MAX_SPECTRUM_SAMPLES: usize = 128;

/// Magnitudes by frequency.
pub type Spectrum = [f32; SPECTRUM_BINS];

/// Looks at the texts of records.
pub trait Examiner: Sync {
    /// Makes ready what it takes to look at records of the evaluations at these positions: called once it is known whose are
    /// read, before any is. Once the work is cancelled it need not come to its end.
    ///
    /// # Errors
    /// That cannot be done.
    fn prepare(&self, evaluations: &BTreeSet<usize>, monitor: &Monitor) -> Result<(), Box<dyn Error + Send + Sync>>;

    /// Bytes of a trace (`reasoning`, then `response`; UTF-8) once compressed; 0 for an empty one.
    fn compressed_bytes(&self, trace: &[u8]) -> u32;

    /// Whether prompts of an evaluation, by its position, have spectra: whether there is a tokenizer.
    fn has_spectra(&self, evaluation: usize) -> bool;

    /// The spectrum of a prompt of an evaluation; `None` if it is too short.
    fn spectrum(&self, evaluation: usize, prompt: &str) -> Option<Spectrum>;

    /// A folder with room for what does not stay in memory: half a kilobyte a spectrum, in a file without a name.
    fn scratch_folder(&self) -> &Path;

    /// What an evaluation's results depend on: the codec, and the tokenizer if there is one.
    fn fingerprint(&self, evaluation: usize) -> String;
}

/// The text of a prompt, given as JSON: a string as it is; of a list of messages their contents, a line end between
/// them. `None` if it is neither.
#[must_use]
pub fn prompt_text(json: &[u8]) -> Option<String> {
    match serde_json::from_slice(json).ok()? {
        Value::String(text) => Some(text),
        Value::Array(messages) => {
            let contents: Option<Vec<String>> =
                messages.iter().map(|message| message.as_object().map(content)).collect();
            contents.map(|contents| contents.join("\n"))
        }
        _ => None,
    }
}

/// The text of a message: its `content`, or the `text` of each of its parts.
fn content(message: &Map<String, Value>) -> String {
    match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts.iter().filter_map(|part| part.get("text")?.as_str()).collect(),
        _ => String::new(),
    }
}

/// Mean and standard deviation (of the population) of spectra in the making.
pub(crate) struct Average {
    sums: Vec<(f64, f64)>,
    count: usize,
}

impl Average {
    pub(crate) fn new() -> Self {
        Self { sums: Vec::new(), count: 0 }
    }

    /// Whether there are enough.
    pub(crate) fn is_full(&self) -> bool {
        self.count == MAX_SPECTRUM_SAMPLES
    }

    /// Adds a spectrum, unless there are enough.
    pub(crate) fn add(&mut self, spectrum: &Spectrum) {
        if self.is_full() {
            return;
        }
        self.sums.resize(SPECTRUM_BINS, (0.0, 0.0));
        self.count += 1;
        for ((mean, squares), value) in self.sums.iter_mut().zip(spectrum) {
            // Welford's update: no two large sums are subtracted.
            let value = f64::from(*value);
            let change = value - *mean;
            *mean += change / self.count as f64;
            *squares += change * (value - *mean);
        }
    }

    /// Mean and standard deviation; `None` without a spectrum.
    pub(crate) fn finish(&self) -> Option<(Vec<f32>, Vec<f32>)> {
        #[expect(clippy::cast_possible_truncation, reason = "the columns are FLOAT")]
        let pair = |(mean, squares): &(f64, f64)| (*mean as f32, (squares / self.count as f64).max(0.0).sqrt() as f32);
        (self.count > 0).then(|| self.sums.iter().map(pair).unzip())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, text: Option<&str>) {
        assert_eq!(prompt_text(json.as_bytes()).as_deref(), text, "{json}");
    }

    #[test]
    fn texts_of_prompts() {
        check(r#""a\nb""#, Some("a\nb"));
        check(r#"[{"role":"system","content":"a"},{"role":"user","content":"b"}]"#, Some("a\nb"));
        check(r#"[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image"}]}]"#, Some("a"));
        check(r#"[{"role":"user","content":null},{"role":"user"}]"#, Some("\n"));
        check("[]", Some(""));
        check("[1]", None);
        check("7", None);
    }

    #[test]
    fn averages() {
        let mut average = Average::new();
        assert_eq!(average.finish(), None);
        average.add(&[1.0; SPECTRUM_BINS]);
        average.add(&[3.0; SPECTRUM_BINS]);
        let (mean, deviation) = average.finish().expect("there are two");
        assert_eq!((mean[0], mean[127], deviation[5]), (2.0, 2.0, 1.0));
        for _ in 0..200 {
            average.add(&[100.0; SPECTRUM_BINS]);
        }
        assert_eq!(average.count, MAX_SPECTRUM_SAMPLES);
    }
}

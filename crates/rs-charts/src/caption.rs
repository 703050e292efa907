//! What is written above and below a chart.

/// What is written above and below a chart. All parts are wrapped to the chart's width.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Caption {
    /// What the picture shows.
    pub title: String,
    /// What it is of: dataset, filters. None when empty.
    pub subtitle: String,
    /// The foot line's parts, joined by a middle dot. Charts add the legend of their own marks (hatching, diamonds).
    pub notes: Vec<String>,
}

impl Caption {
    /// A title.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// The same caption with a second line under the title.
    #[must_use]
    pub fn subtitle(self, subtitle: impl Into<String>) -> Self {
        Self { subtitle: subtitle.into(), ..self }
    }

    /// The same caption with one more part in the foot line.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Says in the foot line what level the intervals have, as a share of one: `95 % intervals`.
    #[must_use]
    pub fn interval(self, level: f64) -> Self {
        // Rounded to a thousandth of a percent: 0.29 * 100 is not 29.
        let percent = (level * 100_000.0).round() / 1_000.0;
        self.note(format!("{percent} % intervals"))
    }

    /// Says in the foot line how many trials are shown: `n = 2,140`.
    #[must_use]
    pub fn trials(self, trials: u64) -> Self {
        self.note(format!("n = {}", crate::number::grouped(trials)))
    }
}

//! `cohort context`: evaluations of a smaller context, out of the raw data that is there.

use std::path::{Path, PathBuf};

use rs_cli::{Cell, Column, CommandError, Exit, OutputArgs, Report, Table, Ui};
use rs_core::cohort::{Cohort, Entry, Evaluation};
use rs_core::collect::{Collected, Keep, Wanted};
use rs_core::document;
use rs_core::eval_id::identity_text;
use rs_core::json_text::ListText;
use rs_core::statistics::Counters;
use rs_core::{atomic_file, paths, suggest};
use serde::Serialize;

use crate::scan;
use crate::smaller_context::{derived, derived_text};

/// Add the evaluations of a smaller context, from the same raw data: what used more tokens counts as truncated.
///
/// For each evaluation whose context is larger, or not limited, an entry is added at the end of evals.json: the same but
/// for `context`, its `ctx:` group and its label. All other bytes of the file stay. `evaluate` then makes its points;
/// no model is asked anything.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// The cohort's folder or its evals.json.
    cohort: PathBuf,
    /// The context: records with more completion tokens count as truncated.
    #[arg(long, value_name = "N")]
    tokens: u32,
    /// Only of these evaluations.
    #[arg(long, value_name = "ID")]
    eval_id: Vec<String>,
    /// Show what would become of truncation and accuracy, and write nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// The document `cohort.context/1`.
#[derive(Debug, Serialize)]
struct ContextReport {
    schema: &'static str,
    path: String,
    /// Whether nothing was written.
    dry_run: bool,
    /// One for each evaluation that is new.
    evaluations: Vec<NewRow>,
}

#[derive(Debug, Serialize)]
struct NewRow {
    eval_id: String,
    label: String,
    context: u32,
    /// What it was made from.
    source: SourceRow,
    /// Answered and truncated trials; null where the raw data is not here, as all below.
    samples: Option<u64>,
    before: Measures,
    after: Measures,
}

#[derive(Debug, Serialize)]
struct SourceRow {
    eval_id: String,
    label: String,
    context: Option<u32>,
}

/// Over all points; margins are Wilson's at 95 %, of independent trials.
#[derive(Debug, Default, Serialize)]
struct Measures {
    truncated: Option<u64>,
    truncated_ratio: Option<f64>,
    adjusted_accuracy: Option<f64>,
    adjusted_margin: Option<f64>,
    p_success: Option<f64>,
    p_success_margin: Option<f64>,
    /// Centres of both intervals.
    #[serde(skip)]
    centers: [Option<f64>; 2],
}

/// An evaluation to be added, and the one it derives from.
struct New<'a> {
    /// Position in the cohort.
    at: usize,
    source: &'a Evaluation,
    entry: Entry,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CommandError> {
    args.output.check()?;
    if args.tokens == 0 {
        return Err(CommandError::input("--tokens 0: in a context of no tokens every record is truncated"));
    }
    let cohort = scan::open(&args.cohort, ui)?;
    let old_text = EvalsText::read(&cohort.file)?;
    let new = new_evaluations(&cohort, args, ui)?;
    let new_text = old_text.with(&cohort, &new)?;
    let evaluations = measured(&cohort, &new, ui)?;
    if !args.dry_run && !new.is_empty() {
        // Reading the raw data took a while.
        if EvalsText::read(&cohort.file)? != old_text {
            let what = format!("{} has changed meanwhile; nothing was written", cohort.file.display());
            return Err(CommandError::environment(what).hint("run the same again"));
        }
        atomic_file::write(&cohort.file, new_text.as_bytes()).map_err(CommandError::environment)?;
    }
    let path = paths::show(&cohort.folder);
    args.output.print(ui, &ContextReport { schema: "cohort.context/1", path, dry_run: args.dry_run, evaluations })?;
    match (new.len(), args.dry_run) {
        (0, _) => ui.note("there is nothing to add"),
        (_, true) => ui.note("nothing was written"),
        (_, false) => ui.note(&format!("added to {}; `evaluate` makes the points", cohort.file.display())),
    }
    Ok(Exit::Done)
}

/// Which evaluations are to be added, in the order of their sources.
fn new_evaluations<'a>(cohort: &'a Cohort, args: &Args, ui: &mut Ui) -> Result<Vec<New<'a>>, CommandError> {
    check_named(cohort, &args.eval_id)?;
    let is_named = |entry: &Entry| args.eval_id.iter().any(|typed| entry.is_named(typed));
    let breadth = |entry: &Entry| entry.context.unwrap_or(u32::MAX);
    let mut new: Vec<New<'_>> = Vec::new();
    for (at, source) in cohort.evaluations.iter().enumerate() {
        let entry = &source.entry;
        if !args.eval_id.is_empty() && !is_named(entry) {
            continue;
        }
        let (id, label) = (entry.eval_id(), &entry.label);
        if let Some(context) = entry.context.filter(|context| *context <= args.tokens) {
            let what = format!("`{id}` ({label}) has a context of {context} tokens: not more than {}", args.tokens);
            match is_named(entry) {
                true if context < args.tokens => return Err(CommandError::input(what)),
                true => ui.note(&what),
                false => ui.step(&what),
            }
            continue;
        }
        let derived = derived(entry, args.tokens);
        let is_same = |other: &Entry| other.filters == derived.filters && other.context == derived.context;
        if let Some(known) = cohort.evaluations.iter().find(|known| is_same(&known.entry)) {
            let known = &known.entry;
            ui.note(&format!(
                "`{}` ({}) is there already: `{id}` ({label}) at {} tokens",
                known.eval_id(),
                known.label,
                args.tokens
            ));
            continue;
        }
        let new_one = New { at, source, entry: derived };
        // Of two contexts of one identity the larger one says more of what was there.
        match new.iter_mut().find(|known| known.entry.filters == entry.filters) {
            Some(known) if breadth(entry) > breadth(&known.source.entry) => *known = new_one,
            Some(_) => {}
            None => new.push(new_one),
        }
    }
    check_ids(cohort, &new)?;
    Ok(new)
}

/// Whether every id that was typed names an evaluation.
fn check_named(cohort: &Cohort, typed: &[String]) -> Result<(), CommandError> {
    let entries = || cohort.evaluations.iter().map(|evaluation| &evaluation.entry);
    for typed in typed {
        if !entries().any(|entry| entry.is_named(typed)) {
            let known: Vec<String> = entries()
                .flat_map(|entry| [entry.eval_id().to_string(), identity_text(&entry.filters, entry.context)])
                .collect();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            let what = format!("no evaluation `{typed}` in {}", cohort.file.display());
            return Err(CommandError::input(what).maybe_hint(suggest::hint(typed, &known)));
        }
    }
    Ok(())
}

/// One id must mean one evaluation.
fn check_ids(cohort: &Cohort, new: &[New<'_>]) -> Result<(), CommandError> {
    let identity = |entry: &Entry| identity_text(&entry.filters, entry.context);
    let old = cohort.evaluations.iter().map(|evaluation| &evaluation.entry);
    let all: Vec<&Entry> = old.chain(new.iter().map(|new| &new.entry)).collect();
    for (at, entry) in all.iter().enumerate().skip(cohort.evaluations.len()) {
        if let Some(other) = all[..at].iter().find(|other| other.eval_id() == entry.eval_id()) {
            let (a, b, id) = (identity(other), identity(entry), entry.eval_id());
            return Err(CommandError::input(format!("evaluations `{a}` and `{b}` would have one eval_id `{id}`")));
        }
    }
    Ok(())
}

/// The text of an evals.json.
#[derive(Debug, PartialEq, Eq)]
struct EvalsText {
    /// A byte order mark, or nothing.
    mark: &'static str,
    text: String,
}

impl EvalsText {
    fn read(path: &Path) -> Result<Self, CommandError> {
        const MARK: &str = "\u{FEFF}";
        let bytes = fs_err::read(path)?;
        let mark = if bytes.starts_with(MARK.as_bytes()) { MARK } else { "" };
        Ok(Self { mark, text: document::text(bytes, path)? })
    }

    /// The text with new entries at its end, checked to say just that.
    fn with(&self, cohort: &Cohort, new: &[New<'_>]) -> Result<String, CommandError> {
        let changed = || CommandError::environment(format!("{} has changed meanwhile", cohort.file.display()));
        let mut list = ListText::parse(&self.text).map_err(|_| changed())?;
        let sources: Vec<&str> = list.elements().collect();
        for new in new {
            let source = sources.get(new.at).ok_or_else(changed)?;
            list.push(derived_text(source, &new.entry).map_err(|_| changed())?);
        }
        let text = list.edited();
        let entries = document::parse_json::<Vec<Entry>>(&text, &cohort.file)?.value;
        let old = cohort.evaluations.iter().map(|evaluation| &evaluation.entry);
        if !entries.iter().eq(old.chain(new.iter().map(|new| &new.entry))) {
            return Err(changed());
        }
        Ok(format!("{}{text}", self.mark))
    }
}

/// What the new context does to each evaluation, by its raw data, which is read once.
fn measured(cohort: &Cohort, new: &[New<'_>], ui: &mut Ui) -> Result<Vec<NewRow>, CommandError> {
    // For each the evaluation as it is and the new one, of one identity.
    let wanted: Vec<Wanted> = new
        .iter()
        .flat_map(|new| {
            let before = scan::wanted(new.source);
            [before.clone(), Wanted { context_tokens: new.entry.context, ..before }]
        })
        .collect();
    let reads = |file| (0..wanted.len()).filter(|at| new[at / 2].source.files.contains(&file)).collect::<Vec<_>>();
    let files: Vec<usize> = (0..cohort.files.len()).filter(|file| !reads(*file).is_empty()).collect();
    let found = scan::collect(cohort, &files, &wanted, reads, Keep::Points, ui)?;
    if !found.diagnostics.is_empty() {
        let path = paths::show(&cohort.folder);
        ui.warn(&format!("some lines are malformed and do not count; `cohort validate {path}` shows them"));
    }
    Ok(new.iter().zip(found.evaluations.chunks_exact(2)).map(|(new, pair)| row(new, &pair[0], &pair[1], ui)).collect())
}

fn row(new: &New<'_>, before: &Collected, after: &Collected, ui: &mut Ui) -> NewRow {
    let (source, entry) = (&new.source.entry, &new.entry);
    let [before, after] = [before, after].map(counters);
    if before.is_none() {
        let id = source.eval_id();
        ui.warn(&format!("`{id}` ({}): no record of it is here: what the context does is not known", source.label));
    }
    NewRow {
        eval_id: entry.eval_id().to_string(),
        label: entry.label.clone(),
        context: entry.context.unwrap_or_default(),
        source: SourceRow {
            eval_id: source.eval_id().to_string(),
            label: source.label.clone(),
            context: source.context,
        },
        samples: before.map(|counters| counters.answered + counters.truncated),
        before: before.as_ref().map(Measures::new).unwrap_or_default(),
        after: after.as_ref().map(Measures::new).unwrap_or_default(),
    }
}

/// The counters of all points; `None` without a point.
fn counters(collected: &Collected) -> Option<Counters> {
    collected.points.iter().map(|point| point.counters).reduce(|mut sum, counters| {
        sum += counters;
        sum
    })
}

impl Measures {
    fn new(counters: &Counters) -> Self {
        Self {
            truncated: Some(counters.truncated),
            truncated_ratio: counters.truncated_ratio(),
            adjusted_accuracy: counters.adjusted_accuracy(),
            adjusted_margin: counters.adjusted_wilson().map(|wilson| wilson.margin),
            p_success: counters.p_success(),
            p_success_margin: counters.success_wilson().map(|wilson| wilson.margin),
            centers: [counters.adjusted_wilson(), counters.success_wilson()].map(|wilson| wilson.map(|w| w.center)),
        }
    }

    /// For people: truncation, and both shares as their intervals.
    fn intervals(&self) -> [Cell; 3] {
        let share = |center: Option<f64>, margin: Option<f64>| {
            Cell::option(margin, |margin| Cell::Share { center, margin, truncated: None, trials: None })
        };
        [
            Cell::option(self.truncated_ratio, Cell::Ratio),
            share(self.centers[0], self.adjusted_margin),
            share(self.centers[1], self.p_success_margin),
        ]
    }

    /// For machines: truncation, and each share with the margin of its interval.
    fn numbers(&self) -> [Cell; 5] {
        let number = |value| Cell::option(value, |value| Cell::Number(value, 3));
        [
            Cell::option(self.truncated_ratio, Cell::Ratio),
            number(self.adjusted_accuracy),
            number(self.adjusted_margin),
            number(self.p_success),
            number(self.p_success_margin),
        ]
    }
}

impl ContextReport {
    /// Two rows for each new evaluation: what it was made from, and what it is.
    fn table<const N: usize>(&self, measures: [&'static str; N], cells: impl Fn(&Measures) -> [Cell; N]) -> Table {
        let mut columns = vec![
            Column::fixed("eval_id"),
            Column::elastic("label", 20),
            Column::fixed("context"),
            Column::fixed("samples"),
        ];
        columns.extend(measures.map(Column::fixed));
        let mut table = Table::new(columns);
        for row in &self.evaluations {
            let context = |tokens: Option<u32>| Cell::option(tokens, |tokens| Cell::Count(u64::from(tokens)));
            let source = &row.source;
            let pair = [
                (&source.eval_id, &source.label, context(source.context), &row.before),
                (&row.eval_id, &row.label, context(Some(row.context)), &row.after),
            ];
            for (eval_id, label, context, measures) in pair {
                let samples = Cell::option(row.samples, Cell::Count);
                let mut row = vec![Cell::Text(eval_id.clone()), Cell::Text(label.clone()), context, samples];
                row.extend(cells(measures));
                table.rows.push(row);
            }
        }
        table
    }
}

impl Report for ContextReport {
    fn tables(&self) -> Vec<Table> {
        vec![self.table(["truncated", "accuracy", "p_success"], Measures::intervals)]
    }

    fn facts(&self) -> Option<Table> {
        Some(self.table(["truncated", "accuracy", "±", "p_success", "± of p"], Measures::numbers))
    }
}

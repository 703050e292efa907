//! `data verify`: hashes every byte of blobs, extracted run folders and databases, here or in a remote.

mod look;
mod part;
mod pass;
mod repair;
mod things;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rs_cli::{Cell, Column, CommandError, Exit, OutputArgs, Report, Table, Ui};
use rs_core::cohort::EVALS_FILE;
use rs_core::dataset::Dataset;
use rs_core::digest::BlobId;
use rs_core::manifest::{EvalBlobs, MANIFEST_FILE};
use rs_core::store::STORE_FOLDER;
use rs_core::{paths, suggest};
use serde::Serialize;

use self::look::Looking;
use self::part::{Budget, Sample};
use self::pass::{Finding, Pass};
use self::repair::Repair;
use self::things::{Kind, Strangers, Thing, absent, here, in_remote};
use crate::contents::Contents;
use crate::items::Items;
use crate::library::{Library, NamedRemote, short};
use crate::remote::Options;
use crate::seen::Seen;

/// Hash every byte of what is here, or of what a remote has, and tell what is damaged.
///
/// Covers blobs, extracted run folders and databases. Broken off, by Ctrl-C or `--budget`, the same command goes on where
/// it stopped, for a day; what has changed meanwhile is hashed again. Exit code 1 if anything is damaged, or has changed
/// since it was pushed. What is not here is told, and no damage.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// A cohort, a folder of cohorts, or a dataset file [default: everything in the manifest and the store].
    target: Option<PathBuf>,
    /// The folder of the manifest, without a target.
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// Only a part: `1/7` is the first of seven, each day of the week another.
    #[arg(long, value_name = "N/OF")]
    sample: Option<Sample>,
    /// Begin nothing new after so long: `60s`, `5m`, `1h`. The next time goes on from there.
    #[arg(long, value_name = "TIME")]
    budget: Option<Budget>,
    /// Read the blobs of a remote instead of what is here [a name may follow; default: origin, or the only one].
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "")]
    remote: Option<String>,
    /// Replace what is damaged here by good copies from the remote; with `--remote`, what is damaged there by good copies
    /// from here.
    #[arg(long)]
    repair: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// Things that are not here, by name.
const SHOWN_ABSENT: usize = 3;

/// The document `data.verify/1`.
#[derive(Debug, Serialize)]
struct VerifyReport {
    schema: &'static str,
    /// The remote that was read; null for what is here.
    remote: Option<String>,
    /// What there is to verify.
    things: u64,
    bytes: u64,
    /// What has been verified, in earlier parts of this pass too.
    covered_things: u64,
    covered_bytes: u64,
    /// Run folders and databases that somebody has changed since they were pushed.
    changed: Vec<String>,
    damaged: Vec<Damaged>,
    /// Run folders and databases of the manifest that are neither here nor as blobs in the store.
    absent: Vec<String>,
    #[serde(skip)]
    rows: Vec<Row>,
}

/// Something that is not as it should be, for people.
#[derive(Debug)]
struct Row {
    finding: &'static str,
    what: String,
    blob: Option<BlobId>,
    how: String,
    /// The thing's key.
    key: String,
    is_repaired: bool,
}

#[derive(Debug, Serialize)]
struct Damaged {
    what: String,
    place: String,
    damage: String,
    repaired: bool,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CommandError> {
    args.output.check()?;
    let monitor = rs_cli::stoppable()?;
    let (mut library, items) = target(args, ui)?;
    // Whatever is wrong with what was typed is found before any work.
    let open = |name: &str| library.remote(Some(name).filter(|name| !name.is_empty()), &Options::default());
    let remote = args.remote.as_deref().map(open).transpose()?;
    let source = (args.repair && remote.is_none()).then(|| open("")).transpose()?;
    let held = if args.repair { Some(library.lock()?) } else { None };
    let is_all = args.target.as_deref().is_none_or(is_library);
    let strangers = if is_all { Strangers::Included } else { Strangers::LeftOut };
    let mut things = if remote.is_some() { in_remote(&items) } else { here(&library, &items, strangers)? };
    things.retain(|thing| args.sample.is_none_or(|sample| sample.holds(&thing.key)));
    let scope =
        format!("{:?} {:?} {:?}", args.target, args.sample.map(|sample| (sample.number, sample.of)), args.remote);
    let mut pass = Pass::read(&library, held.as_ref(), &scope, &things);
    if pass.len() > 0 {
        ui.note(&format!("going on: {} of {} things were verified before", pass.len(), things.len()));
    }
    let mut seen = Seen::read(&library);
    let looking = Looking { deadline: args.budget.map(|budget| Instant::now() + budget.0), monitor: &monitor };
    let verified = match &remote {
        Some(remote) => looking.remote(remote.remote.as_ref(), &things, &mut pass, ui),
        None => looking.here(&things, &mut pass, &mut seen, ui),
    };
    // What was verified is remembered, however the rest ended.
    let is_through = verified.is_ok() && things.iter().all(|thing| pass.finding(&thing.key).is_some());
    if is_through {
        pass.forget();
    } else {
        pass.save();
    }
    if let (Err(_), Some(failure)) = (&verified, pass.failure()) {
        ui.warn(&not_kept(failure));
    }
    verified?;
    let mut report = report(&things, &pass, remote.as_ref().map(NamedRemote::shown));
    if remote.is_none() {
        report.absent = absent(&library, &items);
    }
    let is_damaged = |thing: &&Thing<'_>| matches!(pass.finding(&thing.key), Some(Finding::Damaged(_)));
    let damaged: Vec<&Thing<'_>> = things.iter().filter(is_damaged).collect();
    let from_or_to = source.as_ref().or(remote.as_ref()).filter(|_| args.repair && !damaged.is_empty());
    if let Some(from_or_to) = from_or_to {
        let mut repair = Repair { library: &library, remote: from_or_to, seen: &mut seen, monitor: &monitor };
        let repaired = if remote.is_some() { repair.send(&damaged, ui)? } else { repair.run(&damaged, ui)? };
        for (row, thing) in report.damaged.iter_mut().zip(&damaged) {
            row.repaired = repaired.contains(&thing.key);
        }
        for row in &mut report.rows {
            row.is_repaired = repaired.contains(&row.key);
        }
    }
    seen.save(&library, held.as_ref());
    args.output.print(ui, &report)?;
    tell(&report, ui);
    if let Some(failure) = pass.failure() {
        ui.warn(&not_kept(failure));
    }
    let is_repaired = report.damaged.iter().all(|damaged| damaged.repaired);
    if !report.changed.is_empty() {
        ui.note(&changed_hint(&things, &pass));
    }
    if !is_repaired && !args.repair {
        ui.note(match &remote {
            None => "`data verify --repair` fetches good copies",
            Some(_) => "`data verify --remote --repair` sends the good copies that are here",
        });
    }
    Ok(if is_repaired && report.changed.is_empty() { Exit::Done } else { Exit::Negative })
}

/// What the user means: the items of the manifest that belong to the target.
fn target(args: &Args, ui: &mut Ui) -> Result<(Library, Items), CommandError> {
    let mut items = Items::default();
    let target = args.target.as_deref().unwrap_or(&args.data);
    let library = match target {
        folder if args.target.is_none() || is_library(folder) => {
            let library = Library::open_named(folder)?;
            let mut cohorts: BTreeMap<&str, Vec<&EvalBlobs>> = BTreeMap::new();
            for eval in library.manifest.evals.values() {
                cohorts.entry(&eval.cohort).or_default().push(eval);
            }
            for (cohort, evals) in &cohorts {
                items.add_evals(&library, cohort, evals);
            }
            for dataset in library.datasets()? {
                if let Some(database) = library.manifest.databases.get(&dataset.name) {
                    items.add_database(&dataset, database, ui)?;
                }
            }
            library
        }
        file if is_dataset(file) => {
            let dataset = Dataset::open(file)?;
            let library = Library::of_dataset(file)?;
            if let Some(database) = library.manifest.databases.get(&dataset.name) {
                items.add_database(&dataset, database, ui)?;
            }
            items.add_selection(&library, dataset.select()?, ui)?;
            library
        }
        cohort => {
            let library = Library::of_pushed_cohort(cohort)?;
            let name = library.name_of(cohort)?;
            let below = format!("{name}/");
            let mut cohorts: BTreeMap<&str, Vec<&EvalBlobs>> = BTreeMap::new();
            for eval in library.manifest.evals.values() {
                if eval.cohort == name || eval.cohort.starts_with(&below) {
                    cohorts.entry(&eval.cohort).or_default().push(eval);
                }
            }
            if cohorts.is_empty() {
                return Err(library.unknown_cohort(&name));
            }
            for (cohort, evals) in &cohorts {
                items.add_evals(&library, cohort, evals);
            }
            library
        }
    };
    Ok((library, items))
}

fn not_kept(failure: &std::io::Error) -> String {
    format!("what was verified cannot be noted, so a pass that is broken off begins anew: {failure}")
}

/// What to do about what has changed.
fn changed_hint(things: &[Thing<'_>], pass: &Pass<'_>) -> String {
    let is_changed = |thing: &&Thing<'_>| pass.finding(&thing.key) == Some(&Finding::Changed);
    let kinds = things.iter().filter(is_changed).filter_map(|thing| match &thing.kind {
        Kind::Extracted { item, .. } => Some(matches!(item.contents, Contents::Run(_))),
        _ => None,
    });
    let kinds: BTreeSet<bool> = kinds.collect();
    let mut hint = "what has changed: `data push` keeps it".to_owned();
    if kinds.contains(&true) {
        hint.push_str("; a run folder that is moved away comes back as it was pushed with `data pull cohort DIR`");
    }
    if kinds.contains(&false) {
        hint.push_str("; `data pull dataset FILE --force` brings back the database");
    }
    hint
}

/// Whether a folder is that of a manifest or store.
fn is_library(folder: &Path) -> bool {
    folder.join(MANIFEST_FILE).is_file() || folder.join(STORE_FOLDER).is_dir()
}

fn is_dataset(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json") && !path.ends_with(EVALS_FILE)
}

fn report(things: &[Thing<'_>], pass: &Pass<'_>, remote: Option<String>) -> VerifyReport {
    let covered: Vec<(&Thing<'_>, &Finding)> =
        things.iter().filter_map(|thing| Some((thing, pass.finding(&thing.key)?))).collect();
    VerifyReport {
        schema: "data.verify/1",
        remote,
        things: things.len() as u64,
        bytes: things.iter().map(|thing| thing.bytes).sum(),
        covered_things: covered.len() as u64,
        covered_bytes: covered.iter().map(|(thing, _)| thing.bytes).sum(),
        absent: Vec::new(),
        rows: covered.iter().filter_map(|(thing, finding)| row(thing, finding)).collect(),
        changed: covered
            .iter()
            .filter(|(_, finding)| **finding == Finding::Changed)
            .map(|(thing, _)| paths::show(&thing.place))
            .collect(),
        damaged: covered
            .iter()
            .filter_map(|(thing, finding)| match finding {
                Finding::Damaged(damage) => Some(Damaged {
                    what: thing.what.clone(),
                    place: paths::show(&thing.place),
                    damage: damage.clone(),
                    repaired: false,
                }),
                _ => None,
            })
            .collect(),
    }
}

/// What people read of a thing that is not as it should be.
fn row(thing: &Thing<'_>, finding: &Finding) -> Option<Row> {
    let (finding, how) = match finding {
        Finding::Good => return None,
        Finding::Changed => ("changed", "since it was pushed".to_owned()),
        Finding::Damaged(how) => ("damaged", how.clone()),
    };
    let blob = match &thing.kind {
        Kind::Blob { blob } => Some(*blob),
        Kind::Remote { wanted } => Some(wanted.key),
        Kind::Extracted { .. } => None,
    };
    let what = match thing.kind {
        Kind::Extracted { .. } => paths::show(&thing.place),
        _ => thing.what.clone(),
    };
    Some(Row { finding, what, blob, how, key: thing.key.clone(), is_repaired: false })
}

fn tell(report: &VerifyReport, ui: &mut Ui) {
    let bytes = |bytes| Cell::Bytes(bytes).for_people();
    for place in &report.changed {
        ui.problem(&format!("{place} has changed since it was pushed"));
    }
    if !report.absent.is_empty() {
        let absent: Vec<&str> = report.absent.iter().map(String::as_str).collect();
        let names = suggest::list(&absent, SHOWN_ABSENT);
        ui.note(&format!("not here, neither as files nor as blobs: {} ({names})", absent.len()));
    }
    let place = report.remote.as_ref().map_or_else(String::new, |remote| format!(" in {remote}"));
    ui.note(&format!(
        "{} of {} things verified{place}, {} of {}; damaged: {}",
        report.covered_things,
        report.things,
        bytes(report.covered_bytes),
        bytes(report.bytes),
        report.damaged.len()
    ));
}

impl Report for VerifyReport {
    fn tables(&self) -> Vec<Table> {
        let mut table = Table::new(vec![
            Column::fixed("found").left(),
            Column::elastic("what", 30),
            Column::fixed("blob").left(),
            Column::elastic("how", 20).rank(1),
            Column::fixed("repaired").left(),
        ]);
        for row in &self.rows {
            table.rows.push(vec![
                Cell::Text(row.finding.into()),
                Cell::Text(row.what.clone()),
                Cell::Text(row.blob.map_or_else(|| "-".to_owned(), |blob| short(&blob.to_string()))),
                Cell::Text(row.how.clone()),
                Cell::Text(if row.is_repaired { "yes" } else { "no" }.into()),
            ]);
        }
        if table.rows.is_empty() { Vec::new() } else { vec![table] }
    }
}

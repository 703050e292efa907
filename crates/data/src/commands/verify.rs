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
use rs_core::manifest::EvalBlobs;
use rs_core::paths;
use serde::Serialize;

use self::look::Looking;
use self::part::{Budget, Sample};
use self::pass::{Finding, Pass};
use self::repair::Repair;
use self::things::{Strangers, Thing, here, in_remote};
use crate::items::Items;
use crate::library::Library;
use crate::remote::Options;
use crate::seen::Seen;

/// Hash every byte of what is here, or of what a remote has, and tell what is damaged.
///
/// Covers blobs, extracted run folders and databases. Broken off, by Ctrl-C or `--budget`, the same command goes on where
/// it stopped. Exit code 1 if anything is damaged.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// A cohort or dataset file [default: everything in the manifest and the store].
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
    /// Replace what is damaged here by good copies from the remote.
    #[arg(long)]
    repair: bool,
    #[command(flatten)]
    output: OutputArgs,
}

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
    if args.repair && args.remote.is_some() {
        return Err(CommandError::input("what is damaged in a remote cannot be repaired from it")
            .hint("where the blobs here are good, remove the remote's and push again"));
    }
    let (mut library, items) = target(args, ui)?;
    // Whatever is wrong with what was typed is found before any work.
    let open = |name: &str| library.remote(Some(name).filter(|name| !name.is_empty()), &Options::default());
    let remote = args.remote.as_deref().map(open).transpose()?;
    let source = args.repair.then(|| open("")).transpose()?;
    let held = if args.repair { Some(library.lock()?) } else { None };
    let strangers = if args.target.is_none() { Strangers::Included } else { Strangers::LeftOut };
    let mut things = if remote.is_some() { in_remote(&items) } else { here(&library, &items, strangers)? };
    things.retain(|thing| args.sample.is_none_or(|sample| sample.holds(&thing.key)));
    let scope =
        format!("{:?} {:?} {:?}", args.target, args.sample.map(|sample| (sample.number, sample.of)), args.remote);
    let keys: BTreeSet<&str> = things.iter().map(|thing| thing.key.as_str()).collect();
    let mut pass = Pass::read(&library, held.as_ref(), &scope, &keys);
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
    pass.save()?;
    verified?;
    let mut report = report(&things, &pass, remote.map(|remote| remote.shown()));
    let is_damaged = |thing: &&Thing<'_>| matches!(pass.finding(&thing.key), Some(Finding::Damaged(_)));
    let damaged: Vec<&Thing<'_>> = things.iter().filter(is_damaged).collect();
    if let Some(remote) = source.filter(|_| !damaged.is_empty()) {
        let mut repair = Repair { library: &library, remote: &remote, seen: &mut seen, monitor: &monitor };
        let repaired = repair.run(&damaged, ui)?;
        for (row, thing) in report.damaged.iter_mut().zip(&damaged) {
            row.repaired = repaired.contains(&thing.key);
        }
    }
    if report.covered_things == report.things {
        pass.forget()?;
    }
    seen.save(&library, held.as_ref());
    args.output.print(ui, &report)?;
    tell(&report, ui);
    let is_repaired = report.damaged.iter().all(|damaged| damaged.repaired);
    if !report.changed.is_empty() {
        ui.note("what has changed: `data push` keeps it, `data pull --force` brings back what was pushed");
    }
    if !is_repaired && !args.repair && args.remote.is_none() {
        ui.note("`data verify --repair` fetches good copies");
    }
    Ok(if is_repaired && report.changed.is_empty() { Exit::Done } else { Exit::Negative })
}

/// What the user means: the items of the manifest that belong to the target.
fn target(args: &Args, ui: &mut Ui) -> Result<(Library, Items), CommandError> {
    let mut items = Items::default();
    let library = match &args.target {
        None => {
            let library = Library::open_named(&args.data)?;
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
        Some(file) if is_dataset(file) => {
            let dataset = Dataset::open(file)?;
            let library = Library::of_dataset(file)?;
            if let Some(database) = library.manifest.databases.get(&dataset.name) {
                items.add_database(&dataset, database, ui)?;
            }
            items.add_selection(&library, dataset.select()?, ui)?;
            library
        }
        Some(cohort) => {
            let library = Library::of_pushed_cohort(cohort)?;
            let name = library.name_of(cohort)?;
            let evals: Vec<&EvalBlobs> = library.evals_of(&name).map(|(_, eval)| eval).collect();
            if evals.is_empty() {
                return Err(library.unknown_cohort(&name));
            }
            items.add_evals(&library, &name, &evals);
            library
        }
    };
    Ok((library, items))
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

fn tell(report: &VerifyReport, ui: &mut Ui) {
    let bytes = |bytes| Cell::Bytes(bytes).for_people();
    for place in &report.changed {
        ui.note(&format!("{place} has changed since it was pushed"));
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
            Column::elastic("damaged", 20),
            Column::elastic("place", 20).rank(1),
            Column::elastic("damage", 20),
            Column::fixed("repaired"),
        ]);
        for row in &self.damaged {
            table.rows.push(vec![
                Cell::Text(row.what.clone()),
                Cell::Text(row.place.clone()),
                Cell::Text(row.damage.clone()),
                Cell::Text(if row.repaired { "yes" } else { "no" }.into()),
            ]);
        }
        if table.rows.is_empty() { Vec::new() } else { vec![table] }
    }
}

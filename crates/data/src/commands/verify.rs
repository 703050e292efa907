//! `data verify`: hashes every byte of blobs, extracted run folders and databases, here or in a remote.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::prelude::*;
use rs_cli::{Cell, Column, CommandError, Exit, OutputArgs, Report, Table, Ui};
use rs_core::cohort::EVALS_FILE;
use rs_core::dataset::Dataset;
use rs_core::manifest::EvalBlobs;
use rs_core::monitor::Monitor;
use rs_core::pack::{self, Content};
use rs_core::store::{StoreError, hash_file};
use rs_core::{atomic_file, paths};
use serde::{Deserialize, Serialize};

use crate::items::{self, Contents, Item, Items};
use crate::library::{Library, folder_of};
use crate::remote::Options;
use crate::seen::{Look, Seen};
use crate::transfer::{self, TransferError, Wanted};
use crate::work;

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

/// One part of several equal ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sample {
    number: u64,
    of: u64,
}

impl FromStr for Sample {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((number, of)) if 0 < number && number <= of => Ok(Self { number, of }),
            _ => Err("a part is written `1/7`: the first of seven".into()),
        }
    }
}

impl Sample {
    fn holds(self, key: &str) -> bool {
        let hash = blake3::hash(key.as_bytes());
        let number = hash.as_bytes()[..8].iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        number % self.of == self.number - 1
    }
}

/// How long new work is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Budget(Duration);

impl FromStr for Budget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a time is written `60s`, `5m` or `1h`".to_owned();
        let split = text.find(|character: char| !character.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = text[..split].parse().map_err(|_| wrong())?;
        let seconds = match &text[split..] {
            "s" => Some(number),
            "m" => number.checked_mul(60),
            "h" => number.checked_mul(3600),
            _ => None,
        };
        seconds.map(|seconds| Self(Duration::from_secs(seconds))).ok_or_else(wrong)
    }
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

/// What is to be hashed.
struct Thing<'a> {
    /// Tells it from the others, from one run to the next.
    key: String,
    what: String,
    place: PathBuf,
    bytes: u64,
    kind: Kind<'a>,
}

enum Kind<'a> {
    /// A blob in the local store.
    Blob { blob: rs_core::store::BlobId },
    /// A run folder or database.
    Extracted { item: &'a Item, look: Look },
    /// A blob in the remote.
    Remote { wanted: Wanted },
}

/// Things hashed between two looks at the clock.
const SIDE_BY_SIDE: usize = 16;

/// What became of a thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Finding {
    Good,
    /// Somebody has changed it since it was pushed.
    Changed,
    Damaged(String),
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CommandError> {
    args.output.check()?;
    let monitor = work::stoppable()?;
    if args.repair && args.remote.is_some() {
        return Err(CommandError::input("what is damaged in a remote cannot be repaired from it")
            .hint("where the blobs here are good, remove the remote's and push again"));
    }
    let (library, items) = target(args, ui)?;
    let _lock = if args.repair { Some(library.lock()?) } else { None };
    let remote = match &args.remote {
        Some(name) => Some(library.remote(Some(name.as_str()).filter(|name| !name.is_empty()), &Options::default())?),
        None => None,
    };
    let things = match &remote {
        Some(_) => in_remote(&items),
        None => here(&library, &items, args.target.is_none())?,
    };
    let things: Vec<Thing<'_>> =
        things.into_iter().filter(|thing| args.sample.is_none_or(|sample| sample.holds(&thing.key))).collect();
    let scope =
        format!("{:?} {:?} {:?}", args.target, args.sample.map(|sample| (sample.number, sample.of)), args.remote);
    let mut pass = Pass::read(library.store.folder(), &scope);
    pass.findings.retain(|key, _| things.iter().any(|thing| thing.key == *key));
    if !pass.findings.is_empty() {
        ui.note(&format!("going on: {} of {} things were verified before", pass.findings.len(), things.len()));
    }
    let mut seen = Seen::read(library.store.folder());
    let deadline = args.budget.map(|budget| Instant::now() + budget.0);
    let verified = match &remote {
        Some(remote) => verify_remote(remote.remote.as_ref(), &things, &mut pass, deadline, &monitor, ui),
        None => verify_here(&things, &mut pass, &mut seen, deadline, &monitor, ui),
    };
    // What was verified is remembered, however the rest ended.
    pass.save()?;
    verified?;
    let mut report = report(&things, &pass, remote.map(|remote| remote.shown()));
    if args.repair && !report.damaged.is_empty() {
        repair(&library, &things, &mut pass, &mut report, &mut seen, &monitor, ui)?;
        pass.save()?;
    }
    if report.covered_things == report.things {
        pass.forget()?;
    }
    seen.save()?;
    args.output.print(ui, &report)?;
    tell(&report, ui);
    let is_whole = report.damaged.iter().all(|damaged| damaged.repaired);
    if !is_whole && !args.repair && args.remote.is_none() {
        ui.note("`data verify --repair` fetches good copies");
    }
    Ok(if is_whole { Exit::Done } else { Exit::Negative })
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
            let files = fs_err::read_dir(&library.folder)?.flatten().map(|item| item.path());
            let mut files: Vec<PathBuf> =
                files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
            files.sort();
            for dataset in files.iter().filter_map(|file| Dataset::open(file).ok()) {
                if let Some(database) = library.manifest.databases.get(&dataset.name) {
                    items.add_database(&dataset, database, ui)?;
                }
            }
            library
        }
        Some(file) if file.is_file() && !file.ends_with(EVALS_FILE) => {
            let dataset = Dataset::open(file)?;
            let library = Library::of_dataset(file)?;
            if let Some(database) = library.manifest.databases.get(&dataset.name) {
                items.add_database(&dataset, database, ui)?;
            }
            items.add_selection(&library, &dataset.select()?, ui)?;
            library
        }
        Some(cohort) => {
            let library = Library::of_cohort(folder_of(cohort))?;
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

/// Blobs in the store, run folders and databases. Without a target also blobs that the manifest does not name.
fn here<'a>(library: &Library, items: &'a Items, with_strangers: bool) -> Result<Vec<Thing<'a>>, CommandError> {
    let mut things = Vec::new();
    let names: BTreeMap<_, _> = items.items.iter().map(|item| (item.blob, &item.what)).collect();
    for (blob, bytes) in library.store.blobs()? {
        let what = match names.get(&blob) {
            Some(what) => (*what).clone(),
            None if with_strangers => "not in the manifest".to_owned(),
            None => continue,
        };
        things.push(Thing {
            key: format!("blob {blob}"),
            what,
            place: library.store.path_of(&blob),
            bytes,
            kind: Kind::Blob { blob },
        });
    }
    for item in &items.items {
        let look = match &item.contents {
            Contents::Run(_) if item.place.is_dir() => Look::at_run(&item.place),
            Contents::Database { content: Some(_), .. } if item.place.is_file() => {
                pack::list_file(&item.place).map(|file| Look::at(vec![file]))
            }
            _ => continue,
        };
        let look = look.map_err(work::pack_error)?;
        if look.files.is_empty() {
            continue;
        }
        things.push(Thing {
            key: item.seen_as.clone(),
            what: item.what.clone(),
            place: item.place.clone(),
            bytes: look.raw_bytes(),
            kind: Kind::Extracted { item, look },
        });
    }
    Ok(things)
}

fn in_remote(items: &Items) -> Vec<Thing<'_>> {
    let mut distinct = BTreeSet::new();
    let of_item = |item: &Item| Thing {
        key: format!("remote {}", item.blob),
        what: item.what.clone(),
        place: PathBuf::from(item.blob.to_string()),
        bytes: item.size_bytes,
        kind: Kind::Remote { wanted: Wanted { key: item.blob, size_bytes: item.size_bytes, what: item.what.clone() } },
    };
    items.items.iter().filter(|item| distinct.insert(item.blob)).map(of_item).collect()
}

fn is_over(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| Instant::now() >= deadline)
}

fn verify_here(
    things: &[Thing<'_>],
    pass: &mut Pass,
    seen: &mut Seen,
    deadline: Option<Instant>,
    monitor: &Arc<Monitor>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let open: Vec<&Thing<'_>> = things.iter().filter(|thing| !pass.findings.contains_key(&thing.key)).collect();
    let _progress = work::progress(ui, "verifying", open.iter().map(|thing| thing.bytes).sum(), monitor);
    for several in open.chunks(SIDE_BY_SIDE) {
        if is_over(deadline) {
            break;
        }
        let findings: Vec<_> = several.par_iter().map(|thing| look_at(thing, seen, monitor)).collect();
        for (thing, finding) in several.iter().zip(findings) {
            let (finding, good) = finding?;
            if let (Kind::Extracted { item, look }, Some(content)) = (&thing.kind, good) {
                seen.learn(&item.seen_as, look, &content, None);
            }
            pass.findings.insert(thing.key.clone(), finding);
        }
        pass.save_now_and_then()?;
    }
    Ok(())
}

/// Hashes a thing; of a good run folder or database returns the content too.
fn look_at(thing: &Thing<'_>, seen: &Seen, monitor: &Monitor) -> Result<(Finding, Option<Content>), CommandError> {
    let (item, look) = match &thing.kind {
        Kind::Remote { .. } => return Ok((Finding::Good, None)),
        Kind::Blob { blob } => {
            let finding = match hash_file(&thing.place, monitor) {
                Ok(found) if found == *blob => Finding::Good,
                Ok(_) => Finding::Damaged("its bytes are not those of its name".into()),
                Err(StoreError::Cancelled) => return Err(work::stopped()),
                Err(StoreError::Io(error)) => Finding::Damaged(format!("cannot be read: {error}")),
            };
            return Ok((finding, None));
        }
        Kind::Extracted { item, look } => (item, look),
    };
    let expected = match &item.contents {
        Contents::Run(expected) => Some(expected.content),
        Contents::Database { content, .. } => *content,
    };
    let found = match pack::content_of(&look.files, monitor) {
        Ok(found) => found,
        Err(pack::PackError::Cancelled) => return Err(work::stopped()),
        Err(error) => return Ok((Finding::Damaged(error.to_string()), None)),
    };
    if Some(found.hash) == expected {
        return Ok((Finding::Good, Some(found)));
    }
    // What was known of these very files, by their sizes and times: nobody has changed them since.
    let finding = match seen.content(&item.seen_as, look) {
        Some(known) if known.hash != found.hash => {
            Finding::Damaged("its bytes changed though sizes and times of its files did not".into())
        }
        _ => Finding::Changed,
    };
    Ok((finding, None))
}

fn verify_remote(
    remote: &dyn crate::remote::Remote,
    things: &[Thing<'_>],
    pass: &mut Pass,
    deadline: Option<Instant>,
    monitor: &Arc<Monitor>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let open: Vec<(&Thing<'_>, Wanted)> = things
        .iter()
        .filter(|thing| !pass.findings.contains_key(&thing.key))
        .filter_map(|thing| match &thing.kind {
            Kind::Remote { wanted } => Some((thing, wanted.clone())),
            _ => None,
        })
        .collect();
    let _progress = work::progress(ui, "verifying", open.iter().map(|(thing, _)| thing.bytes).sum(), monitor);
    let options = Options::default();
    for several in open.chunks(options.parallel * 4) {
        if is_over(deadline) {
            break;
        }
        let wanted: Vec<Wanted> = several.iter().map(|(_, wanted)| wanted.clone()).collect();
        let results = transfer::check_all(remote, &wanted, &options, monitor);
        for ((thing, _), result) in several.iter().zip(results) {
            let finding = match result {
                Ok(_) => Finding::Good,
                Err(error @ TransferError::Refused { .. }) => Finding::Damaged(error.to_string()),
                Err(TransferError::Remote { source: source @ crate::remote::RemoteError::NotFound { .. }, .. }) => {
                    Finding::Damaged(source.to_string())
                }
                Err(TransferError::Cancelled) => return Err(work::stopped()),
                Err(error) => return Err(CommandError::environment(error)),
            };
            pass.findings.insert(thing.key.clone(), finding);
        }
        pass.save_now_and_then()?;
    }
    Ok(())
}

fn report(things: &[Thing<'_>], pass: &Pass, remote: Option<String>) -> VerifyReport {
    let covered: Vec<(&Thing<'_>, &Finding)> =
        things.iter().filter_map(|thing| Some((thing, pass.findings.get(&thing.key)?))).collect();
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
    ui.note(&format!(
        "{} of {} things verified, {} of {}; damaged: {}",
        report.covered_things,
        report.things,
        bytes(report.covered_bytes),
        bytes(report.bytes),
        report.damaged.len()
    ));
}

/// Fetches good copies: blobs first, then run folders and databases out of them.
fn repair(
    library: &Library,
    things: &[Thing<'_>],
    pass: &mut Pass,
    report: &mut VerifyReport,
    seen: &mut Seen,
    monitor: &Arc<Monitor>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let damaged: Vec<&Thing<'_>> =
        things.iter().filter(|thing| matches!(pass.findings.get(&thing.key), Some(Finding::Damaged(_)))).collect();
    let mut to_fetch = BTreeMap::new();
    for thing in &damaged {
        let (blob, size_bytes) = match &thing.kind {
            Kind::Blob { blob } => {
                library.store.remove(blob)?;
                (*blob, library.wanted_blobs().get(blob).map_or(thing.bytes, |(_, bytes)| *bytes))
            }
            Kind::Extracted { item, .. } if library.store.has(&item.blob).is_none() => (item.blob, item.size_bytes),
            _ => continue,
        };
        to_fetch.insert(blob, Wanted { key: blob, size_bytes, what: thing.what.clone() });
    }
    let to_fetch: Vec<Wanted> = to_fetch.into_values().collect();
    if !to_fetch.is_empty() {
        library.store.make_partial_folder()?;
        let remote = library.remote(None, &Options::default())?;
        let progress = work::progress(ui, "fetching", to_fetch.iter().map(|wanted| wanted.size_bytes).sum(), monitor);
        let results = transfer::fetch_all(
            remote.remote.as_ref(),
            &to_fetch,
            &items::Local(&library.store),
            &Options::default(),
            monitor,
        );
        drop(progress);
        for error in results.into_iter().filter_map(Result::err) {
            ui.problem(&error.to_string());
        }
    }
    for thing in &damaged {
        let is_good = match &thing.kind {
            Kind::Blob { blob } => library.store.has(blob).is_some(),
            Kind::Extracted { item, .. } => {
                library.store.has(&item.blob).is_some() && replace(library, item, seen, monitor, ui)?
            }
            Kind::Remote { .. } => false,
        };
        let place = paths::show(&thing.place);
        report
            .damaged
            .iter_mut()
            .filter(|damaged| damaged.place == place)
            .for_each(|damaged| damaged.repaired = is_good);
    }
    Ok(())
}

/// Unpacks a good copy in the place of a damaged one, which goes only when that is whole.
fn replace(
    library: &Library,
    item: &Item,
    seen: &mut Seen,
    monitor: &Monitor,
    ui: &mut Ui,
) -> Result<bool, CommandError> {
    let aside = atomic_file::beside(&item.place, ".damaged");
    let is_run = matches!(item.contents, Contents::Run(_));
    if is_run {
        fs_err::rename(&item.place, &aside)?;
    }
    if let Err(error) = items::unpack(&library.store, item, monitor) {
        if is_run {
            fs_err::rename(&aside, &item.place)?;
        }
        ui.problem(&format!("{}: {error}", item.what));
        return Ok(false);
    }
    if is_run {
        fs_err::remove_dir_all(&aside)?;
    }
    items::learn(item, seen).map_err(work::pack_error)?;
    Ok(true)
}

/// What has been verified of a scope that is not through yet.
struct Pass {
    file: PathBuf,
    scope: String,
    findings: BTreeMap<String, Finding>,
    saved: Instant,
}

#[derive(Serialize, Deserialize)]
struct PassFile {
    version: u32,
    scope: String,
    findings: BTreeMap<String, Finding>,
}

impl Pass {
    /// Between two saves; what is lost is verified again.
    const SAVE_AFTER: Duration = Duration::from_secs(5);
    const VERSION: u32 = 1;

    fn read(store: &Path, scope: &str) -> Self {
        let file = store.join("verify.json");
        let findings = fs_err::read(&file)
            .ok()
            .and_then(|text| serde_json::from_slice::<PassFile>(&text).ok())
            .filter(|read| read.version == Self::VERSION && read.scope == scope)
            .map(|read| read.findings);
        Self { file, scope: scope.to_owned(), findings: findings.unwrap_or_default(), saved: Instant::now() }
    }

    fn save_now_and_then(&mut self) -> Result<(), CommandError> {
        if self.saved.elapsed() >= Self::SAVE_AFTER { self.save() } else { Ok(()) }
    }

    fn save(&mut self) -> Result<(), CommandError> {
        self.saved = Instant::now();
        if self.findings.is_empty() {
            return Ok(());
        }
        let file = PassFile { version: Self::VERSION, scope: self.scope.clone(), findings: self.findings.clone() };
        let text = serde_json::to_vec(&file).map_err(std::io::Error::from)?;
        Ok(atomic_file::write(&self.file, &text)?)
    }

    /// The pass is through.
    fn forget(&self) -> Result<(), CommandError> {
        match fs_err::remove_file(&self.file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

impl Report for VerifyReport {
    fn tables(&self) -> Vec<Table> {
        let mut table = Table::new(vec![
            Column::elastic("damaged", 20),
            Column::elastic("place", 20),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_everything_once() {
        for key in ["a", "blob 12", "r12/M/run"] {
            let n = (1..=7).filter(|number| Sample { number: *number, of: 7 }.holds(key)).count();
            assert_eq!(n, 1, "{key}");
        }
        assert_eq!("1/7".parse(), Ok(Sample { number: 1, of: 7 }));
        for text in ["0/7", "8/7", "7", "1/0", "a/b", ""] {
            assert!(text.parse::<Sample>().is_err(), "{text}");
        }
    }

    #[test]
    fn times() {
        for (text, seconds) in [("60s", 60), ("5m", 300), ("1h", 3600), ("0s", 0)] {
            assert_eq!(text.parse(), Ok(Budget(Duration::from_secs(seconds))));
        }
        for text in ["60", "s", "", "1d", "-1s", "1.5m", "99999999999999999999s"] {
            assert!(text.parse::<Budget>().is_err(), "{text}");
        }
    }
}

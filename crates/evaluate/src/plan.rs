//! What will be done: which evaluations, from which files, into which database.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rs_cli::{CommandError, Ui};
use rs_config::Config;
use rs_core::cohort::{Cohort, Entry, RawFile};
use rs_core::collect::{Cache, UseOfEntries};
use rs_core::dataset::{Dataset, Selection};
use rs_core::eval_id::{self, EvalId, identity_text};
use rs_core::origin::Origin;
use rs_core::paths;
use rs_core::suggest;
use rs_pointsdb::builder::check_place;
use rs_pointsdb::schema::{SCHEMA_ADDITIONS, SCHEMA_VERSION};
use serde_json::json;

use crate::arguments::Arguments;
use crate::clock::now_nanos;
use crate::errors::db_error;
use crate::forensics::{self, Tokenizers};

/// An evaluation and the raw files it reads.
#[derive(Debug, Clone)]
pub(crate) struct PlannedEval {
    /// The entry; its context is the one in force.
    pub entry: Entry,
    /// Its id under that context.
    pub eval_id: EvalId,
    /// The cohort's folder, relative to the dataset file's.
    pub cohort: Option<String>,
    /// Positions in [`Plan::files`], ascending.
    pub files: Vec<usize>,
    /// Whether raw data of it is neither extracted nor in the local store, though the manifest names it.
    pub is_partly_absent: bool,
    /// Hash of all that its rows depend on, forensics apart.
    pub fingerprint: String,
    /// Whether `--eval-id` names it, or names none.
    pub is_asked_for: bool,
    /// The context of its entry, which `--context` may have made smaller.
    own_context: Option<u32>,
}

/// What will be done.
pub(crate) struct Plan {
    /// Name of the dataset, or what stands for it.
    pub dataset: String,
    /// The database.
    pub db: PathBuf,
    /// The config, read so that a wrong one is found before the work.
    pub config: Option<(PathBuf, Config)>,
    /// The evaluations, in dataset order.
    pub evaluations: Vec<PlannedEval>,
    /// All raw files, in order.
    pub files: Vec<RawFile>,
    /// Where results of raw files are kept for the next run, if anywhere.
    pub cache: Option<Cache>,
    /// Where tokenizers are.
    pub tokenizer_folder: PathBuf,
    /// Those of the evaluations' models; `None` if there are to be no forensics.
    pub tokenizers: Option<Tokenizers>,
    /// The folders of cohorts with raw data that is elsewhere.
    pub absent: Vec<PathBuf>,
}

impl Plan {
    /// Of a dataset, as far as it says.
    pub(crate) fn of_dataset(path: &Path, arguments: &Arguments, ui: &mut Ui) -> Result<Self, CommandError> {
        let dataset = Dataset::open(path)?;
        if let Some(config) = dataset.config.as_ref().filter(|config| !config.exists()) {
            return Err(no_config(config, path));
        }
        // Both read many small things.
        let read_config = || dataset.config.as_deref().map(Config::read).transpose();
        let (config, selection) = rayon::join(read_config, || dataset.select());
        let config = dataset.config.clone().zip(config?);
        if let Some((_, config)) = &config {
            config.warnings.iter().for_each(|warning| ui.warn(warning));
        }
        let selection = selection?;
        selection.warnings.iter().for_each(|warning| ui.warn(warning));
        let db = arguments.db.clone().unwrap_or_else(|| dataset.db.clone());
        check_place(&db).map_err(db_error)?;
        let is_absent = |cohort: &&Cohort| !cohort.absent.is_empty();
        let absent = selection.cohorts.iter().filter(is_absent).map(|cohort| cohort.folder.clone()).collect();
        let (evaluations, files) = of_selection(&dataset, &selection, arguments.context);
        if evaluations.is_empty() {
            return Err(CommandError::input(format!("dataset `{}` selects no evaluation", path.display())));
        }
        let tokenizer_folder = tokenizer_folder(arguments, path);
        let use_of_entries = if arguments.force { UseOfEntries::Replaced } else { UseOfEntries::Used };
        Ok(Self {
            dataset: dataset.name,
            db,
            config,
            evaluations,
            files,
            tokenizer_folder,
            tokenizers: None,
            absent,
            cache: dataset.cache.map(|folder| Cache::open(&folder, now_nanos(), use_of_entries)),
        })
    }

    /// One id must mean one evaluation. Under `--context` two that differ in their own context only become one.
    pub(crate) fn check_ids(&mut self, ui: &mut Ui) -> Result<(), CommandError> {
        let mut kept: Vec<PlannedEval> = Vec::new();
        let identity = |eval: &PlannedEval| identity_text(&eval.entry.filters, eval.entry.context);
        for evaluation in std::mem::take(&mut self.evaluations) {
            match kept.iter().find(|other| other.eval_id == evaluation.eval_id) {
                None => kept.push(evaluation),
                Some(other) if identity(other) == identity(&evaluation) => ui.warn(&format!(
                    "`{}` and `{}` are both `{}` here; the second is left out",
                    other.entry.label,
                    evaluation.entry.label,
                    identity(other)
                )),
                Some(other) => {
                    return Err(CommandError::input(format!(
                        "evaluations `{}` and `{}` have one eval_id `{}`",
                        identity(other),
                        identity(&evaluation),
                        evaluation.eval_id
                    )));
                }
            }
        }
        self.evaluations = kept;
        Ok(())
    }

    /// Restricts the work to the evaluations named.
    pub(crate) fn ask_for(&mut self, typed: &[String]) -> Result<(), CommandError> {
        self.evaluations.iter_mut().for_each(|evaluation| evaluation.is_asked_for = false);
        for typed in typed {
            let mut named = self.evaluations.iter_mut().filter(|evaluation| evaluation.is_named(typed)).peekable();
            if named.peek().is_none() {
                drop(named);
                let known: Vec<String> = self
                    .evaluations
                    .iter()
                    .flat_map(|eval| [eval.eval_id.to_string(), identity_text(&eval.entry.filters, eval.entry.context)])
                    .collect();
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                return Err(CommandError::input(format!("no evaluation `{typed}` in dataset `{}`", self.dataset))
                    .maybe_hint(suggest::hint(typed, &known)));
            }
            named.for_each(|evaluation| evaluation.is_asked_for = true);
        }
        Ok(())
    }
}

impl PlannedEval {
    /// Whether what a user typed names it, under the context in force or under its own.
    fn is_named(&self, typed: &str) -> bool {
        self.entry.is_named(typed) || eval_id::names(typed, &self.entry.filters, self.own_context)
    }

    /// What is in `evals.fingerprint`: what its rows depend on, and, after a `+`, what its forensics do.
    pub(crate) fn full_fingerprint(&self, tokenizers: Option<&Tokenizers>) -> String {
        match tokenizers {
            None => self.fingerprint.clone(),
            Some(tokenizers) => {
                let tokenizer = tokenizers.of(self.entry.hf_id.as_deref());
                format!("{}+{}", self.fingerprint, forensics::fingerprint(tokenizer))
            }
        }
    }

    /// Whether rows with this fingerprint are what reading again would give; more than is asked for is fine.
    pub(crate) fn is_current(&self, stored: &str, tokenizers: Option<&Tokenizers>) -> bool {
        match tokenizers {
            None => stored.split('+').next() == Some(&self.fingerprint),
            Some(_) => stored == self.full_fingerprint(tokenizers),
        }
    }
}

fn no_config(config: &Path, dataset: &Path) -> CommandError {
    let what = format!("no config at `{}`, which {} names as `config`", config.display(), dataset.display());
    let there = config.parent().and_then(|folder| fs_err::read_dir(folder).ok());
    let mut there: Vec<String> =
        there.into_iter().flatten().flatten().map(|item| item.file_name().to_string_lossy().into_owned()).collect();
    there.sort();
    let there: Vec<&str> = there.iter().map(String::as_str).collect();
    let typed = config.file_name().unwrap_or_default().to_string_lossy();
    CommandError::input(what).maybe_hint(suggest::hint(&typed, &there))
}

/// The folder of the tokenizers: the one typed, else beside the dataset.
pub(crate) fn tokenizer_folder(arguments: &Arguments, dataset: &Path) -> PathBuf {
    let beside = || dataset.parent().unwrap_or(Path::new("")).join("tokenizers");
    arguments.tokenizers.clone().unwrap_or_else(beside)
}

/// The evaluations of a dataset, every file once.
fn of_selection(dataset: &Dataset, selection: &Selection, context: Option<u32>) -> (Vec<PlannedEval>, Vec<RawFile>) {
    let mut known = HashSet::new();
    let mut ordered: Vec<(usize, &RawFile)> = Vec::new();
    for (position, cohort) in selection.cohorts.iter().enumerate() {
        ordered.extend(
            cohort.files.iter().filter(|file| known.insert(file.path.as_os_str())).map(|file| (position, file)),
        );
    }
    // By cohort, then by logical name: the same however the files are packed.
    ordered.sort_by(|(a, file), (b, other)| {
        a.cmp(b).then_with(|| file.logical.cmp(&other.logical)).then_with(|| file.path.cmp(&other.path))
    });
    let files: Vec<RawFile> = ordered.into_iter().map(|(_, file)| file.clone()).collect();
    // As texts: a path is taken apart whenever it is compared.
    let positions: HashMap<&OsStr, usize> =
        files.iter().enumerate().map(|(at, file)| (file.path.as_os_str(), at)).collect();
    let folder = dataset.file.parent().unwrap_or(Path::new(""));
    let evaluations = selection
        .evaluations
        .iter()
        .map(|&(cohort, evaluation)| {
            let cohort = &selection.cohorts[cohort];
            let is_partly_absent = cohort.absent.iter().any(|absent| absent.evaluations.contains(&evaluation));
            let evaluation = &cohort.evaluations[evaluation];
            let matched = evaluation.files.iter().map(|at| positions[cohort.files[*at].path.as_os_str()]).collect();
            let relative = cohort.folder.strip_prefix(folder).unwrap_or(&cohort.folder);
            let planned = planned(&evaluation.entry, context, Some(paths::show(relative)), matched, &files);
            PlannedEval { is_partly_absent, ..planned }
        })
        .collect();
    (evaluations, files)
}

/// An evaluation under the context in force: the smaller of its own and that of the command line.
pub(crate) fn planned(
    entry: &Entry,
    context: Option<u32>,
    cohort: Option<String>,
    mut matched: Vec<usize>,
    files: &[RawFile],
) -> PlannedEval {
    let mut entry = entry.clone();
    let own_context = entry.context;
    entry.context = match (own_context, context) {
        (Some(own), Some(asked)) => Some(own.min(asked)),
        (own, asked) => own.or(asked),
    };
    matched.sort_unstable();
    // There may be thousands: they are written as they are, without a `Value` of each.
    let sources: Vec<_> = matched
        .iter()
        .map(|at| &files[*at])
        .map(|file| {
            let content = match &file.origin {
                Origin::File => None,
                Origin::Blob(place) => Some(place.content.to_string()),
                Origin::Unusable(what) => Some(what.to_string()),
            };
            // A damaged blob is replaced by one of the same content: its time tells.
            let modified = file.modified_nanos.to_string();
            (&file.logical, format!("{:?}", file.codec), file.size_bytes, modified, content)
        })
        .collect();
    let depends_on = (SCHEMA_VERSION, SCHEMA_ADDITIONS, env!("CARGO_PKG_VERSION"), json!(entry), &cohort, sources);
    let depends_on = serde_json::to_vec(&depends_on).expect("texts and numbers can be written");
    PlannedEval {
        eval_id: entry.eval_id(),
        fingerprint: blake3::hash(&depends_on).to_hex().to_string(),
        entry,
        cohort,
        files: matched,
        is_partly_absent: false,
        is_asked_for: true,
        own_context,
    }
}

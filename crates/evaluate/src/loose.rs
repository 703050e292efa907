//! `--interview`: loose raw files, whose evaluations are the identities found in them.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use globset::GlobBuilder;
use rs_cli::{CommandError, Ui};
use rs_core::cohort::{Entry, RawFile, Source, is_hidden, is_of_no_matter, modified_nanos};
use rs_core::collect::{self, How, Input, Keep, Monitor, OnMalformed};
use rs_core::eval_id::Identity;
use rs_core::origin::Origin;
use rs_core::paths;
use rs_core::reader::raw_file_name;
use rs_pointsdb::builder::check_place;
use walkdir::WalkDir;

use crate::arguments::Arguments;
use crate::errors::db_error;
use crate::plan::{Plan, planned, tokenizer_folder};

/// The plan for loose files. They are read once to learn whose records they hold.
pub(crate) fn plan(arguments: &Arguments, ui: &mut Ui) -> Result<Plan, CommandError> {
    // `--interview` requires `--db`.
    let db = arguments.db.clone().unwrap_or_default();
    check_place(&db).map_err(db_error)?;
    let mut files: Vec<RawFile> = Vec::new();
    for pattern in &arguments.interview {
        let found = find(pattern)?;
        if found.is_empty() {
            return Err(CommandError::input(format!(
                "`{pattern}` matches no raw file (*.ndjson, *.jsonl, also .zst or .gz)"
            ))
            .hint("quote the glob, so that the shell leaves it to `evaluate`; `**` crosses folders"));
        }
        files.extend(found);
    }
    files.sort_by(|a, b| a.logical.cmp(&b.logical).then_with(|| a.path.cmp(&b.path)));
    files.dedup_by(|a, b| a.path == b.path);
    let inputs: Vec<Input> = files.iter().map(|file| Input::new(file, Vec::new())).collect();
    let monitor = Arc::new(Monitor::default());
    let progress = ui.watch("finding evaluations", inputs.iter().map(|input| input.size_bytes).sum(), &monitor);
    let found = collect::collect(
        &[],
        &inputs,
        How { keep: Keep::Counts, on_malformed: OnMalformed::Continue, examiner: None, cache: None },
        &monitor,
    )
    .map_err(CommandError::environment)?;
    drop(progress);
    let mut identities: Vec<&Identity> = found.files.iter().flat_map(|file| file.identities.keys()).collect();
    identities.sort();
    identities.dedup();
    if identities.is_empty() {
        let problem = found.diagnostics.first().map(ToString::to_string);
        return Err(CommandError::input("the files hold no record").maybe_hint(problem));
    }
    let evaluations = identities
        .into_iter()
        .map(|identity| {
            let holds =
                |at: &usize| found.files[*at].identities.contains_key(identity) || found.files[*at].n_malformed > 0;
            let entry = Entry {
                evaluate: Source { glob: arguments.interview.join(" ") },
                filters: identity.clone(),
                label: format!("{} ({}, {})", identity.model, identity.template, identity.sampler),
                groups: Vec::new(),
                tags: Vec::new(),
                hf_id: None,
                context: None,
            };
            planned(&entry, arguments.context, None, (0..files.len()).filter(holds).collect(), &files)
        })
        .collect();
    // Loose files name no model of Hugging Face's.
    let tokenizer_folder = tokenizer_folder(arguments, Path::new("data/loose"));
    let dataset = arguments.interview.join(" ");
    Ok(Plan {
        dataset,
        db,
        config: None,
        evaluations,
        files,
        tokenizer_folder,
        tokenizers: None,
        absent: Vec::new(),
        cache: None,
    })
}

/// The raw files that a glob, file or folder names.
fn find(pattern: &str) -> Result<Vec<RawFile>, CommandError> {
    // One file has one name, however it is typed.
    let pattern = pattern.trim_start_matches("./");
    let path = Path::new(if pattern.is_empty() { "." } else { pattern });
    if path.is_file() {
        return Ok(raw_file(path)?.into_iter().collect());
    }
    let (root, glob) = if path.is_dir() {
        (path.to_owned(), None)
    } else {
        let glob = GlobBuilder::new(pattern).literal_separator(true).build().map_err(CommandError::input)?;
        let is_literal =
            |part: &Component<'_>| !part.as_os_str().to_string_lossy().contains(['*', '?', '[', '{', '\\']);
        (path.components().take_while(is_literal).collect::<PathBuf>(), Some(glob.compile_matcher()))
    };
    let root = if root.as_os_str().is_empty() { PathBuf::from(".") } else { root };
    let mut files = Vec::new();
    if !root.exists() {
        return Ok(files);
    }
    // As in cohorts, what is hidden is not looked at, unless it is named.
    let is_shown = |item: &walkdir::DirEntry| item.depth() == 0 || !is_hidden(item.file_name());
    for item in WalkDir::new(&root).follow_links(true).into_iter().filter_entry(is_shown) {
        let item = match item {
            Ok(item) => item,
            Err(error) if is_of_no_matter(&error, |name| raw_file_name(name).is_some()) => continue,
            Err(error) => return Err(CommandError::environment(error)),
        };
        let path = item.path().strip_prefix("./").unwrap_or(item.path());
        if item.file_type().is_file() && glob.as_ref().is_none_or(|glob| glob.is_match(path)) {
            files.extend(raw_file(path)?);
        }
    }
    Ok(files)
}

fn raw_file(path: &Path) -> Result<Option<RawFile>, CommandError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Some((plain, codec)) = raw_file_name(&name) else { return Ok(None) };
    let metadata = fs_err::metadata(path)?;
    Ok(Some(RawFile {
        path: path.to_owned(),
        logical: paths::show(&path.with_file_name(plain)),
        run: path.parent().map(paths::show).unwrap_or_default(),
        codec,
        size_bytes: metadata.len(),
        modified_nanos: modified_nanos(&metadata),
        origin: Origin::File,
    }))
}

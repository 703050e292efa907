//! What benchmarks run on: real data where a checkout has it beside it, and fixtures.

use std::io;
use std::path::{Path, PathBuf};

use rs_fixtures::{DEFAULT_SEED, FixtureModel, Scale};

use super::Size;
use crate::workspace;

/// Real data, where a checkout has it beside it.
const REAL_DATA: &str = "../shared/real";

/// Data to run on.
pub(super) struct Subject {
    pub(super) name: &'static str,
    pub(super) dataset: PathBuf,
    /// All data files, sorted.
    pub(super) files: Vec<PathBuf>,
}

impl Subject {
    /// All data files below the dataset's folder.
    pub(super) fn new(name: &'static str, dataset: PathBuf) -> io::Result<Self> {
        let mut files = Vec::new();
        if let Some(folder) = dataset.parent() {
            collect_data_files(folder, &mut files)?;
        }
        files.sort();
        Ok(Self { name, dataset, files })
    }

    /// Their bytes, as stored.
    pub(super) fn bytes(&self) -> io::Result<u64> {
        self.files.iter().map(|file| Ok(fs_err::metadata(file)?.len())).sum()
    }
}

/// What is measured on.
pub(super) fn chosen(folder: &Path, size: Size) -> Result<Subject, Box<dyn std::error::Error>> {
    match size {
        Size::Real => real(folder)?.map_or_else(|| fixtures(folder, Scale::Medium), Ok),
        Size::Medium => fixtures(folder, Scale::Medium),
        Size::Large => fixtures(folder, Scale::Large),
    }
}

/// The real data, unpacked below the bench folder, if there is any.
fn real(folder: &Path) -> io::Result<Option<Subject>> {
    let real = workspace::root().join(REAL_DATA);
    if !real.join("data").join("rg.json").is_file() {
        note!("bench: no real data, because {REAL_DATA} is not there");
        return Ok(None);
    }
    let copy = folder.join("real");
    prepare_once(&copy, |copy| unpack_folder(&real, copy))?;
    Subject::new("real data, unpacked", copy.join("data").join("rg.json")).map(Some)
}

/// The real data as it comes, in `.zst` files, below the bench folder, if there is any.
pub(super) fn packed_real(folder: &Path) -> io::Result<Option<Subject>> {
    let real = workspace::root().join(REAL_DATA);
    if !real.join("data").join("rg.json").is_file() {
        return Ok(None);
    }
    let copy = folder.join("real-zst");
    prepare_once(&copy, |copy| copy_folder(&real, copy))?;
    Subject::new("real data, packed", copy.join("data").join("rg.json")).map(Some)
}

/// Writes fixtures below the bench folder, unless they are there.
fn fixtures(folder: &Path, scale: Scale) -> Result<Subject, Box<dyn std::error::Error>> {
    let (name, root) = match scale {
        Scale::Small => ("fixtures, small", folder.join("small")),
        Scale::Medium => ("fixtures, medium", folder.join("medium")),
        Scale::Large => ("fixtures, large", folder.join("large")),
    };
    let model = FixtureModel::new(scale, DEFAULT_SEED);
    if !root.is_dir() || !model.check(&root)?.is_empty() {
        note!("bench: writing fixtures ({scale}) to {}", workspace::shown(&root));
        model.write(&root)?;
    }
    Ok(Subject::new(name, root.join("data").join("r12.json"))?)
}

/// Fills a folder if an earlier run did not do so to the end.
pub(super) fn prepare_once(folder: &Path, fill: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let complete = folder.join(".complete");
    if complete.is_file() {
        return Ok(());
    }
    if folder.is_dir() {
        fs_err::remove_dir_all(folder)?;
    }
    note!("bench: unpacking to {}", workspace::shown(folder));
    fill(folder)?;
    fs_err::write(complete, "")
}

/// Copies a folder.
fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs_err::create_dir_all(to)?;
    for entry in fs_err::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() { copy_folder(&source, &target)? } else { fs_err::copy(&source, &target).map(|_| ())? }
    }
    Ok(())
}

/// Copies a folder, with every `.zst` unpacked.
fn unpack_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs_err::create_dir_all(to)?;
    for entry in fs_err::read_dir(from)? {
        let source = entry?.path();
        let Some(name) = source.file_name() else { continue };
        let target = to.join(name);
        if source.is_dir() {
            unpack_folder(&source, &target)?;
        } else if source.extension().is_some_and(|extension| extension == "zst") {
            zstd::stream::copy_decode(fs_err::File::open(&source)?, fs_err::File::create(target.with_extension(""))?)?;
        } else {
            fs_err::copy(&source, &target)?;
        }
    }
    Ok(())
}

fn collect_data_files(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect_data_files(&path, files)?;
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let plain = name.strip_suffix(".zst").or_else(|| name.strip_suffix(".gz")).unwrap_or(&name);
        if plain.ends_with(".ndjson") || plain.ends_with(".jsonl") {
            files.push(path);
        }
    }
    Ok(())
}

//! The same records in other files: one, two thousand, compressed, in blobs.

use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::subjects::{Subject, prepare_once};
use crate::process;

const BYTE_ORDER_MARK: &[u8] = "\u{FEFF}".as_bytes();
/// Files of [`Arrangement::ManyFiles`].
const N_FILES: usize = 2_000;

/// How the records of a subject are spread over files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrangement {
    /// All in one.
    OneFile,
    /// One after another over two thousand of about one size.
    ManyFiles,
}

/// The subject with all files unpacked, in their cohorts.
pub(super) fn plain(folder: &Path, subject: &Subject) -> io::Result<Subject> {
    if subject.files.iter().all(|file| file.extension().is_some_and(|extension| extension == "ndjson")) {
        return Ok(Subject { name: subject.name, dataset: subject.dataset.clone(), files: subject.files.clone() });
    }
    let source = project_of(subject);
    let copy = folder.join(format!("{}-plain", name_of(&source)));
    prepare_once(&copy, |copy| {
        for_each_file(&source, &mut |path| {
            let target = copy.join(path.strip_prefix(&source).unwrap_or(path));
            fs_err::create_dir_all(target.parent().unwrap_or(copy))?;
            if !subject.files.iter().any(|file| file == path) {
                return fs_err::copy(path, target).map(|_| ());
            }
            if path.extension().is_some_and(|extension| extension == "ndjson" || extension == "jsonl") {
                // The same bytes need no second place.
                return fs_err::hard_link(path, target);
            }
            let mut to = fs_err::File::create(target.with_extension(""))?;
            io::copy(&mut open(path)?, &mut to).map(|_| ())
        })
    })?;
    Subject::new("fixtures, unpacked", copy.join(subject.dataset.strip_prefix(&source).unwrap_or(&subject.dataset)))
}

/// The subject's records in one cohort with other files; its evaluations are told apart by their identities.
pub(super) fn rearranged(folder: &Path, subject: &Subject, arrangement: Arrangement) -> io::Result<Subject> {
    let (name, n_files) = match arrangement {
        Arrangement::OneFile => ("one file", 1),
        Arrangement::ManyFiles => ("2,000 files", N_FILES),
    };
    let root = folder.join(format!("{}-{n_files}-files", name_of(&project_of(subject))));
    prepare_once(&root, |root| {
        let run = root.join("data/all/All/run");
        fs_err::create_dir_all(&run)?;
        write_evaluations(subject, &root.join("data/all/All/evals.json"))?;
        let dataset = json!({"name": "all", "db": "all.db", "cohorts": [{"path": "all/All"}]});
        fs_err::write(root.join("data/all.json"), dataset.to_string())?;
        deal(subject, &run, n_files)
    })?;
    Subject::new(name, root.join("data/all.json"))
}

/// Writes all lines, in their order, into files of about one size.
fn deal(subject: &Subject, run: &Path, n_files: usize) -> io::Result<()> {
    let share = subject.bytes()?.div_ceil(n_files as u64);
    let create = |number: u64| {
        Ok::<_, io::Error>(BufWriter::new(fs_err::File::create(run.join(format!("{number:04}.ndjson")))?))
    };
    let (mut number, mut written) = (0, 0);
    let mut file = create(0)?;
    let mut line = Vec::new();
    for path in &subject.files {
        let mut source = BufReader::with_capacity(1 << 20, open(path)?);
        loop {
            line.clear();
            if source.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            // A mark that began its own file would stand inside another.
            if line.starts_with(BYTE_ORDER_MARK) {
                line.drain(..BYTE_ORDER_MARK.len());
            }
            if line.last() != Some(&b'\n') {
                line.push(b'\n');
            }
            if written / share > number {
                file.flush()?;
                number = written / share;
                file = create(number)?;
            }
            file.write_all(&line)?;
            written += line.len() as u64;
        }
    }
    file.flush()
}

/// All evaluations of a subject's cohorts, with the glob of one run folder.
fn write_evaluations(subject: &Subject, to: &Path) -> io::Result<()> {
    let mut evaluations = Vec::new();
    for_each_file(&project_of(subject), &mut |path| {
        if path.file_name().is_some_and(|name| name == "evals.json") {
            let mut list: Vec<Value> = serde_json::from_str(&fs_err::read_to_string(path)?)?;
            list.iter_mut().for_each(|entry| entry["evaluate"]["glob"] = json!("data/all/All/run/*"));
            evaluations.append(&mut list);
        }
        Ok(())
    })?;
    fs_err::write(to, Value::from(evaluations).to_string())
}

/// The subject with every file compressed.
pub(super) fn compressed(folder: &Path, subject: &Subject) -> io::Result<Subject> {
    let source = project_of(subject);
    let copy = folder.join(format!("{}-zst", name_of(&source)));
    prepare_once(&copy, |copy| {
        for_each_file(&source, &mut |path| {
            let target = copy.join(path.strip_prefix(&source).unwrap_or(path));
            fs_err::create_dir_all(target.parent().unwrap_or(copy))?;
            if !subject.files.iter().any(|file| file == path) {
                return fs_err::copy(path, target).map(|_| ());
            }
            let mut name = target.into_os_string();
            name.push(".zst");
            zstd::stream::copy_encode(fs_err::File::open(path)?, fs_err::File::create(name)?, 3)
        })
    })?;
    Subject::new("compressed", copy.join(subject.dataset.strip_prefix(&source).unwrap_or(&subject.dataset)))
}

/// The subject in blobs alone.
pub(super) fn in_blobs(folder: &Path, subject: &Subject, data: &Path) -> Result<Subject, Box<dyn std::error::Error>> {
    let source = project_of(subject);
    let copy = folder.join(format!("{}-blobs", name_of(&source)));
    let dataset = copy.join(subject.dataset.strip_prefix(&source).unwrap_or(&subject.dataset));
    if !copy.join(".complete").is_file() {
        let mut runs = Vec::new();
        prepare_once(&copy, |copy| {
            for_each_file(&source, &mut |path| {
                let target = copy.join(path.strip_prefix(&source).unwrap_or(path));
                fs_err::create_dir_all(target.parent().unwrap_or(copy))?;
                if subject.files.iter().any(|file| file == path) {
                    runs.extend(target.parent().map(Path::to_owned));
                    return fs_err::hard_link(path, target);
                }
                fs_err::copy(path, target).map(|_| ())
            })?;
            fs_err::write(
                copy.join("data/manifest.json"),
                r#"{"version":1,"remotes":{"origin":{"url":"../remote"}}}"#,
            )?;
            fs_err::write(&dataset_database(&dataset)?, "none")?;
            let mut push = Command::new(data);
            push.args(["push", "dataset", "--raw", "-q", "-o", "/dev/null"]).arg(&dataset).current_dir(copy);
            process::run(&mut push).map_err(io::Error::other)?;
            fs_err::remove_file(dataset_database(&dataset)?)?;
            fs_err::remove_dir_all(copy.join("remote"))?;
            runs.sort();
            runs.dedup();
            runs.iter().try_for_each(fs_err::remove_dir_all)
        })?;
    }
    let mut subject = Subject::new("in blobs", dataset)?;
    for_each_file(&copy.join("data/.blobs"), &mut |path| {
        let is_blob = path.parent().and_then(Path::file_name).is_some_and(|name| name.len() == 2);
        subject.files.extend(is_blob.then(|| path.to_owned()));
        Ok(())
    })?;
    Ok(subject)
}

/// Where a dataset's database would be.
fn dataset_database(dataset: &Path) -> io::Result<PathBuf> {
    let value: Value = serde_json::from_str(&fs_err::read_to_string(dataset)?)?;
    Ok(dataset.with_file_name(value["db"].as_str().unwrap_or_default()))
}

fn open(path: &Path) -> io::Result<Box<dyn io::Read>> {
    let file = fs_err::File::open(path)?;
    Ok(match path.extension().and_then(|extension| extension.to_str()) {
        Some("zst") => Box::new(zstd::Decoder::new(file)?),
        Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(file)),
        _ => Box::new(file),
    })
}

/// The folder that holds `data/`.
fn project_of(subject: &Subject) -> PathBuf {
    subject.dataset.ancestors().nth(2).unwrap_or(Path::new("")).to_owned()
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Every file below a folder but databases and what caches hold, sorted.
fn for_each_file(folder: &Path, act: &mut impl FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    let mut paths = fs_err::read_dir(folder)?.map(|item| Ok(item?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        let name = name_of(&path);
        if name == ".cache" || name == ".complete" || name.contains(".db") {
            continue;
        }
        if path.is_dir() { for_each_file(&path, act)? } else { act(&path)? }
    }
    Ok(())
}

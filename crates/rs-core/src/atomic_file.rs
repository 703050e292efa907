//! Files that are replaced as a whole: readers see the old content or the new, never half, whatever happens.

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

/// What the names of unfinished files have between that of the file, if it has one by then, and letters of their own.
pub(crate) const UNFINISHED: &str = ".new-";
/// Permissions of new files before the user's mask: those that any program gives a new file.
const NEW_FILE_MODE: u32 = 0o666;

/// Writes a file beside `path`, syncs it, renames it over `path` and syncs the folder. A link stays one: what it leads
/// to is replaced. The permissions of an old file are kept.
///
/// # Errors
/// The folder cannot be written; the old content stays. The error names the path.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    replace(path, content, Durability::Synced)
}

/// The same without waiting for the disk: after a crash the file may be the old one, the new one, or empty. For what is
/// worth little.
///
/// # Errors
/// The folder cannot be written; the old content stays. The error names the path.
pub fn write_unsynced(path: &Path, content: &[u8]) -> io::Result<()> {
    replace(path, content, Durability::Unsynced)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Durability {
    Synced,
    Unsynced,
}

fn replace(path: &Path, content: &[u8], durability: Durability) -> io::Result<()> {
    let place = resolve_link(path)?;
    let folder = folder_of(&place);
    let mode = fs_err::metadata(&place).map_or(NEW_FILE_MODE, |old| old.permissions().mode());
    let mut file = new_beside(folder, &unfinished_prefix(&place), mode)?;
    let named = |error: io::Error| io::Error::new(error.kind(), format!("cannot write `{}`: {error}", path.display()));
    file.as_file_mut().write_all(content).map_err(named)?;
    if durability == Durability::Unsynced {
        return fs_err::rename(file.path(), &place);
    }
    file.as_file().sync_all().map_err(named)?;
    fs_err::rename(file.path(), &place)?;
    sync_folder(folder)
}

/// Removes what [`write()`] and [`write_unsynced`] have left beside `path` in processes that were killed. The caller knows that nobody writes it now.
///
/// # Errors
/// The folder cannot be listed, or a file not removed; the error names the path.
pub fn sweep(path: &Path) -> io::Result<()> {
    leftovers(path)?.into_iter().try_for_each(fs_err::remove_file)
}

/// What [`sweep`] would remove, in order.
///
/// # Errors
/// The folder cannot be listed; the error names the path.
pub fn leftovers(path: &Path) -> io::Result<Vec<PathBuf>> {
    let place = resolve_link(path)?;
    let prefix = unfinished_prefix(&place);
    let items = match fs_err::read_dir(folder_of(&place)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        items => items?,
    };
    let mut found = Vec::new();
    for item in items {
        let item = item?;
        if item.file_name().to_string_lossy().starts_with(&prefix) {
            found.push(item.path());
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// How the names of unfinished files beside `place` begin.
fn unfinished_prefix(place: &Path) -> String {
    format!(".{}{UNFINISHED}", name_of(place))
}

/// A new file in `folder` that is removed when dropped, readable by whoever may read the user's files.
pub(crate) fn new_in(folder: &Path, prefix: &str) -> io::Result<tempfile::NamedTempFile> {
    new_beside(folder, prefix, NEW_FILE_MODE)
}

fn new_beside(folder: &Path, prefix: &str, mode: u32) -> io::Result<tempfile::NamedTempFile> {
    let permissions = std::fs::Permissions::from_mode(mode);
    // Its errors name the path.
    tempfile::Builder::new().prefix(prefix).permissions(permissions).tempfile_in(folder)
}

/// Makes the names in a folder survive a crash.
///
/// # Errors
/// The disk failed; the error names the path.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    fs_err::File::open(folder)?.sync_all()
}

/// More files and folders than this are synced with their whole file system, where the system can: each by itself takes
/// longer.
#[cfg(target_os = "linux")]
const MAX_SYNCED_ONE_BY_ONE: usize = 32;

/// Makes files and folders survive a crash, many at once in about the time of one.
///
/// # Errors
/// A path cannot be opened, or a disk failed; the error names the path.
pub fn sync_many(paths: &[PathBuf]) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if paths.len() > MAX_SYNCED_ONE_BY_ONE {
        use std::os::unix::fs::MetadataExt;
        let mut synced = std::collections::BTreeSet::new();
        for path in paths {
            if synced.insert(fs_err::metadata(path)?.dev()) {
                rustix::fs::syncfs(fs_err::File::open(path)?).map_err(|error| {
                    let error = io::Error::from(error);
                    io::Error::new(error.kind(), format!("cannot sync the disk of `{}`: {error}", path.display()))
                })?;
            }
        }
        return Ok(());
    }
    paths.par_iter().try_for_each(|path| fs_err::File::open(path)?.sync_all())
}

/// The folder a file is in: `.` for a bare name.
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The path of a file that belongs to `target` and lies in the same folder, hidden: `.<name><suffix>`.
#[must_use]
pub fn beside(target: &Path, suffix: &str) -> PathBuf {
    target.with_file_name(format!(".{}{suffix}", name_of(target)))
}

fn name_of(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

/// Where a file really lies: a link is followed, also to where nothing is yet.
///
/// # Errors
/// A link cannot be read; the error names the path.
pub fn resolve_link(target: &Path) -> io::Result<PathBuf> {
    let mut place = target.to_owned();
    // As many links as Linux follows; after that opening the file says what is wrong.
    for _ in 0..40 {
        if !place.is_symlink() {
            break;
        }
        let leads_to = fs_err::read_link(&place)?;
        place = place.parent().unwrap_or(Path::new("")).join(leads_to);
    }
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_the_whole_file_and_leaves_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write(&path, b"one").unwrap();
        write_unsynced(&path, b"two").unwrap();
        assert_eq!(fs_err::read(&path).unwrap(), b"two");
        sync_many(&[path.clone(), folder.path().to_owned()]).unwrap();
        sync_many(&vec![path.clone(); 100]).unwrap();
        assert!(sync_many(&[folder.path().join("none")]).unwrap_err().to_string().contains("none"));
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write(&folder.path().join("none/a.json"), b"").unwrap_err().to_string().contains("none"));
    }

    #[test]
    fn what_was_left_is_swept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write(&path, b"one").unwrap();
        for name in [".a.json.new-x1Y2z3", ".a.json.backup", "b.json", ".b.json.new-x1Y2z3"] {
            fs_err::write(folder.path().join(name), "x").unwrap();
        }
        sweep(&path).unwrap();
        let names = fs_err::read_dir(folder.path()).unwrap().map(|item| item.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, [".a.json.backup", ".b.json.new-x1Y2z3", "a.json", "b.json"]);
        sweep(&folder.path().join("none/a.json")).unwrap();
    }

    #[test]
    fn links_and_permissions_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a.json"), folder.path().join("link.json"));
        std::os::unix::fs::symlink("a.json", &link).unwrap();
        write(&link, b"one").unwrap();
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        write(&link, b"two").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs_err::read(&path).unwrap(), b"two");
        assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }
}

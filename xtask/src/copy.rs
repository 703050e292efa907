//! Copies of folders, less what is hidden: caches, and what was left half-way.

use std::io;
use std::path::Path;

/// Copies those files of some folders that are wanted.
pub(crate) fn folders(from: &Path, to: &Path, folders: &[&str], is_wanted: fn(&Path) -> bool) -> io::Result<()> {
    for folder in folders {
        copy_folder(&from.join(folder), &to.join(folder), is_wanted)?;
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path, is_wanted: fn(&Path) -> bool) -> io::Result<()> {
    for entry in fs_err::read_dir(from)? {
        let (source, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let target = to.join(name);
        if source.is_dir() {
            copy_folder(&source, &target, is_wanted)?;
        } else if is_wanted(&source) {
            fs_err::create_dir_all(to)?;
            fs_err::copy(&source, &target)?;
        }
    }
    Ok(())
}

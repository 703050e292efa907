//! Room on disks.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rs_cli::{Cell, CommandError};
use rs_core::paths;

/// Bytes that this user may still write on the disk of a path. The path need not be there yet: then it is the disk where
/// it would be.
///
/// # Errors
/// The disk does not say; the error names the path.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let there = existing(path)?;
    let disk = rustix::fs::statvfs(&there).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot see how full the disk of {} is: {error}", there.display()))
    })?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Room that work needs, on each of the disks that it writes to.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// By the disk's number: a path on it, as the user knows it, and bytes.
    disks: BTreeMap<u64, (PathBuf, u64)>,
}

impl Needs {
    /// Adds bytes that will be written at a path.
    ///
    /// # Errors
    /// The file system does not say which disk that is on.
    pub(crate) fn add(&mut self, path: &Path, bytes: u64) -> io::Result<()> {
        let disk = fs_err::metadata(existing(path)?)?.dev();
        let (_, needed_bytes) = self.disks.entry(disk).or_insert_with(|| (path.to_owned(), 0));
        *needed_bytes = needed_bytes.saturating_add(bytes);
        Ok(())
    }

    /// Refuses work that a disk has no room for, before it begins.
    ///
    /// # Errors
    /// There is less room than needed, or a disk does not say.
    pub(crate) fn require(&self, what: &str) -> Result<(), CommandError> {
        for (path, needed_bytes) in self.disks.values() {
            let free = free_bytes(path)?;
            if free >= *needed_bytes {
                continue;
            }
            let size = |bytes| Cell::Bytes(bytes).for_people();
            return Err(CommandError::environment(format!(
                "no room on the disk of `{}`: {what} may need {}, and {} are free",
                paths::show(path),
                size(*needed_bytes),
                size(free)
            ))
            .hint("make room, then run the same again"));
        }
        Ok(())
    }
}

/// The nearest folder above a path that is there, or the path itself.
fn existing(path: &Path) -> io::Result<PathBuf> {
    let path = paths::absolute(path)?;
    Ok(path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/")).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_to_be_made_has_the_room_of_its_disk() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(free_bytes(&folder.path().join("a/b/c")).expect("is asked") > 0);
        assert!(free_bytes(Path::new("")).is_ok());
    }

    #[test]
    fn needs_on_one_disk_add_up() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let free = free_bytes(folder.path()).expect("is asked");
        let mut needs = Needs::default();
        needs.add(&folder.path().join("a"), 1).expect("has a disk");
        assert!(needs.require("it").is_ok());
        needs.add(&folder.path().join("b/c"), free.saturating_mul(2)).expect("has a disk");
        let error = needs.require("it").expect_err("is too much").to_string();
        assert!(error.starts_with("error: no room on the disk of `"), "{error}");
    }
}

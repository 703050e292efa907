//! Room on disks.

use std::io;
use std::path::Path;

use rs_cli::{Cell, CommandError};

/// Bytes that this user may still write on the disk of a path. The path need not be there yet: then it is the disk where
/// it would be.
///
/// # Errors
/// The disk does not say; the error names the path.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let path = rs_core::paths::absolute(path)?;
    let there = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let disk = rustix::fs::statvfs(there).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot see how full the disk of {} is: {error}", there.display()))
    })?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Refuses work that the disk of a path has no room for, before it begins.
///
/// # Errors
/// There is less room than `needed_bytes`, or the disk does not say.
pub(crate) fn require_room(path: &Path, needed_bytes: u64, what: &str) -> Result<(), CommandError> {
    let free = free_bytes(path)?;
    if free >= needed_bytes {
        return Ok(());
    }
    let size = |bytes| Cell::Bytes(bytes).for_people();
    Err(CommandError::environment(format!(
        "no room on the disk of `{}`: {what} may need {}, and {} are free",
        rs_core::paths::show(path),
        size(needed_bytes),
        size(free)
    ))
    .hint("make room, then run the same again"))
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
}

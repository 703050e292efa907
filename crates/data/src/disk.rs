//! Room on disks.

use std::io;
use std::path::Path;

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

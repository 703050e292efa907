//! Folders as a whole.

use std::path::Path;

/// Copies a folder and what is in it.
pub fn copy_folder(from: &Path, to: &Path) {
    fs_err::create_dir_all(to).unwrap();
    for item in fs_err::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy_folder(&item.path(), &target);
        } else {
            fs_err::copy(item.path(), target).unwrap();
        }
    }
}

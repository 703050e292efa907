//! Real data, for whoever has it.

use std::path::{Path, PathBuf};

/// Where the real data lies, beside the checkout. Not everybody has it, and is told that nothing is tested; CI must.
#[must_use]
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "whether this is CI; why nothing was tested")]
pub fn real_data() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/real");
    if folder.join("expected.json").is_file() {
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none(), "CI is set, and the real data is not at {}", folder.display());
    eprintln!("nothing is tested: the real data is not at {}", folder.display());
    None
}

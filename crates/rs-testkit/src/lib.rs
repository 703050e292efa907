//! For tests alone: a project in a temporary folder, programs run in it, and what they leave behind.
//!
//! Who cannot set up a test stops it: everything here panics where others return errors.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up should stop")]

mod files;
mod project;
mod real_data;
mod run;

pub use files::copy_folder;
pub use project::Project;
pub use real_data::real_data;
use rs_fixtures::{DEFAULT_SEED, FixtureModel, Scale};
pub use run::{Run, run_here};

/// The fixtures that tests are about.
#[must_use]
pub fn fixtures() -> FixtureModel {
    FixtureModel::new(Scale::Small, DEFAULT_SEED)
}

/// An entry of an `evals.json`, for a template `t` and a sampler `s`; `more` are members, each after a comma.
#[must_use]
pub fn entry(model: &str, glob: &str, label: &str, more: &str) -> String {
    format!(
        r#"{{"evaluate": {{"glob": "{glob}"}}, "filters": {{"model": "{model}", "template": "t", "sampler": "s"}}, "label": "{label}"{more}}}"#
    )
}

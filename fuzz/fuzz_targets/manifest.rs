//! Any text as a manifest: what is accepted leads nowhere else, and is written so that it reads the same.
#![no_main]

use std::path::{Component, Path};

use libfuzzer_sys::fuzz_target;
use rs_core::manifest::Manifest;

fuzz_target!(|text: &str| {
    let path = Path::new("manifest.json");
    let Ok(mut manifest) = Manifest::parse(text, path) else { return };
    for eval in manifest.evals.values_mut() {
        for name in eval.runs.iter().map(|run| &run.path).chain([&eval.cohort]) {
            let is_plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
            assert!(is_plain && !name.is_empty(), "{name:?}");
        }
        eval.runs.sort_by(|a, b| a.path.cmp(&b.path));
    }
    let written = Manifest::parse(&manifest.to_text(), path).expect("what was written reads");
    assert!(written == manifest, "{written:?} is not {manifest:?}");
});

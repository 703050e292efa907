//! What `evaluate` makes of a cohort, without a database.

use rs_core::cohort::Cohort;
use rs_core::collect::{self, Collected, How, Input, Keep, Monitor, OnMalformed, Wanted};

use crate::project::Project;

/// What is found of each evaluation, all points with their samples, but for the lines that these stand in: without
/// duplicates they move up.
pub(crate) fn collected(project: &Project, cohort: &str) -> Vec<Collected> {
    let cohort = Cohort::open(&project.path(cohort)).unwrap();
    let wanted: Vec<Wanted> = cohort
        .evaluations
        .iter()
        .map(|eval| Wanted { identity: eval.entry.filters.clone(), context_tokens: eval.entry.context })
        .collect();
    let reads = |at| (0..wanted.len()).filter(|eval| cohort.evaluations[*eval].files.contains(&at)).collect();
    let inputs: Vec<Input> = cohort
        .files
        .iter()
        .enumerate()
        .map(|(at, file)| Input {
            path: file.path.clone(),
            codec: file.codec,
            size_bytes: file.size_bytes,
            origin: file.origin.clone(),
            evaluations: reads(at),
        })
        .collect();
    let how = How { keep: Keep::Points, on_malformed: OnMalformed::Continue, examiner: None, cache: None };
    let mut found = collect::collect(&wanted, &inputs, how, &Monitor::default()).unwrap().evaluations;
    let points = found.iter_mut().flat_map(|evaluation| &mut evaluation.points);
    points.flat_map(|point| &mut point.samples).for_each(|sample| sample.line = None);
    found
}

/// That all points are equal; says which is not.
#[track_caller]
pub(crate) fn check_same_points(found: &[Collected], expected: &[Collected]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.points.len(), expected.points.len());
        for (found, expected) in found.points.iter().zip(&expected.points) {
            assert_eq!(found, expected);
        }
        assert_eq!(
            (found.n_errors, found.n_malformed, found.tally.last_timestamp),
            (expected.n_errors, expected.n_malformed, expected.tally.last_timestamp)
        );
    }
}

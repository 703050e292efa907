//! Errors: what is printed, and the exit code.

use std::io;
use std::path::{Path, PathBuf};

use rs_cli::{CommandError, Exit, Kind};
use rs_config::Config;
use rs_core::cohort::{Cohort, CohortError};
use rs_core::dataset::Dataset;
use rs_core::filters::Filters;
use rs_core::manifest::Manifest;

#[derive(Debug, thiserror::Error)]
#[error("cannot read the lists")]
struct Outer(#[source] Middle);

#[derive(Debug, thiserror::Error)]
#[error("`lists.json` is broken")]
struct Middle(#[source] Inner);

#[derive(Debug, thiserror::Error)]
#[error("line 3: no comma")]
struct Inner;

#[derive(Debug, thiserror::Error)]
#[error("cannot do it: {0}")]
struct Repeating(#[source] Inner);

#[test]
fn an_error_its_causes_and_hints() {
    let error =
        CommandError::input(Outer(Middle(Inner))).hint("put one in").maybe_hint(None).maybe_hint(Some("or two".into()));
    insta::assert_snapshot!(error, @"
    error: cannot read the lists
      caused by: `lists.json` is broken
      caused by: line 3: no comma
    hint: put one in
    hint: or two
    ");
    // A cause that the error has said already is not said again.
    insta::assert_snapshot!(CommandError::input(Repeating(Inner)), @"error: cannot do it: line 3: no comma");
}

#[test]
fn the_kind_decides_the_exit_code() {
    for (kind, code) in
        [(Kind::ClosedPipe, 0), (Kind::Negative, 1), (Kind::Input, 2), (Kind::Environment, 3), (Kind::Bug, 70)]
    {
        assert_eq!(CommandError::new(kind, "x").exit_code(), code, "{kind:?}");
    }
    assert_eq!((Exit::Done.exit_code(), Exit::Negative.exit_code()), (0, 1));
}

#[track_caller]
fn check(error: impl Into<CommandError>, kind: Kind, text: &str) {
    let error: CommandError = error.into();
    assert_eq!((error.kind, error.to_string().as_str()), (kind, text));
}

#[test]
fn files_that_are_not_there_are_input_and_those_that_cannot_be_read_are_not() {
    check(io::Error::from(io::ErrorKind::NotFound), Kind::Input, "error: entity not found");
    check(io::Error::from(io::ErrorKind::IsADirectory), Kind::Input, "error: is a directory");
    check(io::Error::from(io::ErrorKind::PermissionDenied), Kind::Environment, "error: permission denied");
    check(io::Error::from(io::ErrorKind::BrokenPipe), Kind::ClosedPipe, "error: broken pipe");
}

#[test]
fn errors_of_files_that_people_write() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| -> PathBuf {
        let path = folder.path().join(name);
        fs_err::write(&path, text).unwrap();
        path
    };
    let shown = |path: &Path| path.display().to_string();
    let dataset = file("d.json", "{");
    let error = Dataset::open(&dataset).unwrap_err();
    check(error, Kind::Input, &format!("error: {}:1:1: EOF while parsing an object", shown(&dataset)));
    let error = Dataset::open(&folder.path().join("e.json")).unwrap_err();
    check(error, Kind::Input, &format!("error: no dataset at `{}`", shown(&folder.path().join("e.json"))));
    let config = file("c.yaml", "name: x\ntasks: 3\n");
    let error: CommandError = Config::read(&config).unwrap_err().into();
    assert_eq!(error.kind, Kind::Input);
    assert!(error.to_string().starts_with(&format!("error: {}:2:8: `tasks`: ", shown(&config))), "{error}");
    let manifest = file("manifest.json", "{\"version\": 9}");
    let text = format!("error: {}: `version` is 9; this program reads version 1", shown(&manifest));
    check(Manifest::read(&manifest).unwrap_err(), Kind::Input, &text);
    check(
        Cohort::open(Path::new("no/cohort")).unwrap_err(),
        Kind::Input,
        "error: no cohort at `no/cohort`: evals.json is not there\nhint: `cohort list` shows the cohorts there are",
    );
    let listing = CohortError::List { path: "x".into(), source: io::ErrorKind::PermissionDenied.into() };
    check(listing, Kind::Environment, "error: cannot list `x`: permission denied");
    check(
        Filters::parse("{\"modle\": \"x\"}").unwrap_err(),
        Kind::Input,
        "error: unknown filter key `modle`\nhint: did you mean `model`? known: eval_id, base_task, model, template, \
         sampler, tags, groups, params.X, manifold.X, facets.X",
    );
}

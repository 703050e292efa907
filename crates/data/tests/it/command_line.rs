//! Help, usage errors, completions: what is tested in full for `cohort` holds here, too.

use crate::project::Project;

#[test]
fn version_and_usage_errors() {
    let project = Project::empty();
    insta::assert_snapshot!(project.data(&["--version"]), @"
    exit code 0
    ----- stdout
    data 0.1.0
    ");
    insta::assert_snapshot!(project.data(&["stat"]), @"
    exit code 2
    ----- stderr
    error: unrecognized subcommand 'stat'

      tip: a similar subcommand exists: 'status'

    Usage: data [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(project.data(&["status", "a", "b"]), @"
    exit code 2
    ----- stderr
    error: unexpected argument 'b' found

    Usage: data status [OPTIONS] [TARGET]

    For more information, try '--help'.
    ");
}

#[test]
fn completions_manual_and_reference() {
    let project = Project::empty();
    for (arguments, part) in [
        (&["completions", "bash"][..], "complete -F _data"),
        (&["completions", "zsh"], "#compdef data"),
        (&["completions", "fish"], "complete -c data"),
        (&["man"], ".SH \"DATA STATUS\""),
        (&["reference"], "## `data status`"),
        (&["--help"], "Usage: data [OPTIONS] <COMMAND>"),
    ] {
        let run = project.data(arguments);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(run.stdout.contains(part), "{arguments:?}: {run}");
    }
}

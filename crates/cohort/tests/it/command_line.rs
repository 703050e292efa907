//! What every program's command line does: help, usage errors, formats, output, completions.

use std::io::Read;
use std::process::Stdio;

use crate::project::{Project, Run};

#[test]
fn version_and_usage_errors() {
    let project = Project::empty();
    insta::assert_snapshot!(project.cohort(&["-V"]), @"
    exit code 0
    ----- stdout
    cohort 0.1.0
    ");
    insta::assert_snapshot!(project.cohort(&["lst"]), @"
    exit code 2
    ----- stderr
    error: unrecognized subcommand 'lst'

      tip: a similar subcommand exists: 'list'

    Usage: cohort [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(project.cohort(&["info"]), @"
    exit code 2
    ----- stderr
    error: the following required arguments were not provided:
      <COHORT>

    Usage: cohort info <COHORT>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(project.cohort(&["validate"]), @"
    exit code 2
    ----- stderr
    error: the following required arguments were not provided:
      <COHORTS>...

    Usage: cohort validate <COHORTS>...

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(project.cohort(&["list", "--format", "yaml"]), @"
    exit code 2
    ----- stderr
    error: invalid value 'yaml' for '--format <FORMAT>'
      [possible values: table, markdown, json, csv]

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(project.cohort(&["list", "--threads", "0"]), @"
    exit code 2
    ----- stderr
    error: invalid value '0' for '--threads <N>': 0 is not in 1..=65535

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(project.cohort(&["list", "-q", "-v"]), @"
    exit code 2
    ----- stderr
    error: the argument '--quiet' cannot be used with '--verbose'

    Usage: cohort list --quiet [DIR]

    For more information, try '--help'.
    ");
    // Without a command, help is what is missing: on standard error, and no success.
    let run = project.cohort(&[]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(run.stderr.contains("Usage: cohort [OPTIONS] <COMMAND>"), "{run}");
}

#[test]
fn help_is_a_result() {
    let project = Project::empty();
    for command in [&["--help"][..], &["help"], &["list", "--help"], &["info", "-h"], &["help", "validate"]] {
        let run = project.cohort(command);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{command:?}");
        assert!(run.stdout.contains("Usage: cohort"), "{command:?}: {run}");
    }
}

#[test]
fn colour_is_used_when_asked_for() {
    let project = Project::empty();
    let stderr = |arguments: &[&str], no_color: Option<&str>| {
        let mut command = project.command("", arguments);
        command.envs(no_color.map(|value| ("NO_COLOR", value)));
        Run::of(&mut command).stderr
    };
    let plain = "error: no folder `data`\nhint: cohort list DIR\n";
    let colored = "\u{1b}[1;31merror: \u{1b}[0mno folder `data`\n\u{1b}[32mhint: \u{1b}[0mcohort list DIR\n";
    // Standard error is a pipe here.
    assert_eq!(stderr(&["list"], None), plain);
    assert_eq!(stderr(&["list", "--color", "never"], None), plain);
    assert_eq!(stderr(&["list", "--color", "always"], None), colored);
    assert_eq!(stderr(&["--color", "always", "list"], Some("1")), colored);
}

#[test]
fn results_go_to_a_file_if_one_is_named() {
    let (project, _) = Project::with_fixtures();
    let printed = project.cohort(&["list", "--format", "csv"]).stdout;
    let run = project.cohort(&["list", "--format", "csv", "--output", "list.csv"]);
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (Some(0), "", ""));
    assert_eq!(fs_err::read_to_string(project.path("list.csv")).unwrap(), printed);
    insta::assert_snapshot!(project.cohort(&["list", "-o", "nowhere/list.csv"]), @"
    exit code 2
    ----- stderr
    error: no folder `nowhere` to write `nowhere/list.csv` in
    hint: mkdir -p nowhere
    ");
    // Told before the records are read.
    insta::assert_snapshot!(project.cohort(&["validate", "data/r12/Qwen3-32B", "-o", "data"]), @"
    exit code 2
    ----- stderr
    error: `data` is a folder; --output needs the name of a file
    ");
    insta::assert_snapshot!(project.cohort(&["info", "data/r12/Qwen3-32B", "-o", "nowhere/info"]), @"
    exit code 2
    ----- stderr
    error: no folder `nowhere` to write `nowhere/info` in
    hint: mkdir -p nowhere
    ");
}

#[test]
fn a_reader_that_stops_is_no_failure() {
    let (project, _) = Project::with_fixtures();
    for arguments in [&["info", "data/r12/Qwen3-32B"][..], &["reference"], &["completions", "bash"], &["--help"]] {
        let mut command = project.command("", arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told() {
    let (project, _) = Project::with_fixtures();
    let mut command = project.command("", &["list"]);
    let run = Run::of(command.stdout(fs_err::File::create("/dev/full").unwrap().into_parts().0));
    insta::assert_snapshot!(run, @"
    exit code 3
    ----- stderr
    error: cannot write to standard output: No space left on device (os error 28)
    ");
}

#[test]
fn completions_are_scripts() {
    let project = Project::empty();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = project.cohort(&["completions", shell]);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{shell}");
        for word in ["validate", "completions", "search"] {
            assert!(run.stdout.contains(word), "{shell}: {word}");
        }
    }
    insta::assert_snapshot!(project.cohort(&["completions"]), @"
    exit code 2
    ----- stderr
    error: the following required arguments were not provided:
      <SHELL>

    Usage: cohort completions <SHELL>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(project.cohort(&["completions", "csh"]), @"
    exit code 2
    ----- stderr
    error: invalid value 'csh' for '<SHELL>'
      [possible values: bash, elvish, fish, powershell, zsh]

      tip: a similar value exists: 'zsh'

    For more information, try '--help'.
    ");
}

#[test]
fn bash_reads_the_completions() {
    let project = Project::empty();
    project.write("cohort.bash", project.cohort(&["completions", "bash"]).stdout);
    let output = std::process::Command::new("bash").arg("-n").arg(project.path("cohort.bash")).output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn the_manual_page_has_all_commands() {
    let run = Project::empty().cohort(&["man"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert!(run.stdout.contains(".TH cohort 1"), "{run}");
    for heading in [".SH NAME", ".SH \"COHORT LIST\"", ".SH \"COHORT INFO\"", ".SH \"COHORT VALIDATE\""] {
        assert!(run.stdout.contains(heading), "{heading}: {run}");
    }
}

#[test]
fn the_reference_has_all_commands() {
    let run = Project::empty().cohort(&["reference"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    for heading in ["# Command-Line Help for `cohort`", "## `cohort list`", "## `cohort info`", "## `cohort validate`"]
    {
        assert!(run.stdout.lines().any(|line| line == heading), "{heading}: {run}");
    }
    assert!(run.stdout.ends_with('\n') && !run.stdout.ends_with("\n\n"));
}

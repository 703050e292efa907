//! Formats, files and pipes; help, usage errors, completions.

use std::io::Read;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::project::{Project, Run};

const COMMANDS: [&[&str]; 3] =
    [&["evals", "data/r12.json"], &["tasks", "data/r12.json"], &["modelinfo", "data/r12.json", "--eval-id", "44fa2d"]];

#[test]
fn the_schema_comes_first() {
    let project = Project::shared();
    for command in COMMANDS {
        let run = project.analyze(&[command, &["--format", "json"]].concat());
        let schema = format!("{{\n  \"schema\": \"analyze.{}/1\",\n", command[0]);
        assert!(run.stdout.starts_with(&schema) && run.stdout.ends_with("\n}\n"), "{run}");
    }
}

#[test]
fn csv_has_as_many_cells_in_every_row() {
    let project = Project::shared();
    for command in COMMANDS {
        let run = project.analyze(&[command, &["--format", "csv"]].concat());
        let mut widths: Vec<usize> = run.stdout.lines().map(|line| cells(line).len()).collect();
        let n_rows = widths.len();
        widths.dedup();
        assert!(widths.len() == 1 && widths[0] > 1 && n_rows > 10, "{run}");
    }
}

/// The cells of a line as RFC 4180 has them; none of the fixtures' texts holds a line end.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut is_quoted) = (vec![String::new()], false);
    for character in line.chars() {
        match (character, is_quoted) {
            ('"', _) => is_quoted = !is_quoted,
            (',', false) => cells.push(String::new()),
            _ => cells.last_mut().unwrap().push(character),
        }
    }
    assert!(!is_quoted, "{line}");
    cells
}

#[test]
fn csv_is_not_rounded() {
    let project = Project::shared();
    let document: Value = project.document(&["evals", "data/r12.json", "--where", "eval_id=44fa2d"]);
    let csv = project.analyze(&["evals", "data/r12.json", "--where", "eval_id=44fa2d", "--format", "csv"]).stdout;
    let cells = cells(csv.lines().nth(1).unwrap());
    let number = |at: usize| cells[at].parse::<f64>().unwrap();
    assert_eq!(Some(number(9)), document["evals"][0]["truncated_ratio"].as_f64());
    assert_eq!(Some(number(10)), document["evals"][0]["mean_tokens"].as_f64());
}

#[test]
fn results_go_to_a_file_if_one_is_named() {
    let project = Project::with_fixtures();
    for (command, format) in COMMANDS.into_iter().zip(["table", "markdown", "json"]) {
        let printed = project.analyze(&[command, &["--format", format]].concat()).stdout;
        let run = project.analyze(&[command, &["--format", format, "-o", "out.txt"]].concat());
        assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (Some(0), "", ""));
        assert_eq!(fs_err::read_to_string(project.path("out.txt")).unwrap(), printed, "{command:?}");
    }
    let names: Vec<_> = fs_err::read_dir(project.path("")).unwrap().map(|item| item.unwrap().file_name()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    insta::assert_snapshot!(project.analyze(&["evals", "data/r12.json", "-o", "nowhere/out.txt"]), @"
    exit code 2
    ----- stderr
    error: no folder `nowhere` to write `nowhere/out.txt` in
    hint: mkdir -p nowhere
    ");
    insta::assert_snapshot!(project.analyze(&["evals", "data/r12.json", "-o", "data"]), @"
    exit code 2
    ----- stderr
    error: `data` is a folder; --output needs the name of a file
    ");
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link_and_a_pipe_a_pipe() {
    let project = Project::with_fixtures();
    project.write("results/real.csv", "old");
    std::os::unix::fs::symlink("results/real.csv", project.path("link.csv")).unwrap();
    let arguments = ["evals", "data/r12.json", "--format", "csv", "-o"];
    let printed = project.analyze(&arguments[..4]).stdout;
    assert_eq!(project.analyze(&[&arguments[..], &["link.csv"]].concat()).code, Some(0));
    assert!(project.path("link.csv").is_symlink());
    assert_eq!(fs_err::read_to_string(project.path("results/real.csv")).unwrap(), printed);
    assert_eq!(Command::new("mkfifo").arg(project.path("pipe")).status().unwrap().code(), Some(0));
    let writer = project.command(&[&arguments[..], &["pipe"]].concat()).spawn().unwrap();
    assert_eq!(fs_err::read_to_string(project.path("pipe")).unwrap(), printed);
    assert_eq!(writer.wait_with_output().unwrap().status.code(), Some(0));
    assert!(!project.path("pipe").is_file());
}

#[test]
fn a_reader_that_stops_is_no_failure() {
    let project = Project::shared();
    for command in [COMMANDS[0], COMMANDS[1], COMMANDS[2], &["reference"], &["man"], &["completions", "zsh"]] {
        let mut child = project.command(command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""), "{command:?}");
    }
}

#[test]
fn colour_and_quiet() {
    let project = Project::shared();
    let note = "note: no evaluation matches\n";
    let stderr =
        |more: &[&str]| project.analyze(&[&["evals", "data/r12.json", "--search", "zz"], more].concat()).stderr;
    assert_eq!(stderr(&[]), note);
    assert_eq!(stderr(&["--color", "never"]), note);
    assert_eq!(stderr(&["--color", "always"]), "\u{1b}[36mnote: \u{1b}[0mno evaluation matches\n");
    assert_eq!(stderr(&["--quiet"]), "");
    // Results have no colour; errors are said even quietly.
    let plain = project.analyze(&["evals", "data/r12.json"]).stdout;
    assert_eq!(project.analyze(&["evals", "data/r12.json", "--color", "always"]).stdout, plain);
    let run = project.analyze(&["evals", "data/r13.json", "--quiet"]);
    assert!(run.code == Some(2) && run.stderr.starts_with("error: no dataset"), "{run}");
}

#[test]
fn threads_change_nothing() {
    let project = Project::shared();
    for command in COMMANDS {
        let one = project.analyze(&[command, &["--threads", "1", "--format", "json"]].concat());
        let two = project.analyze(&[command, &["--parallel", "2", "--format", "json"]].concat());
        assert_eq!(one, two);
        assert_eq!(one.code, Some(0), "{one}");
    }
}

#[test]
fn version_and_usage_errors() {
    let project = Project::empty();
    insta::assert_snapshot!(project.analyze(&["-V"]), @"
    exit code 0
    ----- stdout
    analyze 0.1.0
    ");
    insta::assert_snapshot!(project.analyze(&["evls", "data/r12.json"]), @"
    exit code 2
    ----- stderr
    error: unrecognized subcommand 'evls'

      tip: a similar subcommand exists: 'evals'

    Usage: analyze [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(project.analyze(&["evals"]), @"
    exit code 2
    ----- stderr
    error: the following required arguments were not provided:
      <DATASET>

    Usage: analyze evals <DATASET>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(project.analyze(&["evals", "d.json", "--format", "html"]), @"
    exit code 2
    ----- stderr
    error: invalid value 'html' for '--format <FORMAT>'
      [possible values: table, markdown, json, csv]

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(project.analyze(&["evals", "d.json", "--threads", "many"]), @"
    exit code 2
    ----- stderr
    error: invalid value 'many' for '--threads <N>': invalid digit found in string

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(project.analyze(&["tasks", "d.json", "--eval-id", "x"]), @"
    exit code 2
    ----- stderr
    error: unexpected argument '--eval-id' found

      tip: to pass '--eval-id' as a value, use '-- --eval-id'

    Usage: analyze tasks <DATASET>

    For more information, try '--help'.
    ");
    let run = project.analyze(&[]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
}

#[test]
fn completions_manual_and_reference() {
    let project = Project::empty();
    let print = |arguments: &[&str]| -> String {
        let run: Run = project.analyze(arguments);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        run.stdout
    };
    assert!(print(&["completions", "bash"]).contains("complete -F _analyze"));
    assert!(print(&["completions", "zsh"]).starts_with("#compdef analyze\n"));
    assert!(print(&["completions", "fish"]).contains("complete -c analyze"));
    project.write("analyze.bash", print(&["completions", "bash"]));
    let bash = Command::new("bash").arg("-n").arg(project.path("analyze.bash")).output().unwrap();
    assert_eq!((bash.status.code(), String::from_utf8_lossy(&bash.stderr).as_ref()), (Some(0), ""));
    let (manual, reference) = (print(&["man"]), print(&["reference"]));
    for command in ["evals", "tasks", "modelinfo"] {
        assert!(manual.contains(&format!(".SH \"ANALYZE {}\"", command.to_uppercase())), "{command}");
        assert!(reference.contains(&format!("\n## `analyze {command}`\n")), "{command}");
    }
}

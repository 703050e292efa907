//! `--format svg` and `png`.

use crate::project::Project;
use crate::trials::{Trial, project, project_with};

const DATASET: &str = "data/d.json";

fn two() -> Project {
    let of = |template: &'static str, outcome: &'static str| {
        let trial = Trial { template, outcome, ..Trial::default() };
        trial.times(30).chain(Trial { base_task: "dates", params: "{\"n\":2}", ..trial }.times(30))
    };
    project(&[("a", "Alpha"), ("b", "Beta")], &of("a", "correct").chain(of("b", "truncated")).collect::<Vec<_>>())
}

/// A command, texts that its picture shows, and how many marks of a class.
type Expected = (&'static [&'static str], &'static [&'static str], &'static [(&'static str, usize)]);

const COMMANDS: [Expected; 8] = [
    (&["scores"], &["Alpha", "Beta", "sort", "dates", "t100"], &[("row", 2), ("cell", 4), ("truncated", 2)]),
    (&["compare", "Alpha", "Beta"], &["all questions", "sort", "dates"], &[("forest-row", 3), ("interval", 2)]),
    (&["cluster"], &["Alpha", "Beta", "100 %", "A"], &[("interval-row", 2), ("interval", 2), ("clique", 1)]),
    // Two tasks make no web.
    (&["spiderweb"], &["Alpha", "Beta", "sort", "dates"], &[("bar", 2), ("spokes", 0), ("no-data", 0)]),
    (&["spiderweb", "--shape", "bars"], &["Alpha", "Beta", "sort", "dates"], &[("bar", 2)]),
    (&["surface", "--x", "params.n"], &["Alpha", "Beta", "params.n", "accuracy"], &[("curve", 2), ("point", 2)]),
    (&["hazard"], &["Answered right", "Hazard of a wrong answer"], &[("panel", 5), ("curve", 10), ("legend-entry", 2)]),
    (&["compression"], &["correct", "truncated", "compressed bytes"], &[("panel", 3), ("points", 2)]),
];

/// How many marks of a class a picture has.
fn count(svg: &str, class: &str) -> usize {
    svg.matches(&format!("class=\"{class}\"")).count()
}

/// Whether a text, or one that begins with it, is drawn.
fn shows(svg: &str, text: &str) -> bool {
    svg.contains(&format!("aria-label=\"{text}"))
}

#[track_caller]
fn check_marks(svg: &str, texts: &[&str], marks: &[(&str, usize)]) {
    assert!(svg.starts_with("<svg") && !svg.contains("NaN"), "{svg:.200}");
    for text in texts {
        assert!(shows(svg, text), "no `{text}`");
    }
    let found: Vec<(&str, usize)> = marks.iter().map(|(class, _)| (*class, count(svg, class))).collect();
    assert_eq!(found, marks);
}

#[test]
fn every_chart_is_drawn() {
    let project = two();
    for (command, texts, marks) in COMMANDS {
        let arguments = [&command[..1], &[DATASET], &command[1..]].concat();
        let svg = project.analyze(&[&arguments[..], &["--format", "svg"]].concat());
        assert_eq!(svg.code, Some(0), "{svg}");
        check_marks(&svg.stdout, texts, marks);
        assert_eq!(svg, project.analyze(&[&arguments[..], &["--format", "svg"]].concat()), "{command:?}");
        let png = project.analyze(&[&arguments[..], &["--format", "png", "--output", "chart.png"]].concat());
        assert_eq!((png.code, png.stdout.as_str()), (Some(0), ""), "{png}");
        assert_eq!(&fs_err::read(project.path("chart.png")).unwrap()[1..4], b"PNG");
    }
}

#[test]
fn spectra_are_drawn() {
    // GPT-OSS has a tokenizer that is built in.
    let run = Project::shared().analyze(&["fft", "data/r12.json", "--format", "svg"]);
    assert_eq!(run.code, Some(0), "{run}");
    check_marks(&run.stdout, &["Spectra of prompts", "magnitude", "frequency"], &[("panel", 1), ("no-data", 0)]);
    assert!(count(&run.stdout, "curve") > 0 && count(&run.stdout, "curve") == count(&run.stdout, "legend-entry"));
}

#[test]
fn one_evaluation_and_one_task_are_drawn() {
    let project = project(&[("a", "Alpha")], &Trial::default().times(3).collect::<Vec<_>>());
    let expected: [Expected; 6] = [
        (&["scores"], &["Alpha", "sort"], &[("row", 1), ("cell", 1)]),
        (&["cluster"], &["Alpha", "A"], &[("interval-row", 1), ("clique", 1)]),
        (&["spiderweb", "--shape", "radar"], &["Alpha", "sort"], &[("bar", 1), ("no-data", 0)]),
        (&["surface", "--x", "params.n"], &["Alpha", "params.n"], &[("curve", 1), ("point", 1)]),
        // Hazards of three at risk would say nothing.
        (&["hazard"], &["Answered right"], &[("panel", 3)]),
        (&["compression"], &["correct"], &[("points", 1), ("legend-entry", 1)]),
    ];
    for (command, texts, marks) in expected {
        let arguments = [&command[..1], &[DATASET], &command[1..], &["--format", "svg"]].concat();
        let run = project.analyze(&arguments);
        assert_eq!(run.code, Some(0), "{run}");
        check_marks(&run.stdout, texts, marks);
    }
}

#[test]
fn a_radar_is_the_default_for_as_many_tasks_as_can_be_read() {
    let trials = |tasks: u32| -> Vec<(String, String)> {
        (0..tasks).map(|task| (format!("task{task}"), "{\"n\":1}".to_owned())).collect()
    };
    for (tasks, shape, expected) in [(3, None, "spokes"), (25, None, "bar"), (25, Some("radar"), "spokes")] {
        let names = trials(tasks);
        let trials: Vec<Trial<'_>> =
            names.iter().map(|(base_task, params)| Trial { base_task, params, ..Trial::default() }).collect();
        let shape = shape.map(|shape| ["--shape", shape]);
        let project = project(&[("a", "Alpha")], &trials);
        let shape = shape.as_ref().map_or(&[][..], |shape| &shape[..]);
        let run = project.analyze(&[&["spiderweb", DATASET, "--format", "svg"], shape].concat());
        assert_eq!(run.code, Some(0), "{run}");
        let found = ["spokes", "bar"].map(|class| count(&run.stdout, class) > 0);
        assert_eq!(found, [expected == "spokes", expected == "bar"], "{tasks} tasks");
    }
}

#[track_caller]
fn check_nothing(project: &Project, arguments: &[&str]) {
    let run = project.analyze(&[arguments, &["--format", "png", "--output", "none.png"]].concat());
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""), "{arguments:?}: {run}");
    assert!(run.stderr.contains("there is nothing to draw: `none.png` is not written"), "{arguments:?}: {run}");
    assert!(!project.path("none.png").exists(), "{arguments:?}");
}

#[test]
fn nothing_to_draw_is_said_and_no_file_written() {
    let project = two();
    for command in ["scores", "cluster", "spiderweb", "hazard", "compression", "fft"] {
        check_nothing(&project, &[command, DATASET, "--where", "params.n>=99"]);
    }
    check_nothing(&project, &["surface", DATASET, "--x", "params.n", "--where", "params.n>=99"]);
    // Nobody has answered.
    check_nothing(&project, &["spiderweb", DATASET, "--where", "template=b"]);
}

#[test]
fn without_forensics_the_other_pictures_are_drawn() {
    let project = project_with(&[("a", "Alpha")], &[Trial { tokens: None, ..Trial::default() }], &["--no-forensics"]);
    for command in ["compression", "fft", "hazard"] {
        check_nothing(&project, &[command, DATASET]);
    }
    for (command, class) in [("scores", "cell"), ("cluster", "interval-row"), ("spiderweb", "bar")] {
        let run = project.analyze(&[command, DATASET, "--format", "svg"]);
        assert_eq!((run.code, count(&run.stdout, class)), (Some(0), 1), "{run}");
    }
}

#[test]
fn several_pictures_get_names() {
    let project = two();
    let run = project.analyze(&["hazard", DATASET, "--split", "base_task", "--format", "svg", "--output", "h.svg"]);
    assert_eq!(run.code, Some(0), "{run}");
    assert!(project.path("h-sort.svg").is_file() && project.path("h-dates.svg").is_file());
    let run = project.analyze(&["hazard", DATASET, "--split", "base_task", "--format", "svg"]);
    assert!(run.code == Some(2) && run.stderr.contains("these are 2 pictures, which need files"), "{run}");
}

#[test]
fn no_png_for_a_terminal() {
    let run = two().on_terminal(80, "scores", DATASET, &["--format", "png"]);
    assert!(run.code == Some(2) && run.stderr.contains("hint: --output FILE.png"), "{run}");
}

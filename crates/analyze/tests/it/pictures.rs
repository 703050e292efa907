//! `--format svg` and `png`.

use crate::project::Project;
use crate::trials::{Trial, project};

const DATASET: &str = "data/d.json";

fn two() -> Project {
    let of = |template: &'static str, outcome: &'static str| {
        let trial = Trial { template, outcome, ..Trial::default() };
        trial.times(30).chain(Trial { base_task: "dates", params: "{\"n\":2}", ..trial }.times(30))
    };
    project(&[("a", "Alpha"), ("b", "Beta")], &of("a", "correct").chain(of("b", "truncated")).collect::<Vec<_>>())
}

const COMMANDS: [&[&str]; 8] = [
    &["scores"],
    &["compare", "Alpha", "Beta"],
    &["cluster"],
    &["spiderweb"],
    &["spiderweb", "--shape", "bars"],
    &["surface", "--x", "params.n"],
    &["hazard"],
    &["compression"],
];

#[test]
fn every_chart_is_drawn() {
    let project = two();
    for command in COMMANDS {
        let arguments = [&command[..1], &[DATASET], &command[1..]].concat();
        let svg = project.analyze(&[&arguments[..], &["--format", "svg"]].concat());
        assert_eq!(svg.code, Some(0), "{svg}");
        assert!(svg.stdout.starts_with("<svg") && !svg.stdout.contains("NaN"), "{command:?}");
        assert_eq!(svg, project.analyze(&[&arguments[..], &["--format", "svg"]].concat()), "{command:?}");
        let png = project.analyze(&[&arguments[..], &["--format", "png", "--output", "chart.png"]].concat());
        assert_eq!((png.code, png.stdout.as_str()), (Some(0), ""), "{png}");
        assert_eq!(&fs_err::read(project.path("chart.png")).unwrap()[1..4], b"PNG");
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

//! `analyze tasks`: the tasks, their parameters, and the views of the config.

use std::collections::BTreeSet;

use rs_fixtures::Expected;
use serde::Deserialize;
use serde_json::Value;

use crate::model::{self, IsMeant, check_near};
use crate::project::{Project, fixtures, record};

/// The document `analyze.tasks/1`, by its own definition: a key that is not here is a change of the format.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tasks {
    schema: String,
    tasks: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    base_task: String,
    label: String,
    points: u64,
    rows: u64,
    samples: u64,
    truncated_ratio: Option<f64>,
    params: Vec<Param>,
    views: Vec<ViewRow>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Param {
    name: String,
    values: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ViewRow {
    id: String,
    label: String,
    kind: String,
    x: String,
    y: Option<String>,
    points: u64,
}

/// That `analyze tasks` with these arguments says what the model says of the points that are meant; returns how many
/// points of evaluations these are.
#[track_caller]
pub(crate) fn check(project: &Project, expected: &Expected, arguments: &[&str], is_meant: IsMeant<'_>) -> u64 {
    let found: Tasks = project.document(&[&["tasks", "data/r12.json"], arguments].concat());
    assert_eq!(found.schema, "analyze.tasks/1");
    let expected = model::tasks(expected, is_meant);
    let names: Vec<&String> = found.tasks.iter().map(|row| &row.base_task).collect();
    assert_eq!(names, expected.keys().collect::<Vec<_>>(), "{arguments:?}");
    for (found, task) in found.tasks.iter().zip(expected.values()) {
        let what = format!("{} with {arguments:?}", found.base_task);
        assert_eq!(found.points, task.coordinates.len() as u64, "{what}");
        assert_eq!((found.rows, found.samples), (task.sums.points, task.sums.samples), "{what}");
        check_near(&what, found.truncated_ratio, task.sums.truncated_ratio(), 1e-12);
        let params: Vec<&String> = found.params.iter().map(|param| &param.name).collect();
        assert_eq!(params, task.params.keys().collect::<Vec<_>>(), "{what}");
        for (param, values) in found.params.iter().zip(task.params.values()) {
            let of_param: BTreeSet<String> = param.values.iter().map(Value::to_string).collect();
            assert_eq!((&of_param, param.values.len()), (values, values.len()), "{what}: {}", param.name);
            let numbers: Vec<f64> = param.values.iter().filter_map(Value::as_f64).collect();
            assert!(numbers.is_sorted(), "{what}: {}", param.name);
        }
    }
    found.tasks.iter().map(|row| row.rows).sum()
}

#[test]
fn every_number_is_that_of_the_model() {
    let (project, expected) = (Project::shared(), fixtures().expected());
    assert_eq!(check(project, &expected, &[], &|_, _| true), 714);
}

#[track_caller]
fn views(arguments: &[&str]) -> Vec<String> {
    let found: Tasks = Project::shared().document(&[&["tasks", "data/r12.json"], arguments].concat());
    let line = |task: &Row, view: &ViewRow| format!("{} {} {}", task.base_task, view.id, view.points);
    found.tasks.iter().flat_map(|task| task.views.iter().map(move |view| line(task, view))).collect()
}

#[test]
fn views_hold_the_points_that_have_their_dimensions_and_satisfy_their_filters() {
    // The corners of three axes, less two of those with the last value of the third: see `configs/r12.yaml`. A surface
    // at the first value of the third axis has four corners; one at its last (brackets) has two. Lines have two ends.
    assert_eq!(
        views(&[]),
        [
            "arithmetic length-x-depth 4",
            "arithmetic length 2",
            "boolean length-x-depth 4",
            "boolean notation 2",
            "brackets length-x-depth 2",
            "brackets kinds 2",
            "cars overtakes-x-cars 4",
            "cars distractors 2",
            "dates steps-x-span 4",
            "dates format 2",
            "letters words-x-targets 4",
            "letters confounders 2",
            "objects length-x-categories 4",
            "objects distractors 2",
            "sequence order-x-length 4",
            "sequence order 2",
            "shapes options-x-rotation 4",
            "shapes offset 2",
            "shuffle swaps-x-people 4",
            "shuffle swaps 2",
            "sort length-x-prefix 4",
            "sort length 2",
            "tables rows 2",
            "tables tokens 2",
        ]
    );
    assert_eq!(
        views(&["--where", "params.length=4"]),
        ["arithmetic length-x-depth 2", "arithmetic length 1", "sort length-x-prefix 2", "sort length 1"]
    );
    assert_eq!(views(&["--where", "manifold.target_tokens>1000"]), ["tables rows 1", "tables tokens 1"]);
}

#[test]
fn labels_and_views_are_those_of_the_config() {
    let found: Tasks = Project::shared().document(&["tasks", "data/r12.json", "--where", "base_task=tables|boolean"]);
    let labels: Vec<&str> = found.tasks.iter().map(|task| task.label.as_str()).collect();
    assert_eq!(labels, ["Boolean", "Tables"]);
    let view = &found.tasks[0].views[0];
    assert_eq!(
        (view.label.as_str(), view.kind.as_str(), view.x.as_str(), view.y.as_deref()),
        ("Length by depth", "surface", "params.length", Some("params.max_depth"))
    );
    let view = &found.tasks[1].views[1];
    assert_eq!(
        (view.label.as_str(), view.kind.as_str(), view.x.as_str(), view.y.as_deref()),
        ("Prompt tokens", "projection", "manifold.target_tokens", None)
    );
}

#[test]
fn a_database_alone_has_no_labels_and_no_views() {
    let found: Tasks = Project::shared().document(&["tasks", "data/pointsdb-r12.db"]);
    assert_eq!(found.tasks.len(), 12);
    assert!(found.tasks.iter().all(|task| task.label == task.base_task && task.views.is_empty()));
}

#[test]
fn for_people() {
    let project = Project::shared();
    let arguments = ["tasks", "data/r12.json", "--where", "base_task=arithmetic|tables"];
    insta::assert_snapshot!(project.analyze(&arguments), @"
    exit code 0
    ----- stdout
    base_task   label       points  samples  truncated  params                      views
    arithmetic  Arithmetic       6      274      5.5 %  length max_depth max_value  length-x-depth length
    tables      Tables           2       72      1.4 %  num_rows                    rows tokens

    Parameters
    base_task   param      values
    arithmetic  length     4 32
    arithmetic  max_depth  0 4
    arithmetic  max_value  9 9999
    tables      num_rows   62 261

    Views
    base_task   view            kind        points  x                       y                 label
    arithmetic  length-x-depth  surface          4  params.length           params.max_depth  Length by depth, small numbers
    arithmetic  length          projection       2  params.length                             Length, no parentheses
    tables      rows            projection       2  params.num_rows                           Rows
    tables      tokens          projection       2  manifold.target_tokens                    Prompt tokens
    ");
    insta::assert_snapshot!(project.analyze(&[&arguments[..], &["--format", "csv"]].concat()), @"
    exit code 0
    ----- stdout
    base_task,label,points,samples,truncated,params,views
    arithmetic,Arithmetic,6,274,0.05474452554744526,length max_depth max_value,length-x-depth length
    tables,Tables,2,72,0.013888888888888888,num_rows,rows tokens
    ");
    insta::assert_snapshot!(project.analyze(&["tasks", "data/pointsdb-r12.db", "--where", "base_task=sort", "--format", "markdown"]), @"
    exit code 0
    ----- stdout
    | base_task | label | points | samples | truncated | params | views |
    | --- | --- | ---: | ---: | ---: | --- | --- |
    | sort | sort | 6 | 243 | 4.5 % | length reverse shared_prefix |  |

    **Parameters**

    | base_task | param | values |
    | --- | --- | --- |
    | sort | length | 4 48 |
    | sort | reverse | false true |
    | sort | shared_prefix | 0 6 |
    ");
    insta::assert_snapshot!(project.analyze(&["tasks", "data/r12.json", "--where", "base_task=sort", "--where", "params.length>48"]), @"
    exit code 0
    ----- stdout
    base_task  label  points  samples  truncated  params  views
    ----- stderr
    note: no point matches
    ");
}

#[test]
fn many_values_are_shown_as_a_range() {
    let records: Vec<String> = (0..20)
        .map(|n| {
            record(
                "b",
                &format!(
                    "{{\"n\": {}, \"name\": \"v{n}\", \"few\": {}, \"mixed\": {}}}",
                    n * 5,
                    n % 3,
                    if n % 2 == 0 { "1" } else { "\"x\"" }
                ),
                "",
            )
        })
        .collect();
    insta::assert_snapshot!(Project::with_records(&records.concat()).analyze(&["tasks", "data/d.json"]), @"
    exit code 0
    ----- stdout
    base_task  label  points  samples  truncated  params            views
    b          b          20       20      0.0 %  few mixed n name

    Parameters
    base_task  param  values
    b          few    0 1 2
    b          mixed  1 x
    b          n      0..95 (20 values)
    b          name   20 values
    ");
}

#[test]
fn tasks_that_only_one_side_knows() {
    let project = Project::with_records(&(record("a", "{\"n\": 1}", "") + &record("b", "{}", "")));
    project.write(
        "data/d.json",
        r#"{"name": "d", "db": "d.db", "config": "../configs/d.yaml", "cohorts": [{"path": "set/M"}]}"#,
    );
    project.write(
        "configs/d.yaml",
        "name: d\ntasks:\n  - {name: a, label: The first, grid: {n: [1]}}\n  - {name: z, grid: {n: [1]}}\n",
    );
    insta::assert_snapshot!(project.analyze(&["tasks", "data/d.json"]), @"
    exit code 0
    ----- stdout
    base_task  label      points  samples  truncated  params  views
    a          The first       1        1      0.0 %  n
    b          b               1        1      0.0 %

    Parameters
    base_task  param  values
    a          n      1
    ----- stderr
    note: the config also has, without a point: z
    ");
    // With filters, missing tasks are no news.
    let filtered = project.analyze(&["tasks", "data/d.json", "--where", "base_task=a"]);
    assert_eq!((filtered.code, filtered.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_config_that_is_missing_or_wrong() {
    let project = Project::with_records(&record("a", "{}", ""));
    project.write(
        "data/d.json",
        r#"{"name": "d", "db": "d.db", "config": "../configs/d.yaml", "cohorts": [{"path": "set/M"}]}"#,
    );
    insta::assert_snapshot!(project.analyze(&["tasks", "data/d.json"]), @"
    exit code 2
    ----- stderr
    error: data/d.json: config: no file `configs/d.yaml`
    ");
    project.write(
        "configs/d.yaml",
        "name: d\ntasks:\n  - name: a\n    grid: {n: [1]}\n    views: [{id: v, kind: projection, x: params.m}]\n",
    );
    insta::assert_snapshot!(project.analyze(&["tasks", "data/d.json"]), @"
    exit code 2
    ----- stderr
    error: configs/d.yaml:5:42: `tasks[0].views[0].x`: unknown dimension `params.m`; did you mean `params.n`?
    ");
    // Nobody else needs it.
    assert_eq!(project.analyze(&["evals", "data/d.json"]).code, Some(0));
    assert_eq!(project.analyze(&["modelinfo", "data/d.json", "--eval-id", "34c4dc"]).code, Some(0));
}

//! On a terminal of 80 columns: nothing is wider, what rows are about stays legible, and what is cut is told.

use crate::project::{Project, copy_folder};

/// A copy of the shared project: the database is opened in this process, and others may read the original.
fn project() -> Project {
    let (shared, project) = (Project::shared(), Project::empty());
    copy_folder(&shared.path(""), &project.path(""));
    project
}

#[test]
fn evals() {
    insta::assert_snapshot!(project().on_terminal(80, "evals", "data/r12.json", &[]), @"
    exit code 0
    ----- stdout
    eval_id  label                           points  samples  truncated  mean tokens
    567291   GPT-OSS-120B (high effort)          68      281      1.1 %        5,481
    035143   GPT-OSS-120B (low effort)           68      272      1.8 %          873
    14eb25   Llama-Nemotron-… (no thinking)      68      272      0.0 %          577
    afbafa   Llama-Nemotron-…1.5 (thinking)      68      348      2.0 %        5,099
    f2c9cf   Qwen3-32B (AWQ int4, thinking)      68      269      6.3 %        4,187
    e67944   Qwen3-32B (fp16, no thinking)       68      272      1.1 %          557
    44fa2d   Qwen3-32B (fp16, thinking)          68      282      4.3 %        4,201
    9bed34   Qwen3-32B (fp16, thinking, 8k)      68      282     21.6 %        2,484
    8db262   Seed-OSS-36B (fp16, thinking)       68      262      2.3 %        6,416
    11ea6f   Seed-OSS-36B (f…nking, greedy)      36      144      3.5 %        6,281
    8efc6f   Seed-OSS-36B (int4, thinking)       66      264      2.7 %        7,058
    ----- stderr
    note: too narrow for `model`, `template`, `sampler`, `groups`, `tags`, and for all of `label`; a wider terminal or `--format json` shows all
    ");
}

#[test]
fn tasks() {
    let arguments = ["--where", "base_task=arithmetic|objects|sort|tables"];
    insta::assert_snapshot!(project().on_terminal(80, "tasks", "data/r12.json", &arguments), @"
    exit code 0
    ----- stdout
    base_task   label       points  samples  truncated  params
    arithmetic  Arithmetic       6      274      5.5 %  length max_depth max_value
    objects     Objects          6      239      4.6 %  categories distractors leng…
    sort        Sort             6      243      4.5 %  length reverse shared_prefix
    tables      Tables           2       72      1.4 %  num_rows

    Parameters
    base_task   param          values
    arithmetic  length         4 32
    arithmetic  max_depth      0 4
    arithmetic  max_value      9 9999
    objects     categories     1 4
    objects     distractors    0.1 0.75
    objects     length         6 48
    sort        length         4 48
    sort        reverse        false true
    sort        shared_prefix  0 6
    tables      num_rows       62 261

    Views
    base_task   view                 points  x                    y
    arithmetic  length-x-depth            4  params.length        params.max_depth
    arithmetic  length                    2  params.length
    objects     length-x-categories       4  params.length        params.categories
    objects     distractors               2  params.distractors
    sort        length-x-prefix           4  params.length        params.shared_pre…
    sort        length                    2  params.length
    tables      rows                      2  params.num_rows
    tables      tokens                    2  manifold.target_to…
    ----- stderr
    note: too narrow for `views`, `kind`, `label`, and for all of `params`, `x`, `y`; a wider terminal or `--format json` shows all
    ");
}

#[test]
fn modelinfo() {
    insta::assert_snapshot!(project().on_terminal(80, "modelinfo", "data/r12.json", &["--eval-id", "9bed34"]), @"
    exit code 0
    ----- stdout
    field         value
    eval_id       9bed34
    label         Qwen3-32B (fp16, thinking, 8k)
    model         Qwen3-32B-fp16
    template      think
    sampler       t0.6-p0.95-16k
    context       8,192
    hf_id         Qwen/Qwen3-32B
    groups        family:qwen3 arch:dense size:mid quant:fp16 ctx:8k thinking:on
    tags          open-weights context-study
    cohort        data/r12/Qwen3-32B
    first record  2026-01-14T09:35:09.187941Z
    last record   2026-01-20T10:04:53.892042Z
    files         14
    records       308
    duplicates    24
    malformed     0
    foreign       0
    points        68
    samples       282
    truncated     21.6 %
    errors        2
    tokens spent  1,388,883
    mean tokens   2,484

    Tasks
    base_task   points  samples  truncated  tokens spent
    arithmetic       6       29     34.5 %       176,858
    boolean          6       29     24.1 %       147,982
    brackets         6       24     12.5 %       101,579
    cars             6       24     20.8 %       117,811
    dates            6       24     29.2 %       121,479
    letters          6       24     25.0 %       118,043
    objects          6       24     20.8 %       113,546
    sequence         6       24     12.5 %        99,611
    shapes           6       24      8.3 %        89,410
    shuffle          6       24     25.0 %       124,504
    sort             6       24     25.0 %       131,994
    tables           2        8     12.5 %        46,066

    Runs
    run                                                             files      bytes
    2026-01-14_09-30-00_r12-a_Qwen3-32B-fp16_think_t0.6-p0.95-16k       6  280.25 kB
    2026-01-14_18-05-12_r12-b_Qwen3-32B-fp16_think_t0.6-p0.95-16k       6  291.60 kB
    2026-01-20_09-30-00_r12-more_Qwen3-32B-fp16_think_t0.6-p0.95-…      2   39.30 kB

    Run metadata
    key          value
    max_tokens   16384
    models       Qwen3-32B-fp16
    run          2026-01-14_09-30-00_r12-a_Qwen3-32B-fp16_think_t0.6-p0.95-16k | 20…
    sampler      t0.6-p0.95-16k
    server       vllm 0.11.0
    steps        000_arithmetic_r12 001_boolean_r12 | 000_arithmetic_r12 001_boolea…
    temperature  0.6
    templates    think
    timestamp    2026-01-14T09:30:00Z | 2026-01-14T18:05:12Z | 2026-01-20T09:30:00Z
    top_p        0.95
    ----- stderr
    note: too narrow for all of `run`, `value`; a wider terminal or `--format json` shows all
    ");
}

#[test]
fn modelinfo_side_by_side() {
    let project = project();
    let run = project.on_terminal(80, "modelinfo", "data/r12.json", &["--where", "groups=family:qwen3,size:mid"]);
    let first = run.stdout.lines().nth(1).unwrap();
    assert!(first.starts_with("field") && first.split_whitespace().count() == 3, "two beside each other: {run}");
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 80) && !run.stdout.contains('…'), "{run}");
    for field in ["first record", "tokens spent", "mean tokens"] {
        assert!(run.stdout.contains(field), "{run}");
    }
}

#[test]
fn hazard_has_its_hazards() {
    let run = project().on_terminal(80, "hazard", "data/r12.json", &[]);
    assert!(run.stdout.contains("Hazards: of those at risk, answered in the 256 tokens before"), "{run}");
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 80), "{run}");
    assert!(!run.stderr.contains("hazard"), "nothing is left out: {run}");
}

#[test]
fn nothing_is_wider_than_the_terminal() {
    let project = project();
    for width in [60, 79, 100, 132, 200, 250] {
        for (command, more) in [("evals", &[][..]), ("tasks", &[]), ("modelinfo", &["--eval-id", "afbafa"])] {
            let run = project.on_terminal(width, command, "data/r12.json", more);
            let widest = run.stdout.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= width, "{command} on {width} columns has {widest}:\n{run}");
            assert!(!run.stdout.contains('…') || run.stderr.contains("for all of"), "{command} on {width}:\n{run}");
        }
    }
}

//! `analyze modelinfo`: all that is known of one evaluation.

use rs_fixtures::{Expected, ExpectedEvaluation};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::model::{Sums, check_near};
use crate::project::{Project, fixtures, record};

/// The document `analyze.modelinfo/1`, by its own definition: a key that is not here is a change of the format.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelInfo {
    schema: String,
    eval_id: String,
    label: String,
    model: String,
    template: String,
    sampler: String,
    context: Option<u64>,
    hf_id: Option<String>,
    groups: Vec<String>,
    tags: Vec<String>,
    cohort: Option<String>,
    first_timestamp: Option<String>,
    last_timestamp: Option<String>,
    files: u64,
    records: u64,
    duplicates: u64,
    malformed: u64,
    foreign: u64,
    points: u64,
    samples: u64,
    truncated_ratio: Option<f64>,
    errors: u64,
    total_tokens: Option<u64>,
    mean_tokens: Option<f64>,
    tasks: Vec<TaskRow>,
    runs: Option<Vec<RunRow>>,
    architecture: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TaskRow {
    base_task: String,
    points: u64,
    samples: u64,
    truncated_ratio: Option<f64>,
    total_tokens: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunRow {
    run: String,
    files: u64,
    bytes: u64,
    metadata: Option<Map<String, Value>>,
}

/// A time as the model writes it, to the microsecond.
fn to_microseconds(time: &str) -> String {
    let time = time.trim_end_matches('Z');
    let (seconds, fraction) = time.split_once('.').unwrap_or((time, ""));
    format!("{seconds}.{fraction:0<6}Z")
}

fn check_facts(found: &ModelInfo, expected: &ExpectedEvaluation) {
    let what = &expected.label;
    let ModelInfo { eval_id, label, model, template, sampler, .. } = found;
    assert_eq!(
        [eval_id, label, model, template, sampler],
        [&expected.eval_id, &expected.label, &expected.model, &expected.template, &expected.sampler]
    );
    assert_eq!((found.context, &found.groups, &found.tags), (expected.context, &expected.groups, &expected.tags));
    assert_eq!(found.hf_id.as_ref(), Some(&expected.hf_id));
    assert_eq!(found.cohort, Some(format!("data/r12/{}", expected.cohort)));
    assert_eq!(found.first_timestamp.as_deref().map(to_microseconds), expected.first_timestamp);
    assert_eq!(found.last_timestamp.as_deref().map(to_microseconds), expected.last_timestamp);
    assert_eq!(
        [found.files, found.records, found.duplicates, found.malformed, found.foreign, found.errors],
        [
            expected.n_files,
            expected.n_records,
            expected.n_duplicates,
            expected.n_malformed,
            expected.n_foreign,
            expected.n_errors
        ],
        "{what}"
    );
    let sums = Sums::of(&expected.points);
    assert_eq!((found.points, found.samples), (sums.points, sums.samples), "{what}");
    assert_eq!(found.total_tokens, Some(expected.totals.total_tokens), "{what}");
    check_near(what, found.truncated_ratio, expected.totals.truncated_ratio, 1e-12);
    check_near(what, found.mean_tokens, expected.totals.completion_tokens_mean, 1e-9);
}

fn check_tasks(found: &[TaskRow], expected: &ExpectedEvaluation) {
    let mut names: Vec<&str> = expected.points.iter().map(|point| point.base_task.as_str()).collect();
    names.dedup();
    assert_eq!(found.iter().map(|task| task.base_task.as_str()).collect::<Vec<_>>(), names);
    for task in found {
        let sums = Sums::of(expected.points.iter().filter(|point| point.base_task == task.base_task));
        let what = format!("{} of {}", task.base_task, expected.label);
        assert_eq!((task.points, task.samples), (sums.points, sums.samples), "{what}");
        assert_eq!(task.total_tokens, Some(sums.total_tokens), "{what}");
        check_near(&what, task.truncated_ratio, sums.truncated_ratio(), 1e-12);
    }
}

fn check_runs(found: &[RunRow], expected: &Expected, evaluation: &ExpectedEvaluation) {
    let cohort = expected.cohorts.iter().find(|cohort| cohort.name == evaluation.cohort).unwrap();
    let runs: Vec<_> = cohort.runs.iter().filter(|run| run.eval_ids.contains(&evaluation.eval_id)).collect();
    assert_eq!(found.len(), runs.len());
    for (found, expected) in found.iter().zip(runs) {
        assert_eq!(Some(found.run.as_str()), expected.path.rsplit('/').next());
        assert_eq!((found.files, found.bytes), (expected.n_files, expected.bytes), "{}", found.run);
        let metadata = found.metadata.as_ref().unwrap();
        assert_eq!(metadata["run"], found.run.as_str());
        assert_eq!(metadata["steps"].as_array().map(Vec::len), Some(expected.files.len()), "{}", found.run);
    }
}

#[test]
fn every_number_is_that_of_the_model() {
    let (project, expected) = (Project::shared(), fixtures().expected());
    for evaluation in expected.evaluations() {
        let found: ModelInfo = project.document(&["modelinfo", "data/r12.json", "--eval-id", &evaluation.eval_id]);
        assert_eq!(found.schema, "analyze.modelinfo/1");
        check_facts(&found, evaluation);
        check_tasks(&found.tasks, evaluation);
        check_runs(found.runs.as_ref().unwrap(), &expected, evaluation);
        assert_eq!(found.architecture, None);
    }
}

#[test]
fn of_some_points() {
    let (project, expected) = (Project::shared(), fixtures().expected());
    let arguments = ["modelinfo", "data/r12.json", "--eval-id", "44fa2d", "--where", "base_task=sort|dates"];
    let found: ModelInfo = project.document(&arguments);
    let evaluation = expected.evaluation("Qwen3-32B (fp16, thinking)").unwrap();
    let sums = Sums::of(evaluation.points.iter().filter(|point| ["sort", "dates"].contains(&point.base_task.as_str())));
    assert_eq!((found.points, found.samples, found.errors), (sums.points, sums.samples, sums.errors));
    assert_eq!(found.total_tokens, Some(sums.total_tokens));
    check_near("mean tokens", found.mean_tokens, sums.mean_tokens(), 1e-9);
    assert_eq!(found.tasks.iter().map(|task| task.base_task.as_str()).collect::<Vec<_>>(), ["dates", "sort"]);
    // What is said of the records is said of all.
    assert_eq!(found.records, evaluation.n_records);
}

#[test]
fn for_people() {
    let project = Project::shared();
    insta::assert_snapshot!(project.analyze(&["modelinfo", "data/r12.json", "--eval-id", "9bed34"]), @"
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
    run                                                               files      bytes
    2026-01-14_09-30-00_r12-a_Qwen3-32B-fp16_think_t0.6-p0.95-16k         6  280.25 kB
    2026-01-14_18-05-12_r12-b_Qwen3-32B-fp16_think_t0.6-p0.95-16k         6  291.60 kB
    2026-01-20_09-30-00_r12-more_Qwen3-32B-fp16_think_t0.6-p0.95-16k      2   39.30 kB

    Run metadata
    key          value
    max_tokens   16384
    models       Qwen3-32B-fp16
    run          2026-01-14_09-30-00_r12-a_Qwen3-32B-fp16_think_t0.6-p0.95-16k | 2026-01-14_18-05-12_r12-b_Qwen3-32B-fp16_think_t0.6-p0.95-16k | 2026-01-20_09-30-00_r12-more_Qwen3-32B-fp16_think_t0.6-p0.95-16k
    sampler      t0.6-p0.95-16k
    server       vllm 0.11.0
    steps        000_arithmetic_r12 001_boolean_r12 | 000_arithmetic_r12 001_boolean_r12 002_brackets_r12 003_cars_r12 004_dates_r12 005_letters_r12 | 000_objects_r12 001_sequence_r12 002_shapes_r12 003_shuffle_r12 004_sort_r12 005_tables_r12
    temperature  0.6
    templates    think
    timestamp    2026-01-14T09:30:00Z | 2026-01-14T18:05:12Z | 2026-01-20T09:30:00Z
    top_p        0.95
    ");
    insta::assert_snapshot!(project.analyze(&["modelinfo", "data/r12.json", "--eval-id", "11ea6f", "--format", "csv"]), @r#"
    exit code 0
    ----- stdout
    field,value
    eval_id,11ea6f
    label,"Seed-OSS-36B (fp16, thinking, greedy)"
    model,Seed-OSS-36B-fp16
    template,think
    sampler,greedy-32k
    hf_id,ByteDance-Seed/Seed-OSS-36B-Instruct
    groups,family:seed-oss arch:dense size:mid quant:fp16 ctx:32k thinking:on
    tags,open-weights sampler-study
    cohort,data/r12/Seed-OSS-36B
    first record,2026-01-27T09:31:50.374534Z
    last record,2026-01-27T13:23:24.790399Z
    files,6
    records,144
    duplicates,0
    malformed,0
    foreign,0
    points,36
    samples,144
    truncated,0.034722222222222224
    errors,0
    tokens spent,1053993
    mean tokens,6281.258992805755
    "#);
}

#[test]
fn a_database_alone_knows_no_runs() {
    let run =
        Project::shared().analyze(&["modelinfo", "data/pointsdb-r12.db", "--eval-id", "44fa2d", "--format", "json"]);
    let found: ModelInfo = run.document();
    assert!(found.runs.is_none());
    assert_eq!(found.cohort.as_deref(), Some("r12/Qwen3-32B"));
    insta::assert_snapshot!(run.stderr, @"note: the runs of `r12/Qwen3-32B` are shown if its dataset file is named instead of the database");
}

#[test]
fn an_evaluation_that_is_not_there() {
    let project = Project::shared();
    insta::assert_snapshot!(project.analyze(&["modelinfo", "data/r12.json", "--eval-id", "44fa2e"]), @"
    exit code 2
    ----- stderr
    error: nothing here has `eval_id` = `44fa2e`
    hint: did you mean `44fa2d`?
    ");
    insta::assert_snapshot!(project.analyze(&["modelinfo", "data/r12.json", "--eval-id", "qwen"]), @"
    exit code 2
    ----- stderr
    error: nothing here has `eval_id` = `qwen`
    hint: did you mean `Qwen3-32B-awq+think+t0.6-p0.95-16k` or `Qwen3-32B-fp16+think+t0.6-p0.95-16k`?
    ");
    insta::assert_snapshot!(
        project.analyze(&["modelinfo", "data/r12.json", "--eval-id", "11ea6f", "--where", "base_task=tables"]),
        @"
    exit code 2
    ----- stderr
    error: no point of evaluation `11ea6f` matches
    "
    );
}

/// The document `analyze.modelinfos/1`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelInfos {
    schema: String,
    models: Vec<ModelInfo>,
}

#[test]
fn all_side_by_side() {
    let project = Project::shared();
    let found: ModelInfos = project.document(&["modelinfo", "data/r12.json", "--where", "model=GPT-OSS-120B"]);
    assert_eq!(found.schema, "analyze.modelinfos/1");
    let alone: ModelInfo = project.document(&["modelinfo", "data/r12.json", "--eval-id", "567291"]);
    let ids: Vec<(&str, u64)> = found.models.iter().map(|model| (model.eval_id.as_str(), model.samples)).collect();
    assert_eq!(ids, [("567291", alone.samples), ("035143", 272)]);
    let run = project.analyze(&["modelinfo", "data/r12.json"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run}");
    assert!(run.stdout.lines().next().is_some_and(|line| line.contains("567291") && line.contains("44fa2d")), "{run}");
}

/// The file of a model as Hugging Face has it.
const CONFIG: &str = r#"{
  "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "num_hidden_layers": 64, "hidden_size": 5120,
  "rope_scaling": null, "torch_dtype": "bfloat16", "vocab_size": 151936
}"#;

#[test]
fn the_architecture_of_a_local_config() {
    let project = Project::with_fixtures();
    let info = |more: &[&str]| -> ModelInfo {
        project.document(&[&["modelinfo", "data/r12.json", "--eval-id", "44fa2d"], more].concat())
    };
    let config: Map<String, Value> = serde_json::from_str(CONFIG).unwrap();
    project.write("hub/Qwen/Qwen3-32B/config.json", CONFIG);
    project.write("hub/Qwen/Qwen3-32B-AWQ/config.json", "{}");
    assert_eq!(info(&[]).architecture, None);
    assert_eq!(info(&["--tokenizers", "hub"]).architecture.as_ref(), Some(&config));
    assert_eq!(info(&["--tokenizers", "nowhere"]).architecture, None);
    project.write("data/tokenizers/Qwen/Qwen3-32B/config.json", CONFIG);
    assert_eq!(info(&[]).architecture, Some(config));
    // The same beside the database.
    let run = project.analyze(&["modelinfo", "data/pointsdb-r12.db", "--eval-id", "44fa2d", "-q"]);
    let told: Vec<&str> = run.stdout.lines().skip_while(|line| !line.starts_with("architectures")).take(6).collect();
    assert_eq!(
        told.iter().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect::<Vec<_>>(),
        [
            ["architectures", "Qwen3ForCausalLM"],
            ["model_type", "qwen3"],
            ["num_hidden_layers", "64"],
            ["hidden_size", "5120"],
            ["vocab_size", "151936"],
            ["torch_dtype", "bfloat16"]
        ]
    );
    project.write("data/tokenizers/Qwen/Qwen3-32B/config.json", "{\n  \"model_type\": qwen3\n}");
    insta::assert_snapshot!(project.analyze(&["modelinfo", "data/r12.json", "--eval-id", "44fa2d"]), @"
    exit code 2
    ----- stderr
    error: data/tokenizers/Qwen/Qwen3-32B/config.json:2:17: `model_type`: expected value
    ");
}

#[test]
fn an_hf_id_cannot_lead_out_of_the_folder() {
    for hf_id in ["../../secret", "/secret"] {
        let project = Project::empty();
        project.write("data/d.json", r#"{"name": "d", "db": "d.db", "cohorts": [{"path": "set/M"}]}"#);
        let entry = crate::project::entry("L", &format!(", \"hf_id\": \"{hf_id}\""));
        project.write("data/set/M/evals.json", format!("[{entry}]"));
        project.write("data/set/M/run/a.ndjson", record("b", "{}", ""));
        project.write("secret/config.json", "{\"model_type\": \"secret\"}");
        project.evaluate("data/d.json");
        let found: ModelInfo = project.document(&["modelinfo", "data/d.json", "--eval-id", "34c4dc"]);
        assert_eq!((found.hf_id.as_deref(), found.architecture), (Some(hf_id), None));
    }
}

#[test]
fn metadata_that_differ_from_run_to_run() {
    let project = Project::empty();
    project.write("data/d.json", r#"{"name": "d", "db": "d.db", "cohorts": [{"path": "set/M"}]}"#);
    let entry = crate::project::entry("L", "").replace("M/run/*", "M/run*/*");
    project.write("data/set/M/evals.json", format!("[{entry}]"));
    for run in 0..5 {
        project.write(&format!("data/set/M/run{run}/a.ndjson"), record("b", "{}", ""));
        let metadata = match run {
            0 => continue,
            4 => "not JSON".to_owned(),
            _ => json!({"server": "vllm", "started": run, "port": run % 2, "gpu": {"name": "x"}}).to_string(),
        };
        project.write(&format!("data/set/M/run{run}/metadata.json"), metadata);
    }
    project.evaluate("data/d.json");
    insta::assert_snapshot!(project.analyze(&["modelinfo", "data/d.json", "--eval-id", "34c4dc"]), @r#"
    exit code 0
    ----- stdout
    field       value
    eval_id     34c4dc
    label       L
    model       m
    template    t
    sampler     s
    cohort      data/set/M
    files       5
    records     5
    duplicates  0
    malformed   0
    foreign     0
    points      1
    samples     5
    truncated   0.0 %
    errors      0

    Tasks
    base_task  points  samples  truncated  tokens spent
    b               1        5      0.0 %

    Runs
    run   files  bytes
    run0      1   86 B
    run1      1   86 B
    run2      1   86 B
    run3      1   86 B
    run4      1   86 B

    Run metadata
    key      value
    gpu      {"name":"x"} (3 of 5 runs)
    port     0 | 1 (3 of 5 runs)
    server   vllm (3 of 5 runs)
    started  1 | 2 | 3 (3 of 5 runs)
    ----- stderr
    warning: data/set/M/run4/metadata.json:1:2: expected ident
    "#);
}

#[test]
fn a_cohort_that_is_gone() {
    let project = Project::with_records(&record("b", "{}", ""));
    fs_err::remove_dir_all(project.path("data/set")).unwrap();
    insta::assert_snapshot!(project.analyze(&["modelinfo", "data/d.json", "--eval-id", "34c4dc"]), @"
    exit code 0
    ----- stdout
    field       value
    eval_id     34c4dc
    label       L
    model       m
    template    t
    sampler     s
    cohort      data/set/M
    files       1
    records     1
    duplicates  0
    malformed   0
    foreign     0
    points      1
    samples     1
    truncated   0.0 %
    errors      0

    Tasks
    base_task  points  samples  truncated  tokens spent
    b               1        1      0.0 %
    ----- stderr
    warning: the runs are not known: no cohort at `data/set/M`: evals.json is not there
    ");
}

#[test]
fn runs_are_those_of_the_evaluation_of_the_same_context() {
    let project = Project::empty();
    project.write("data/d.json", r#"{"name": "d", "db": "d.db", "cohorts": [{"path": "set/M"}]}"#);
    let long = crate::project::entry("Long", "");
    let short = crate::project::entry("Short", ", \"context\": 100").replace("M/run/*", "M/short/*");
    project.write("data/set/M/evals.json", format!("[{long}, {short}]"));
    project.write("data/set/M/run/a.ndjson", record("b", "{}", ""));
    project.write("data/set/M/short/a.ndjson", record("b", "{}", ""));
    let runs = |identity: &str| {
        let found: ModelInfo = project.document(&["modelinfo", "data/d.json", "--eval-id", identity]);
        found.runs.unwrap().iter().map(|run| run.run.clone()).collect::<Vec<_>>()
    };
    project.evaluate("data/d.json");
    assert_eq!((runs("m+t+s"), runs("m+t+s+ctx100")), (vec!["run".to_owned()], vec!["short".to_owned()]));
    // A context that only `evaluate` was told.
    project.write("data/set/M/evals.json", format!("[{long}]"));
    project.evaluate_with(&["--dataset", project.path("data/d.json").to_str().unwrap(), "--context", "50"]);
    assert_eq!(runs("m+t+s+ctx50"), ["run"]);
}

#[test]
fn of_loose_files() {
    let project = Project::empty();
    project.write("here/a.ndjson", record("b", "{}", ",\"prompt_tokens\":7,\"completion_tokens\":35"));
    let (files, db) = (project.path("here/*.ndjson"), project.path("loose.db"));
    project.evaluate_with(&["--interview", files.to_str().unwrap(), "--db", db.to_str().unwrap()]);
    insta::assert_snapshot!(project.analyze(&["modelinfo", "loose.db", "--eval-id", "34c4dc"]), @"
    exit code 0
    ----- stdout
    field         value
    eval_id       34c4dc
    label         m (t, s)
    model         m
    template      t
    sampler       s
    files         1
    records       1
    duplicates    0
    malformed     0
    foreign       0
    points        1
    samples       1
    truncated     0.0 %
    errors        0
    tokens spent  42
    mean tokens   35

    Tasks
    base_task  points  samples  truncated  tokens spent
    b               1        1      0.0 %            42
    ");
}

/// Runs that are not extracted are told of from their blobs, with their metadata.
#[test]
fn runs_in_blobs() {
    let project = Project::with_fixtures();
    let told =
        |eval_id: &str| project.analyze(&["modelinfo", "data/r12.json", "--eval-id", eval_id, "--format", "json"]);
    let expected = fixtures().expected();
    let eval_ids: Vec<&str> =
        expected.cohorts.iter().flat_map(|cohort| &cohort.evaluations).map(|eval| eval.eval_id.as_str()).collect();
    let before: Vec<_> = eval_ids.iter().map(|id| told(id)).collect();
    assert!(before.iter().all(|run| run.code == Some(0)));
    project.pack_away();
    let after: Vec<_> = eval_ids.iter().map(|id| told(id)).collect();
    assert!(after == before);
}

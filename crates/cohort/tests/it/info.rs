//! `cohort info`: the evaluations of a cohort, their runs, and what belongs to none.

use std::collections::BTreeMap;

use rs_fixtures::{Expected, ExpectedCohort, ExpectedEvaluation};
use serde::Deserialize;

use crate::project::{Project, Run, entry, record};

/// The document `cohort.info/1`, by its own definition: a key that is not here is a change of the format.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Info {
    schema: String,
    path: String,
    evaluations: Vec<Evaluation>,
    unmatched_runs: Vec<String>,
    unmatched_files: Vec<String>,
    empty_evaluations: Vec<String>,
    unclaimed: Vec<Unclaimed>,
    malformed: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Evaluation {
    eval_id: String,
    label: String,
    model: String,
    template: String,
    sampler: String,
    context: Option<u64>,
    groups: Vec<String>,
    tags: Vec<String>,
    hf_id: Option<String>,
    glob: String,
    files: u64,
    records: u64,
    runs: Vec<RunRow>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunRow {
    run: String,
    files: u64,
    bytes: u64,
    records: u64,
    first_timestamp: Option<String>,
    last_timestamp: Option<String>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unclaimed {
    model: String,
    template: String,
    sampler: String,
    records: u64,
}

fn unclaimed(model: &str, template: &str, sampler: &str, records: u64) -> Unclaimed {
    Unclaimed { model: model.into(), template: template.into(), sampler: sampler.into(), records }
}

/// A time as the model writes it, to the microsecond.
fn to_microseconds(time: &str) -> String {
    let time = time.trim_end_matches('Z');
    let (seconds, fraction) = time.split_once('.').unwrap_or((time, ""));
    format!("{seconds}.{fraction:0<6}Z")
}

fn first(runs: &[RunRow]) -> Option<String> {
    runs.iter().filter_map(|run| run.first_timestamp.as_deref()).map(to_microseconds).min()
}

fn last(runs: &[RunRow]) -> Option<String> {
    runs.iter().filter_map(|run| run.last_timestamp.as_deref()).map(to_microseconds).max()
}

fn check_evaluation(found: &Evaluation, expected: &ExpectedEvaluation) {
    assert_eq!(found.eval_id, expected.eval_id);
    assert_eq!(found.label, expected.label);
    assert_eq!(
        (&found.model, &found.template, &found.sampler),
        (&expected.model, &expected.template, &expected.sampler)
    );
    assert_eq!(found.context, expected.context);
    assert_eq!((&found.groups, &found.tags), (&expected.groups, &expected.tags));
    assert_eq!(found.hf_id.as_deref(), Some(expected.hf_id.as_str()));
    assert_eq!(found.glob, expected.glob);
    assert_eq!(found.files, expected.n_files);
    assert_eq!(found.records, expected.n_records);
    assert_eq!(found.runs.iter().map(|run| run.bytes).sum::<u64>(), expected.source_bytes);
    assert_eq!(first(&found.runs), expected.first_timestamp);
    assert_eq!(last(&found.runs), expected.last_timestamp);
}

/// That the runs of a cohort are those of the model: each with its files and bytes, under the evaluations whose globs
/// match it, and with no record that is not somewhere.
fn check_runs(info: &Info, expected: &ExpectedCohort) {
    for run in &expected.runs {
        let name = run.path.strip_prefix(&format!("{}/", expected.path)).unwrap();
        let ids = info.evaluations.iter().filter(|row| row.runs.iter().any(|run| run.run == name));
        let ids: Vec<&String> = ids.map(|evaluation| &evaluation.eval_id).collect();
        assert_eq!(ids, run.eval_ids.iter().collect::<Vec<_>>(), "{name}");
        assert_eq!(info.unmatched_runs.iter().any(|unmatched| unmatched == name), run.eval_ids.is_empty(), "{name}");
        // Evaluations of one identity have the same records.
        let mut of_identities = BTreeMap::new();
        for evaluation in &info.evaluations {
            if let Some(row) = evaluation.runs.iter().find(|run| run.run == name) {
                assert_eq!((row.files, row.bytes), (run.n_files, run.bytes), "{name}");
                of_identities.insert((&evaluation.model, &evaluation.template, &evaluation.sampler), row);
            }
        }
        if of_identities.is_empty() {
            continue;
        }
        assert_eq!(of_identities.values().map(|row| row.records).sum::<u64>(), run.n_records, "{name}");
        let times = |of: fn(&RunRow) -> &Option<String>| {
            of_identities.values().filter_map(|row| of(row).as_deref()).map(to_microseconds).collect::<Vec<_>>()
        };
        assert_eq!(times(|row| &row.first_timestamp).into_iter().min(), run.first_timestamp, "{name}");
        assert_eq!(times(|row| &row.last_timestamp).into_iter().max(), run.last_timestamp, "{name}");
    }
    let n_runs: usize = info.evaluations.iter().map(|evaluation| evaluation.runs.len()).sum();
    assert_eq!(n_runs, expected.runs.iter().map(|run| run.eval_ids.len()).sum::<usize>());
}

fn check_cohort(project: &Project, expected: &Expected, name: &str, stray: &[(&str, Unclaimed)]) {
    let expected = expected.cohorts.iter().find(|cohort| cohort.name == name).unwrap();
    let info: Info = project.document(&["info", &expected.path]);
    assert_eq!((info.schema.as_str(), info.path.as_str()), ("cohort.info/1", expected.path.as_str()));
    assert_eq!(info.evaluations.len(), expected.evaluations.len());
    for (found, expected) in info.evaluations.iter().zip(&expected.evaluations) {
        check_evaluation(found, expected);
    }
    check_runs(&info, expected);
    assert_eq!(info.unmatched_runs, stray.iter().map(|(run, _)| *run).collect::<Vec<_>>());
    assert_eq!(info.unclaimed.iter().collect::<Vec<_>>(), stray.iter().map(|(_, records)| records).collect::<Vec<_>>());
    assert_eq!((info.unmatched_files.len(), info.empty_evaluations.len(), info.malformed), (0, 0, 0));
}

#[test]
fn every_number_is_that_of_the_model() {
    let (project, expected) = Project::with_fixtures();
    check_cohort(&project, &expected, "Qwen3-32B", &[]);
    check_cohort(&project, &expected, "GPT-OSS-120B", &[]);
    check_cohort(&project, &expected, "Llama-Nemotron-Super-49B", &[]);
    // A trial that no evaluation lists.
    let stray = "2026-01-05_09-30-00_trial_Seed-OSS-36B-fp8_think_t1.1-p0.95-8k";
    let records = unclaimed("Seed-OSS-36B-fp8", "think", "t1.1-p0.95-8k", 8);
    check_cohort(&project, &expected, "Seed-OSS-36B", &[(stray, records)]);
}

#[test]
fn for_people() {
    let (project, _) = Project::with_fixtures();
    insta::assert_snapshot!(project.cohort(&["info", "data/r12/Qwen3-32B"]), @"
    exit code 0
    ----- stdout
    eval_id  label                           model           template         sampler         groups                                                            tags                             hf_id               runs  files  records
    44fa2d   Qwen3-32B (fp16, thinking)      Qwen3-32B-fp16  think            t0.6-p0.95-16k  family:qwen3 arch:dense size:mid quant:fp16 ctx:16k thinking:on   leaderboard open-weights         Qwen/Qwen3-32B         3     14      308
    9bed34   Qwen3-32B (fp16, thinking, 8k)  Qwen3-32B-fp16  think            t0.6-p0.95-16k  family:qwen3 arch:dense size:mid quant:fp16 ctx:8k thinking:on    open-weights context-study       Qwen/Qwen3-32B         3     14      308
    e67944   Qwen3-32B (fp16, no thinking)   Qwen3-32B-fp16  zerocot-nothink  greedy-16k      family:qwen3 arch:dense size:mid quant:fp16 ctx:16k thinking:off  leaderboard open-weights         Qwen/Qwen3-32B         2     12      272
    f2c9cf   Qwen3-32B (AWQ int4, thinking)  Qwen3-32B-awq   think            t0.6-p0.95-16k  family:qwen3 arch:dense size:mid quant:awq ctx:16k thinking:on    open-weights quantisation-study  Qwen/Qwen3-32B-AWQ     1      1      284

    Run folders
    eval_id  run                                                                  files      bytes  records  first       last
    44fa2d   2026-01-14_09-30-00_r12-a_Qwen3-32B-fp16_think_t0.6-p0.95-16k            6  280.25 kB      144  2026-01-14  2026-01-14
    44fa2d   2026-01-14_18-05-12_r12-b_Qwen3-32B-fp16_think_t0.6-p0.95-16k            6  291.60 kB      128  2026-01-14  2026-01-14
    44fa2d   2026-01-20_09-30-00_r12-more_Qwen3-32B-fp16_think_t0.6-p0.95-16k         2   39.30 kB       36  2026-01-14  2026-01-20
    9bed34   2026-01-14_09-30-00_r12-a_Qwen3-32B-fp16_think_t0.6-p0.95-16k            6  280.25 kB      144  2026-01-14  2026-01-14
    9bed34   2026-01-14_18-05-12_r12-b_Qwen3-32B-fp16_think_t0.6-p0.95-16k            6  291.60 kB      128  2026-01-14  2026-01-14
    9bed34   2026-01-20_09-30-00_r12-more_Qwen3-32B-fp16_think_t0.6-p0.95-16k         2   39.30 kB       36  2026-01-14  2026-01-20
    e67944   2026-01-12_09-30-00_r12-a_Qwen3-32B-fp16_zerocot-nothink_greedy-16k      6  230.01 kB      144  2026-01-12  2026-01-12
    e67944   2026-01-12_18-05-12_r12-b_Qwen3-32B-fp16_zerocot-nothink_greedy-16k      6  322.68 kB      128  2026-01-12  2026-01-12
    f2c9cf   2026-01-22_09-30-00_r12_Qwen3-32B-awq_think_t0.6-p0.95-16k               1  594.23 kB      284  2026-01-22  2026-01-22
    ");
    insta::assert_snapshot!(project.cohort(&["info", "data/r12/Seed-OSS-36B", "--format", "markdown"]), @"
    exit code 0
    ----- stdout
    | eval_id | label | model | template | sampler | groups | tags | hf_id | runs | files | records |
    | --- | --- | --- | --- | --- | --- | --- | --- | ---: | ---: | ---: |
    | 8db262 | Seed-OSS-36B (fp16, thinking) | Seed-OSS-36B-fp16 | think | t1.1-p0.95-32k | family:seed-oss arch:dense size:mid quant:fp16 ctx:32k thinking:on | leaderboard open-weights | ByteDance-Seed/Seed-OSS-36B-Instruct | 3 | 18 | 272 |
    | 11ea6f | Seed-OSS-36B (fp16, thinking, greedy) | Seed-OSS-36B-fp16 | think | greedy-32k | family:seed-oss arch:dense size:mid quant:fp16 ctx:32k thinking:on | open-weights sampler-study | ByteDance-Seed/Seed-OSS-36B-Instruct | 1 | 6 | 144 |
    | 8efc6f | Seed-OSS-36B (int4, thinking) | Seed-OSS-36B-int4 | think | t1.1-p0.95-32k | family:seed-oss arch:dense size:mid quant:int4 ctx:32k thinking:on | open-weights quantisation-study | ByteDance-Seed/Seed-OSS-36B-Instruct | 1 | 11 | 265 |

    **Run folders**

    | eval_id | run | files | bytes | records | first | last |
    | --- | --- | ---: | ---: | ---: | --- | --- |
    | 8db262 | 2026-01-25_09-30-00_r12-a_Seed-OSS-36B-fp16_think_t1.1-p0.95-32k | 6 | 225.64 kB | 144 | 2026-01-25 | 2026-01-25 |
    | 8db262 | 2026-01-25_18-05-12_r12-b_Seed-OSS-36B-fp16_think_t1.1-p0.95-32k | 6 | 277.22 kB | 128 | 2026-01-25 | 2026-01-25 |
    | 8db262 | 2026-01-27_09-30-00_r12-a_Seed-OSS-36B-fp16_think_greedy-32k | 6 | 267.55 kB | 0 |  |  |
    | 11ea6f | 2026-01-27_09-30-00_r12-a_Seed-OSS-36B-fp16_think_greedy-32k | 6 | 267.55 kB | 144 | 2026-01-27 | 2026-01-27 |
    | 8efc6f | 2026-01-29_09-30-00_r12_Seed-OSS-36B-int4_think_t1.1-p0.95-32k | 11 | 543.88 kB | 265 | 2026-01-29 | 2026-01-29 |

    **Belongs to none**

    | what | which |
    | --- | --- |
    | run folder without evaluation | 2026-01-05_09-30-00_trial_Seed-OSS-36B-fp8_think_t1.1-p0.95-8k |
    | records without evaluation | 8 of Seed-OSS-36B-fp8+think+t1.1-p0.95-8k |
    ");
    insta::assert_snapshot!(project.cohort(&["info", "data/r12/GPT-OSS-120B", "--format", "csv"]), @"
    exit code 0
    ----- stdout
    eval_id,label,model,template,sampler,groups,tags,hf_id,runs,files,records
    567291,GPT-OSS-120B (high effort),GPT-OSS-120B,harmony-high,t1.0-p1.0-32k,family:gpt-oss arch:moe size:large quant:mxfp4 ctx:32k thinking:on effort:high,leaderboard open-weights,openai/gpt-oss-120b,3,14,308
    035143,GPT-OSS-120B (low effort),GPT-OSS-120B,harmony-low,t1.0-p1.0-32k,family:gpt-oss arch:moe size:large quant:mxfp4 ctx:32k thinking:on effort:low,leaderboard open-weights,openai/gpt-oss-120b,2,12,272
    ");
}

/// A cohort in which not everything belongs together.
fn odd() -> Project {
    let project = Project::empty();
    let entries = [
        entry("m", "data/set/M/2026_*/?.*", ""),
        entry("no-files", "data/set/M/nothing_*/*", ", \"context\": 8192"),
        entry("no-records", "data/set/M/2026_*/?.*", ""),
    ];
    project.write("data/set/M/evals.json", format!("[{}]", entries.join(",\n")));
    project.write("data/set/M/2026_a/0.ndjson", record("m", ",\"timestamp\":\"2026-01-02T03:04:05\"").repeat(2));
    project.write(
        "data/set/M/2026_a/1.jsonl",
        record("x", "") + &record("m", ",\"timestamp\":\"2025-12-31T23:00:00-02:00\""),
    );
    project.write("data/set/M/2026_a/metadata.json", "{}");
    project.write("data/set/M/2026_a/notes.txt", "not a record");
    project.write("data/set/M/2026_b/0.ndjson", record("y\\u0041", ""));
    project.write("data/set/M/stray/0.ndjson", record("x", "").repeat(3));
    project.write("data/set/M/2026_b/not-matched.ndjson", record("m", ""));
    project.write("data/set/M/loose.ndjson", record("m", ""));
    project
}

#[test]
fn what_belongs_to_none_is_told() {
    let run = odd().cohort(&["info", "data/set/M", "--format", "json"]);
    let info: Info = run.document();
    let evaluation = |at: usize| (info.evaluations[at].files, info.evaluations[at].records);
    assert_eq!([evaluation(0), evaluation(1), evaluation(2)], [(3, 3), (0, 0), (3, 0)]);
    assert_eq!(info.empty_evaluations, ["L no-files", "L no-records"]);
    assert_eq!(info.unmatched_runs, [".", "stray"]);
    assert_eq!(info.unmatched_files, ["2026_b/not-matched.ndjson"]);
    assert_eq!(info.unclaimed, [unclaimed("x", "t", "s", 4), unclaimed("yA", "t", "s", 1)]);
    let a = &info.evaluations[0].runs[0];
    assert_eq!((a.run.as_str(), a.files, a.records), ("2026_a", 2, 3));
    assert_eq!(a.first_timestamp.as_deref(), Some("2026-01-01T01:00:00Z"));
    assert_eq!(a.last_timestamp.as_deref(), Some("2026-01-02T03:04:05Z"));
    assert_eq!(info.evaluations[0].runs[1].first_timestamp, None);
    insta::assert_snapshot!(odd().cohort(&["info", "data/set/M"]), @"
    exit code 0
    ----- stdout
    eval_id  label         model       template  sampler  groups  tags  hf_id  runs  files  records
    34c4dc   L m           m           t         s                                2      3        3
    36dc73   L no-files    no-files    t         s                                0      0        0
    663e7e   L no-records  no-records  t         s                                2      3        0

    Run folders
    eval_id  run     files  bytes  records  first       last
    34c4dc   2026_a      2  452 B        3  2026-01-01  2026-01-02
    34c4dc   2026_b      1   92 B        0
    663e7e   2026_a      2  452 B        0
    663e7e   2026_b      1   92 B        0

    Belongs to none
    what                           which
    run folder without evaluation  .
    run folder without evaluation  stray
    file without evaluation        2026_b/not-matched.ndjson
    evaluation without records     L no-files
    evaluation without records     L no-records
    records without evaluation     4 of x+t+s
    records without evaluation     1 of yA+t+s
    ----- stderr
    warning: data/set/M/evals.json: entry 1 (`L no-files`): glob `data/set/M/nothing_*/*` matches no raw file
    ");
}

#[test]
fn wrong_lines_are_counted_and_end_in_exit_code_1() {
    let project = Project::small();
    project.write("data/set/M/run/a.ndjson", record("m", "") + "{\n");
    insta::assert_snapshot!(project.cohort(&["info", "data/set/M"]), @"
    exit code 1
    ----- stdout
    eval_id  label  model  template  sampler  groups  tags  hf_id  runs  files  records
    34c4dc   L m    m      t         s                                1      1        1

    Run folders
    eval_id  run  files  bytes  records  first  last
    34c4dc   run      1   88 B        1
    ----- stderr
    warning: 1 malformed line; `cohort validate data/set/M` shows what is wrong
    ");
    project.write("data/set/M/run/b.ndjson", "x\n\n[]\n");
    let run: Run = project.cohort(&["info", "data/set/M", "--format", "json"]);
    assert_eq!(run.document::<Info>().malformed, 3);
    insta::assert_snapshot!(run.stderr, @"warning: 3 malformed lines; `cohort validate data/set/M` shows what is wrong");
}

#[test]
fn unknown_keys_are_told() {
    let project = Project::empty();
    project.write("data/set/M/evals.json", format!("[{}]", entry("m", "data/set/M/run/*", ", \"lable\": 1")));
    project.write("data/set/M/run/a.ndjson", record("m", ""));
    insta::assert_snapshot!(project.cohort(&["info", "data/set/M"]), @"
    exit code 0
    ----- stdout
    eval_id  label  model  template  sampler  groups  tags  hf_id  runs  files  records
    34c4dc   L m    m      t         s                                1      1        1

    Run folders
    eval_id  run  files  bytes  records  first  last
    34c4dc   run      1   86 B        1
    ----- stderr
    warning: data/set/M/evals.json: unknown key `[0].lable` is ignored
    ");
}

//! `analyze evals`: who there is, and the sums over each one's points.

use rs_fixtures::{Expected, ExpectedEvaluation};
use serde::Deserialize;

use crate::model::{self, IsMeant, check_near, has_group};
use crate::project::{Project, fixtures, record};

/// The document `analyze.evals/1`, by its own definition: a key that is not here is a change of the format.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Evals {
    schema: String,
    evals: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    eval_id: String,
    label: String,
    model: String,
    template: String,
    sampler: String,
    context: Option<u64>,
    hf_id: Option<String>,
    groups: Vec<String>,
    tags: Vec<String>,
    points: u64,
    samples: u64,
    truncated_ratio: Option<f64>,
    mean_tokens: Option<f64>,
    errors: u64,
}

impl Evals {
    pub(crate) fn ids(&self) -> Vec<&str> {
        self.evals.iter().map(|row| row.eval_id.as_str()).collect()
    }

    pub(crate) fn points(&self) -> u64 {
        self.evals.iter().map(|row| row.points).sum()
    }
}

fn check_identity(found: &Row, expected: &ExpectedEvaluation) {
    let Row { label, model, template, sampler, context, hf_id, groups, tags, .. } = found;
    assert_eq!(found.eval_id, expected.eval_id);
    assert_eq!(
        [label, model, template, sampler],
        [&expected.label, &expected.model, &expected.template, &expected.sampler]
    );
    assert_eq!((*context, hf_id.as_deref()), (expected.context, Some(expected.hf_id.as_str())));
    assert_eq!((groups, tags), (&expected.groups, &expected.tags));
}

/// That `analyze evals` with these arguments says what the model says of the points that are meant; returns how many
/// points these are.
#[track_caller]
pub(crate) fn check(project: &Project, expected: &Expected, arguments: &[&str], is_meant: IsMeant<'_>) -> u64 {
    let found: Evals = project.document(&[&["evals", "data/r12.json"], arguments].concat());
    assert_eq!(found.schema, "analyze.evals/1");
    let expected = model::evals(expected, is_meant);
    let ids: Vec<&str> = expected.iter().map(|(evaluation, _)| evaluation.eval_id.as_str()).collect();
    assert_eq!(found.ids(), ids, "{arguments:?}");
    for (found, (evaluation, sums)) in found.evals.iter().zip(&expected) {
        let what = format!("{} with {arguments:?}", found.eval_id);
        check_identity(found, evaluation);
        assert_eq!((found.points, found.samples, found.errors), (sums.points, sums.samples, sums.errors), "{what}");
        check_near(&what, found.truncated_ratio, sums.truncated_ratio(), 1e-12);
        check_near(&what, found.mean_tokens, sums.mean_tokens(), 1e-9);
    }
    found.points()
}

#[test]
fn every_number_is_that_of_the_model() {
    let (project, expected) = (Project::shared(), fixtures().expected());
    assert_eq!(check(project, &expected, &[], &|_, _| true), 714);
    for evaluation in expected.evaluations() {
        let sums = model::Sums::of(&evaluation.points);
        assert_eq!(
            (sums.points, sums.samples, sums.errors),
            (evaluation.n_points, evaluation.n_samples, evaluation.n_errors)
        );
        assert_eq!(sums.truncated, evaluation.totals.truncated);
    }
}

#[test]
fn mean_tokens_are_over_trials_that_tell_them() {
    let tokens = |tokens: u32| format!(",\"completion_tokens\":{tokens}");
    // 10 of two trials at one point, 40 of one and 1000 of a truncated one at the other.
    let records = record("b", "{\"n\":1}", &tokens(10))
        + &record("b", "{\"n\":1}", "")
        + &record("b", "{\"n\":2}", &tokens(40))
        + &record("b", "{\"n\":2}", &(tokens(1000) + ",\"truncated\":true"));
    let found: Evals = Project::with_records(&records).document(&["evals", "data/d.json"]);
    assert_eq!(found.evals[0].mean_tokens, Some(25.0));
}

#[test]
fn search_finds_all_words_in_any_case_wherever_they_stand() {
    let (project, expected) = (Project::shared(), fixtures().expected());
    let check = |search: &str, ids: &[&str]| {
        let found: Evals = project.document(&["evals", "data/r12.json", "--search", search]);
        let mut found = found.ids();
        found.sort_unstable();
        assert_eq!(found, ids, "{search}");
    };
    // Id, label, model, template, sampler, group, tag, hf_id.
    check("44FA2D", &["44fa2d"]);
    check("(awq INT4", &["f2c9cf"]);
    check("v1.5", &["14eb25", "afbafa"]);
    check("HARMONY-high", &["567291"]);
    check("greedy-32k", &["11ea6f"]);
    check("effort:LOW", &["035143"]);
    check("quantisation-study", &["8efc6f", "f2c9cf"]);
    check("openai/", &["035143", "567291"]);
    // All words, in any order, in different fields.
    check("  think  greedy  seed ", &["11ea6f"]);
    check("qwen nothink leaderboard", &["e67944"]);
    let all: Vec<&str> = model::evals(&expected, &|_, _| true).iter().map(|(eval, _)| eval.eval_id.as_str()).collect();
    let mut all = all;
    all.sort_unstable();
    check("", &all);
}

#[test]
fn groups_are_alternatives_of_groups_that_must_all_be_there() {
    let (project, expected) = (Project::shared(), fixtures().expected());
    check(project, &expected, &["--groups", "arch:moe"], &|eval, _| has_group(eval, "arch:moe"));
    check(project, &expected, &["--groups", "size:mid, quant:awq"], &|eval, _| {
        has_group(eval, "size:mid") && has_group(eval, "quant:awq")
    });
    check(project, &expected, &["--groups", "arch:moe", "--groups", "thinking:off,size:mid"], &|eval, _| {
        has_group(eval, "arch:moe") || has_group(eval, "thinking:off") && has_group(eval, "size:mid")
    });
    // With everything else at a time.
    let arguments = [
        "--groups",
        "thinking:on",
        "--search",
        "QWEN",
        "--where",
        "base_task=sort",
        "--filters",
        r#"{"tags": "open-weights"}"#,
    ];
    check(project, &expected, &arguments, &|eval, point| {
        has_group(eval, "thinking:on") && eval.cohort == "Qwen3-32B" && point.base_task == "sort"
    });
}

#[test]
fn for_people() {
    let project = Project::shared();
    insta::assert_snapshot!(project.analyze(&["evals", "data/r12.json", "--search", "seed"]), @"
    exit code 0
    ----- stdout
    eval_id  label                                  model              template  sampler         groups                                                              tags                             points  samples  truncated  mean tokens
    8db262   Seed-OSS-36B (fp16, thinking)          Seed-OSS-36B-fp16  think     t1.1-p0.95-32k  family:seed-oss arch:dense size:mid quant:fp16 ctx:32k thinking:on  leaderboard open-weights             68      262      2.3 %        6,416
    11ea6f   Seed-OSS-36B (fp16, thinking, greedy)  Seed-OSS-36B-fp16  think     greedy-32k      family:seed-oss arch:dense size:mid quant:fp16 ctx:32k thinking:on  open-weights sampler-study           36      144      3.5 %        6,281
    8efc6f   Seed-OSS-36B (int4, thinking)          Seed-OSS-36B-int4  think     t1.1-p0.95-32k  family:seed-oss arch:dense size:mid quant:int4 ctx:32k thinking:on  open-weights quantisation-study      66      264      2.7 %        7,058
    ");
    insta::assert_snapshot!(project.analyze(&["evals", "data/r12.json", "--format", "markdown", "--groups", "arch:moe"]), @"
    exit code 0
    ----- stdout
    | eval_id | label | model | template | sampler | groups | tags | points | samples | truncated | mean tokens |
    | --- | --- | --- | --- | --- | --- | --- | ---: | ---: | ---: | ---: |
    | 567291 | GPT-OSS-120B (high effort) | GPT-OSS-120B | harmony-high | t1.0-p1.0-32k | family:gpt-oss arch:moe size:large quant:mxfp4 ctx:32k thinking:on effort:high | leaderboard open-weights | 68 | 281 | 1.1 % | 5,481 |
    | 035143 | GPT-OSS-120B (low effort) | GPT-OSS-120B | harmony-low | t1.0-p1.0-32k | family:gpt-oss arch:moe size:large quant:mxfp4 ctx:32k thinking:on effort:low | leaderboard open-weights | 68 | 272 | 1.8 % | 873 |
    ");
    insta::assert_snapshot!(project.analyze(&["evals", "data/r12.json", "--format", "csv", "--search", "fp16 8k"]), @r#"
    exit code 0
    ----- stdout
    eval_id,label,model,template,sampler,groups,tags,points,samples,truncated,mean tokens
    9bed34,"Qwen3-32B (fp16, thinking, 8k)",Qwen3-32B-fp16,think,t0.6-p0.95-16k,family:qwen3 arch:dense size:mid quant:fp16 ctx:8k thinking:on,open-weights context-study,68,282,0.21631205673758866,2484
    "#);
}

#[test]
fn nothing_found_is_said_and_no_failure() {
    let project = Project::shared();
    insta::assert_snapshot!(project.analyze(&["evals", "data/r12.json", "--search", "qwen gpt"]), @"
    exit code 0
    ----- stdout
    eval_id  label  model  template  sampler  groups  tags  points  samples  truncated  mean tokens
    ----- stderr
    note: no evaluation matches
    ");
    insta::assert_snapshot!(project.analyze(&["evals", "data/r12.json", "--where", "model=GPT-OSS-120B", "--where", "eval_id=44fa2d"]), @"
    exit code 0
    ----- stdout
    eval_id  label  model  template  sampler  groups  tags  points  samples  truncated  mean tokens
    ----- stderr
    note: no evaluation matches
    ");
    insta::assert_snapshot!(project.analyze(&["evals", "data/r12.json", "--search", "zz", "-q", "--format", "json"]), @r#"
    exit code 0
    ----- stdout
    {
      "schema": "analyze.evals/1",
      "evals": []
    }
    "#);
}

#[test]
fn groups_that_nobody_has() {
    let project = Project::shared();
    insta::assert_snapshot!(project.analyze(&["evals", "data/r12.json", "--groups", "arch:mo"]), @"
    exit code 2
    ----- stderr
    error: nothing here has `groups` = `arch:mo`
    hint: did you mean `arch:moe`?
    ");
    insta::assert_snapshot!(project.analyze(&["evals", "data/r12.json", "--groups", "arch:moe,zzz"]), @"
    exit code 2
    ----- stderr
    error: nothing here has `groups` = `zzz`
    hint: known: arch:dense, arch:moe, ctx:16k, ctx:32k, ctx:8k, effort:high, effort:low, family:gpt-oss, family:llama-nemotron, family:qwen3, family:seed-oss, quant:awq and 7 more
    ");
}

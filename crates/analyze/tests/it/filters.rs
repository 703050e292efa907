//! `--filters` and `--where`: every key in every form gives what filtering the model by hand gives.

use rs_fixtures::{ExpectedEvaluation, ExpectedPoint};
use serde_json::{Value, json};

use crate::evals::Evals;
use crate::model::{has_group, has_tag, number, param};
use crate::project::{Project, Run, fixtures};
use crate::{evals, tasks};

type Case<'a> = (&'a str, fn(&ExpectedEvaluation, &ExpectedPoint) -> bool);

/// That both commands, told the same by `option`, say what the model says; and that every case selects something, and
/// leaves something out.
#[track_caller]
fn check_cases(option: &str, cases: &[Case<'_>]) {
    let (project, expected) = (Project::shared(), fixtures().expected());
    for (typed, is_meant) in cases {
        let arguments = [option, typed];
        let n_points = evals::check(project, &expected, &arguments, is_meant);
        assert!((1..714).contains(&n_points), "{typed}: {n_points} points");
        assert_eq!(tasks::check(project, &expected, &arguments, is_meant), n_points, "{typed}");
    }
}

fn length(point: &ExpectedPoint) -> f64 {
    number(point, "length").unwrap_or(f64::NAN)
}

fn is_one_of(value: &str, these: &[&str]) -> bool {
    these.contains(&value)
}

#[test]
fn columns() {
    check_cases(
        "--filters",
        &[
            (r#"{"eval_id": "44fa2d"}"#, |eval, _| eval.eval_id == "44fa2d"),
            (r#"{"eval_id": ["44fa2d", "F2C9CF"]}"#, |eval, _| is_one_of(&eval.eval_id, &["44fa2d", "f2c9cf"])),
            (r#"{"eval_id": "Qwen3-32B-fp16+think+t0.6-p0.95-16k"}"#, |eval, _| eval.eval_id == "44fa2d"),
            (r#"{"eval_id": "Qwen3-32B-fp16+think+t0.6-p0.95-16k+ctx8192"}"#, |eval, _| eval.eval_id == "9bed34"),
            (r#"{"base_task": "arithmetic"}"#, |_, point| point.base_task == "arithmetic"),
            (r#"{"base_task": ["sort", "tables"]}"#, |_, point| is_one_of(&point.base_task, &["sort", "tables"])),
            (r#"{"model": "Seed-OSS-36B-fp16"}"#, |eval, _| eval.model == "Seed-OSS-36B-fp16"),
            (r#"{"template": ["harmony-low", "zerocot-nothink"]}"#, |eval, _| {
                is_one_of(&eval.template, &["harmony-low", "zerocot-nothink"])
            }),
            (r#"{"sampler": "greedy-16k"}"#, |eval, _| eval.sampler == "greedy-16k"),
            (r#"{"model": "Seed-OSS-36B-fp16", "sampler": "greedy-32k", "base_task": "dates"}"#, |eval, point| {
                eval.eval_id == "11ea6f" && point.base_task == "dates"
            }),
        ],
    );
}

#[test]
fn a_longer_prefix_of_the_hash_names_an_evaluation() {
    let (project, expected) = (Project::shared(), fixtures().expected());
    let hash = blake3::hash(b"Qwen3-32B-fp16+think+t0.6-p0.95-16k").to_hex().to_string();
    assert_eq!(&hash[..6], "44fa2d");
    for digits in [7, 12, 64] {
        for typed in [hash[..digits].to_owned(), hash[..digits].to_uppercase()] {
            evals::check(project, &expected, &["--where", &format!("eval_id={typed}")], &|eval, _| {
                eval.eval_id == "44fa2d"
            });
        }
    }
    // One digit too many, one that is wrong, one too few.
    let wrong = format!("{}{}", &hash[..9], if hash.as_bytes()[9] == b'0' { '1' } else { '0' });
    for typed in [hash.clone() + "0", wrong, hash[..5].to_owned()] {
        let run = project.analyze(&["evals", "data/r12.json", "--where", &format!("eval_id={typed}")]);
        let error = format!("error: nothing here has `eval_id` = `{typed}`\n");
        assert!(run.code == Some(2) && run.stderr.starts_with(&error), "{run}");
    }
}

#[test]
fn marks() {
    check_cases(
        "--filters",
        &[
            (r#"{"tags": "leaderboard"}"#, |eval, _| has_tag(eval, "leaderboard")),
            (r#"{"tags": ["sampler-study", "context-study"]}"#, |eval, _| {
                has_tag(eval, "sampler-study") || has_tag(eval, "context-study")
            }),
            (r#"{"tags": "open-weights,quantisation-study"}"#, |eval, _| has_tag(eval, "quantisation-study")),
            (r#"{"tags": [["leaderboard", "open-weights"], "sampler-study"]}"#, |eval, _| {
                has_tag(eval, "leaderboard") || has_tag(eval, "sampler-study")
            }),
            (r#"{"groups": "arch:moe"}"#, |eval, _| has_group(eval, "arch:moe")),
            (r#"{"groups": ["arch:moe", "quant:int4"]}"#, |eval, _| {
                has_group(eval, "arch:moe") || has_group(eval, "quant:int4")
            }),
            (r#"{"groups": ["arch:dense,thinking:off"]}"#, |eval, _| {
                has_group(eval, "arch:dense") && has_group(eval, "thinking:off")
            }),
            (r#"{"groups": ["effort:low", ["size:mid", "ctx:8k"], "family:seed-oss,quant:int4"]}"#, |eval, _| {
                has_group(eval, "effort:low")
                    || has_group(eval, "size:mid") && has_group(eval, "ctx:8k")
                    || has_group(eval, "family:seed-oss") && has_group(eval, "quant:int4")
            }),
            (r#"{"groups": "thinking:on", "tags": "leaderboard", "base_task": "cars"}"#, |eval, point| {
                has_group(eval, "thinking:on") && has_tag(eval, "leaderboard") && point.base_task == "cars"
            }),
        ],
    );
}

#[test]
fn params() {
    check_cases(
        "--filters",
        &[
            (r#"{"params.length": 4}"#, |_, point| length(point) == 4.0),
            (r#"{"params.length": 4.0}"#, |_, point| length(point) == 4.0),
            (r#"{"params.length": [4, 80]}"#, |_, point| length(point) == 4.0 || length(point) == 80.0),
            (r#"{"params.length": {">=": 32}}"#, |_, point| length(point) >= 32.0),
            (r#"{"params.length": {">": 4, "<": 64}}"#, |_, point| length(point) > 4.0 && length(point) < 64.0),
            (r#"{"params.length": {">=": 6, "<=": 12}}"#, |_, point| length(point) >= 6.0 && length(point) <= 12.0),
            (r#"{"params.distractors": {"<": 0.5}}"#, |_, point| {
                number(point, "distractors").is_some_and(|value| value < 0.5)
            }),
            (r#"{"params.distractors": [0.1, 6]}"#, |_, point| {
                [json!(0.1), json!(6)].contains(&param(point, "distractors"))
            }),
            (r#"{"params.notation": "python"}"#, |_, point| param(point, "notation") == "python"),
            (r#"{"params.format": ["iso", "eu"]}"#, |_, point| param(point, "format").is_string()),
            (r#"{"params.reverse": true}"#, |_, point| param(point, "reverse") == true),
            (r#"{"params.reverse": [true, false]}"#, |_, point| param(point, "reverse").is_boolean()),
            (r#"{"params.reverse": null}"#, |_, point| param(point, "reverse").is_null()),
            (r#"{"params.notation": ["python", null], "params.length": 64}"#, |_, point| {
                length(point) == 64.0 && (param(point, "notation") == "python" || param(point, "notation").is_null())
            }),
            (r#"{"params.length": 32, "params.max_depth": {"<": 4}, "base_task": "arithmetic"}"#, |_, point| {
                point.base_task == "arithmetic"
                    && length(point) == 32.0
                    && number(point, "max_depth").is_some_and(|depth| depth < 4.0)
            }),
        ],
    );
}

#[test]
fn manifolds_and_facets() {
    check_cases(
        "--filters",
        &[
            (r#"{"manifold.target_tokens": 1000}"#, |_, point| point.target_tokens == Some(1000)),
            (r#"{"manifold.target_tokens": {">": 1000}}"#, |_, point| point.target_tokens > Some(1000)),
            (r#"{"manifold.target_tokens": null}"#, |_, point| point.target_tokens.is_none()),
            (r#"{"manifold.id": ["tables-1000", "sort-grid"]}"#, |_, point| {
                is_one_of(point.manifold_id.as_deref().unwrap_or_default(), &["tables-1000", "sort-grid"])
            }),
            (r#"{"manifold.id": null}"#, |_, point| point.manifold_id.is_none()),
            (r#"{"facets.arch": "moe"}"#, |eval, _| has_group(eval, "arch:moe")),
            (r#"{"facets.quant": ["awq", "int4"]}"#, |eval, _| {
                has_group(eval, "quant:awq") || has_group(eval, "quant:int4")
            }),
            (r#"{"facets.effort": null, "facets.thinking": "on"}"#, |eval, _| {
                !has_group(eval, "effort:low") && !has_group(eval, "effort:high") && has_group(eval, "thinking:on")
            }),
        ],
    );
}

#[test]
fn one_condition_at_a_time() {
    check_cases(
        "--where",
        &[
            ("eval_id=44fa2d|9bed34", |eval, _| is_one_of(&eval.eval_id, &["44fa2d", "9bed34"])),
            ("base_task=arithmetic", |_, point| point.base_task == "arithmetic"),
            ("base_task == arithmetic | sort", |_, point| is_one_of(&point.base_task, &["arithmetic", "sort"])),
            ("base_task!=arithmetic|sort", |_, point| !is_one_of(&point.base_task, &["arithmetic", "sort"])),
            ("eval_id!=44fa2d", |eval, _| eval.eval_id != "44fa2d"),
            ("model!=GPT-OSS-120B", |eval, _| eval.model != "GPT-OSS-120B"),
            ("tags=leaderboard", |eval, _| has_tag(eval, "leaderboard")),
            ("tags=sampler-study|context-study", |eval, _| {
                has_tag(eval, "sampler-study") || has_tag(eval, "context-study")
            }),
            ("groups=arch:dense,thinking:off|effort:low", |eval, _| {
                has_group(eval, "arch:dense") && has_group(eval, "thinking:off") || has_group(eval, "effort:low")
            }),
            ("params.length=4", |_, point| length(point) == 4.0),
            ("params.length!=4", |_, point| length(point) != 4.0),
            ("params.length=4|80", |_, point| length(point) == 4.0 || length(point) == 80.0),
            ("params.length<12", |_, point| length(point) < 12.0),
            ("params.length <= 12", |_, point| length(point) <= 12.0),
            ("params.length>32", |_, point| length(point) > 32.0),
            ("params.length>=32", |_, point| length(point) >= 32.0),
            ("params.length>=3.2e1", |_, point| length(point) >= 32.0),
            ("params.notation=python", |_, point| param(point, "notation") == "python"),
            ("params.notation=\"python\"", |_, point| param(point, "notation") == "python"),
            ("params.reverse=true", |_, point| param(point, "reverse") == true),
            ("params.reverse=null", |_, point| param(point, "reverse") == Value::Null),
            ("manifold.target_tokens>1000", |_, point| point.target_tokens > Some(1000)),
            ("facets.quant!=fp16", |eval, _| !has_group(eval, "quant:fp16")),
        ],
    );
}

#[test]
fn all_conditions_must_hold_however_they_are_given() {
    let (project, expected) = (Project::shared(), fixtures().expected());
    let arguments = [
        "--where",
        "params.length>=6",
        "--filters",
        r#"{"params.length": {"<": 64}, "tags": "leaderboard"}"#,
        "--where",
        "base_task!=sort",
        "--where",
        "facets.thinking=on",
    ];
    let n_points = evals::check(project, &expected, &arguments, &|eval, point| {
        length(point) >= 6.0
            && length(point) < 64.0
            && has_tag(eval, "leaderboard")
            && point.base_task != "sort"
            && has_group(eval, "thinking:on")
    });
    assert!(n_points > 0);
    // An empty object is no condition.
    assert_eq!(evals::check(project, &expected, &["--filters", "{}"], &|_, _| true), 714);
    // What nothing can be is no mistake, only empty.
    let nothing: Evals = project
        .analyze(&[
            "evals",
            "data/r12.json",
            "--format",
            "json",
            "--where",
            "params.length>4",
            "--where",
            "params.length<5",
        ])
        .document();
    assert_eq!(nothing.points(), 0);
}

#[track_caller]
fn refused(option: &str, typed: &str) -> String {
    let project = Project::shared();
    let run: Run = project.analyze(&["tasks", "data/r12.json", option, typed]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run}");
    let of_evals = project.analyze(&["evals", "data/r12.json", option, typed]);
    assert_eq!(of_evals, run);
    run.stderr
}

#[test]
fn json_that_is_none_or_not_an_object() {
    insta::assert_snapshot!(refused("--filters", "{bad"), @"error: --filters: column 2: key must be a string");
    insta::assert_snapshot!(refused("--filters", ""), @"error: --filters: column 0: EOF while parsing a value");
    insta::assert_snapshot!(refused("--filters", "{\"base_task\": \"sort\"} x"), @"error: --filters: column 23: trailing characters");
    insta::assert_snapshot!(refused("--filters", "[]"), @r#"error: --filters: expected one JSON object, like {"base_task": "arithmetic"}"#);
    insta::assert_snapshot!(refused("--filters", "\"arithmetic\""), @r#"error: --filters: expected one JSON object, like {"base_task": "arithmetic"}"#);
}

#[test]
fn keys_that_nothing_has() {
    insta::assert_snapshot!(refused("--filters", r#"{"basetask": "sort"}"#), @"
    error: unknown filter key `basetask`
    hint: did you mean `base_task`? known: eval_id, base_task, model, template, sampler, tags, groups, params.X, manifold.X, facets.X
    ");
    insta::assert_snapshot!(refused("--filters", r#"{"zzz": 1}"#), @"
    error: unknown filter key `zzz`
    hint: known: eval_id, base_task, model, template, sampler, tags, groups, params.X, manifold.X, facets.X
    ");
    insta::assert_snapshot!(refused("--filters", r#"{"params.": 1}"#), @"
    error: unknown filter key `params.`
    hint: known: eval_id, base_task, model, template, sampler, tags, groups, params.X, manifold.X, facets.X
    ");
    insta::assert_snapshot!(refused("--where", "length=4"), @"
    error: unknown filter key `length`
    hint: known: eval_id, base_task, model, template, sampler, tags, groups, params.X, manifold.X, facets.X
    ");
    insta::assert_snapshot!(refused("--where", "params.lenght=4"), @"
    error: nothing here has `params.lenght`
    hint: did you mean `params.length`?
    ");
    insta::assert_snapshot!(refused("--where", "params.zzz>4"), @"
    error: nothing here has `params.zzz`
    hint: known: params.cars, params.categories, params.confounders, params.distractors, params.format, params.kinds, params.length, params.max_coefficient, params.max_days, params.max_depth, params.max_value, params.notation and 13 more
    ");
    insta::assert_snapshot!(refused("--where", "manifold.tokens=1000"), @"
    error: nothing here has `manifold.tokens`
    hint: known: manifold.id, manifold.target_tokens
    ");
    insta::assert_snapshot!(refused("--where", "facets.architecture=moe"), @"
    error: nothing here has `facets.architecture`
    hint: did you mean `facets.arch`?
    ");
}

#[test]
fn values_that_nothing_has() {
    insta::assert_snapshot!(refused("--where", "base_task=arithmetik"), @"
    error: nothing here has `base_task` = `arithmetik`
    hint: did you mean `arithmetic`?
    ");
    insta::assert_snapshot!(refused("--where", "base_task!=arithmetik"), @"
    error: nothing here has `base_task` = `arithmetik`
    hint: did you mean `arithmetic`?
    ");
    insta::assert_snapshot!(refused("--where", "base_task=sort|zzz"), @"
    error: nothing here has `base_task` = `zzz`
    hint: known: arithmetic, boolean, brackets, cars, dates, letters, objects, sequence, shapes, shuffle, sort, tables
    ");
    insta::assert_snapshot!(refused("--where", "model=Foo"), @"
    error: nothing here has `model` = `Foo`
    hint: known: GPT-OSS-120B, Llama-Nemotron-Super-49B-v1.5, Qwen3-32B-awq, Qwen3-32B-fp16, Seed-OSS-36B-fp16, Seed-OSS-36B-int4
    ");
    insta::assert_snapshot!(refused("--where", "eval_id=44fa2e"), @"
    error: nothing here has `eval_id` = `44fa2e`
    hint: did you mean `44fa2d`?
    ");
    insta::assert_snapshot!(refused("--where", "eval_id=zzz"), @"
    error: nothing here has `eval_id` = `zzz`
    hint: known: 035143, 11ea6f, 14eb25, 44fa2d, 567291, 8db262, 8efc6f, 9bed34, afbafa, e67944, f2c9cf
    ");
    insta::assert_snapshot!(refused("--where", "eval_id=Qwen3-32B-fp16+think+t0.6-p0.95-32k"), @"
    error: nothing here has `eval_id` = `Qwen3-32B-fp16+think+t0.6-p0.95-32k`
    hint: did you mean `Qwen3-32B-fp16+think+t0.6-p0.95-16k` or `Qwen3-32B-fp16+think+t0.6-p0.95-16k+ctx8192` or `Qwen3-32B-awq+think+t0.6-p0.95-16k`?
    ");
    insta::assert_snapshot!(refused("--where", "tags=leaderbord"), @"
    error: nothing here has `tags` = `leaderbord`
    hint: did you mean `leaderboard`?
    ");
    insta::assert_snapshot!(refused("--where", "params.length=7"), @"
    error: nothing here has `params.length` = `7`
    hint: known: 4, 6, 10, 12, 32, 48, 64, 80
    ");
    insta::assert_snapshot!(refused("--where", "params.length=\"4\""), @r#"
    error: nothing here has `params.length` = `4`
    hint: there is a `4` of another kind: numbers are typed like 4, texts like "4"
    "#);
    insta::assert_snapshot!(refused("--where", "params.notation=pythn"), @"
    error: nothing here has `params.notation` = `pythn`
    hint: did you mean `python`?
    ");
    insta::assert_snapshot!(refused("--where", "params.reverse=yes"), @"
    error: nothing here has `params.reverse` = `yes`
    hint: known: false, true
    ");
    insta::assert_snapshot!(refused("--where", "facets.arch=mo"), @"
    error: nothing here has `facets.arch` = `mo`
    hint: did you mean `moe`?
    ");
}

#[test]
fn values_that_a_key_cannot_have() {
    insta::assert_snapshot!(refused("--filters", r#"{"base_task": "cars", "tags": "x", "base_task": "sort"}"#), @"error: filter `base_task`: given twice; a list says any of several");
    insta::assert_snapshot!(refused("--filters", r#"{"base_task": 5}"#), @"error: filter `base_task`: expected a string or a list of strings, found 5");
    insta::assert_snapshot!(refused("--filters", r#"{"base_task": {">": 5}}"#), @"error: filter `base_task`: comparisons work on params.X, manifold.X and facets.X only");
    insta::assert_snapshot!(refused("--filters", r#"{"tags": [1]}"#), @"error: filter `tags`: expected strings, or lists of strings for all of them, found 1");
    insta::assert_snapshot!(refused("--filters", r#"{"params.length": {}}"#), @r#"error: filter `params.length`: an empty object says nothing; expected like {">=": 8, "<": 32}"#);
    insta::assert_snapshot!(refused("--filters", r#"{"params.length": {"=": 4}}"#), @"error: filter `params.length`: unknown comparison `=`; known: <, <=, >, >=");
    insta::assert_snapshot!(refused("--filters", r#"{"params.length": {">": "4"}}"#), @r#"error: filter `params.length`: `>` needs a number, found "4""#);
    insta::assert_snapshot!(refused("--filters", r#"{"params.length": [{">": 4}]}"#), @r#"error: filter `params.length`: expected single values in the list, found {">":4}"#);
    insta::assert_snapshot!(refused("--where", "params.length"), @"error: --where `params.length`: expected KEY=VALUE (or !=, <, <=, >, >=)");
    insta::assert_snapshot!(refused("--where", "params.length>few"), @"error: filter `params.length`: expected a number, found `few`");
    insta::assert_snapshot!(refused("--where", "tags!=leaderboard"), @"error: filter `tags`: `!=` works on single values, not on lists");
}

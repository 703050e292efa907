//! The keys of every JSON document that has no reader of its own in these tests: names that others rely on.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::project::Project;

/// Every key as the path to it, `[]` for each item of a list.
fn keys(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let path = format!("{path}.{key}");
                keys(value, &path, found);
                found.insert(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, &format!("{path}[]"), found)),
        _ => {}
    }
}

/// The document's keys: one line for each object, its members behind its path.
fn layout(arguments: &[&str]) -> String {
    // Some tell on stderr what to mind.
    let run = Project::shared().analyze(&[arguments, &["--format", "json"]].concat());
    assert_eq!(run.code, Some(0), "{run}");
    let document: Value = run.document();
    let mut found = BTreeSet::new();
    keys(&document, "", &mut found);
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for path in found {
        let (object, member) = path.rsplit_once('.').unwrap();
        match lines.iter_mut().find(|(known, _)| known == object) {
            Some((_, members)) => members.push(member.to_owned()),
            None => lines.push((object.to_owned(), vec![member.to_owned()])),
        }
    }
    lines.sort();
    let line = |(object, members): &(String, Vec<String>)| {
        format!("{}: {}\n", if object.is_empty() { "document" } else { object }, members.join(" "))
    };
    format!("{}\n{}", document["schema"].as_str().unwrap(), lines.iter().map(line).collect::<String>())
}

const DATASET: &str = "data/r12.json";

#[test]
fn scores() {
    insta::assert_snapshot!(layout(&["scores", DATASET]), @"
    analyze.scores/1
    document: confidence draws evals formula group_by groups schema seed
    .evals[]: cells eval_id label lower mean_tokens missing_tasks points samples score score_per_token tasks_without_trials tier truncated_ratio upper
    .evals[].cells[]: accuracy answered center correct design_effect group guess_sum invalid lower margin mean_tokens p_success p_success_design_effect p_success_lower p_success_upper points truncated truncated_ratio upper
    ");
    insta::assert_snapshot!(layout(&["scores", DATASET, "--group-by", "base_task"]), @"
    analyze.scores/1
    document: confidence draws evals formula group_by groups schema seed
    .evals[]: cells eval_id label lower mean_tokens missing_tasks points samples score score_per_token tasks_without_trials tier truncated_ratio upper
    .evals[].cells[]: accuracy answered center correct design_effect group guess_sum invalid lower margin mean_tokens p_success p_success_design_effect p_success_lower p_success_upper points truncated truncated_ratio upper
    ");
}

#[test]
fn cluster() {
    insta::assert_snapshot!(layout(&["cluster", DATASET, "--facet-by", "base_task"]), @"
    analyze.cluster/1
    document: confidence facet_by facets schema
    .facets[]: cliques evals facet
    .facets[].cliques[]: eval_ids name token_cliques without_tokens
    .facets[].evals[]: accuracy cliques eval_id label tokens_lower tokens_upper
    .facets[].evals[].accuracy: accuracy answered center correct design_effect guess_sum invalid lower margin mean_tokens p_success p_success_design_effect p_success_lower p_success_upper points truncated truncated_ratio upper
    ");
}

#[test]
fn compare() {
    let two = ["compare", DATASET, "AWQ", "high effort"];
    insta::assert_snapshot!(layout(&two), @r#"
    analyze.compare/1
    document: by comparisons confidence schema
    .comparisons[]: first groups overall second
    .comparisons[].first: eval_id label
    .comparisons[].groups[]: difference first first_alone_right group is_repeated least_detectable lower only_first only_second p p_adjusted second second_alone_right shared upper
    .comparisons[].overall: difference first first_alone_right group is_repeated least_detectable lower only_first only_second p p_adjusted second second_alone_right shared upper
    .comparisons[].second: eval_id label
    "#);
}

#[test]
fn spiderweb() {
    insta::assert_snapshot!(layout(&["spiderweb", DATASET]), @"
    analyze.spiderweb/1
    document: confidence evals group_by groups schema
    .evals[]: eval_id label spokes
    .evals[].spokes[]: accuracy answered center correct design_effect group guess_sum invalid lower margin mean_tokens p_success p_success_design_effect p_success_lower p_success_upper points truncated truncated_ratio upper
    ");
}

#[test]
fn surface() {
    insta::assert_snapshot!(layout(&["surface", DATASET]), @"
    analyze.surface/1
    document: confidence schema surfaces
    .surfaces[]: base_task evals label view x x_values y y_values
    .surfaces[].evals[]: cells eval_id label
    .surfaces[].evals[].cells[]: accuracy answered center correct design_effect guess_sum invalid lower margin mean_tokens p_success p_success_design_effect p_success_lower p_success_upper points truncated truncated_ratio upper x y
    ");
}

#[test]
fn forensics() {
    insta::assert_snapshot!(layout(&["compression", DATASET]), @r#"
    analyze.compression/1
    document: compressor confidence rows schema series split
    .rows[]: label mean_bytes mean_compressed_bytes mean_tokens n outcome ratio ratio_lower ratio_upper series split
    "#);
    insta::assert_snapshot!(layout(&["hazard", DATASET]), @"
    analyze.hazard/1
    document: confidence curves schema series split
    .curves[]: bin_tokens bins correct incorrect label median_tokens n series split truncated
    .curves[].bins[]: at_risk correct from_tokens hazard_correct hazard_incorrect incidence_correct incidence_correct_lower incidence_correct_upper incidence_incorrect incidence_incorrect_lower incidence_incorrect_upper incorrect survival survival_lower survival_upper to_tokens truncated
    .curves[].bins[].hazard_correct: lower upper value
    .curves[].bins[].hazard_incorrect: lower upper value
    ");
    insta::assert_snapshot!(layout(&["fft", DATASET]), @r#"
    analyze.fft/1
    document: frequencies schema series spectra split
    .spectra[]: deviation label mean points series split
    "#);
}

//! An SVG in few lines: how often each class of marks is there, and the texts in the order they are drawn.

use std::collections::{BTreeMap, HashMap};

use resvg::usvg::roxmltree::{Document, Node};
use rs_charts::Chart;

/// The outline of a chart's SVG.
pub fn outline(chart: &dyn Chart) -> String {
    let svg = chart.to_svg();
    assert_eq!(svg, chart.to_svg(), "the same data gives the same bytes");
    let document = Document::parse(&svg).expect("well-formed XML");
    let texts: HashMap<String, &str> = document
        .descendants()
        .filter_map(|node| Some((format!("#{}", node.attribute("id")?), node.attribute("aria-label")?)))
        .collect();
    let mut classes: BTreeMap<&str, usize> = BTreeMap::new();
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for node in document.descendants() {
        if let Some(class) = node.attribute("class") {
            *classes.entry(class).or_default() += 1;
        }
        let Some(text) = node.attribute("href").and_then(|name| texts.get(name)) else { continue };
        let place = path(node);
        match groups.last_mut() {
            Some((last, texts)) if *last == place => texts.push(text),
            _ => groups.push((place, vec![text])),
        }
    }
    let counts: Vec<String> = classes.iter().map(|(class, count)| format!("{class} {count}")).collect();
    let texts = groups.iter().map(|(place, texts)| format!("{place}: {}", texts.join(" | ")));
    std::iter::once(counts.join(", ")).chain(texts).collect::<Vec<_>>().join("\n")
}

/// How many groups of a class a chart's SVG has.
pub fn count(chart: &dyn Chart, class: &str) -> usize {
    chart.to_svg().matches(&format!("class=\"{class}\"")).count()
}

/// How often a text stands in a chart.
pub fn occurrences(chart: &dyn Chart, text: &str) -> usize {
    let svg = chart.to_svg();
    let document = Document::parse(&svg).expect("well-formed XML");
    let is_meant = |node: &Node<'_, '_>| node.attribute("aria-label") == Some(text) && node.has_attribute("id");
    let names: Vec<String> = document
        .descendants()
        .filter(is_meant)
        .filter_map(|node| Some(format!("#{}", node.attribute("id")?)))
        .collect();
    let is_shown =
        |node: &Node<'_, '_>| node.attribute("href").is_some_and(|href| names.iter().any(|name| name == href));
    document.descendants().filter(is_shown).count()
}

/// The classes of the groups around a node, the body's left out.
fn path(node: Node<'_, '_>) -> String {
    let mut classes: Vec<&str> = node.ancestors().filter_map(|node| node.attribute("class")).collect();
    classes.retain(|class| *class != "body");
    classes.reverse();
    classes.join("/")
}

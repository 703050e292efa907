//! `analyze cluster`: who cannot be told from whom.

use std::path::PathBuf;

use rs_charts::{Axis, Caption, Chart, IntervalPanel, IntervalRow, Intervals};
use rs_cli::{Cell, Column, CommandError, CommonArgs, Exit, Report, Table, Ui};
use rs_core::filters::Filters;
use rs_core::statistics::{Confidence, Interval, maximal_cliques};
use rs_pointsdb::queries::groups::{self, EvalName, TokenMoments};
use serde::Serialize;
use serde_json::Value;

use crate::dimension::{self, Dimension};
use crate::figures::{self, Figures, FiguresRow};
use crate::pictures::{Colours, Drawn, PictureArgs, estimate};
use crate::selection::{self, SelectionArgs};
use crate::source::Source;
use crate::views;

/// Characters of a facet's name that a table of cliques leaves room for, and least characters of its lists.
const SHOWN_FACET: usize = 24;
const LEAST_LIST: usize = 14;

/// Group evaluations whose accuracy cannot be told apart, and within these groups those that need as many tokens.
///
/// A clique is a largest set of evaluations whose intervals all overlap; one evaluation can be in several. --where and
/// --view choose what they are measured on (base_task=..., params.X=...), --facet-by repeats it for each task or value.
/// In a picture intervals have the colour of their clique (stripes: several), markers that of the evaluation, as everywhere.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// A dataset file or a database.
    dataset: PathBuf,
    /// Cluster within each value of this: none, base_task, params.X, manifold.X or facets.X.
    #[arg(long, value_name = "KEY", default_value = "none")]
    facet_by: Dimension,
    /// Only the points in the config's view of this id: of each task that has one, apart.
    #[arg(long, value_name = "ID", conflicts_with = "facet_by")]
    view: Option<String>,
    /// Confidence level of intervals.
    #[arg(long, value_name = "LEVEL", default_value = "0.95")]
    confidence: Confidence,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    output: PictureArgs,
}

/// The document `analyze.cluster/1`.
#[derive(Debug, Serialize)]
struct ClusterReport {
    schema: &'static str,
    confidence: f64,
    facet_by: String,
    facets: Vec<Facet>,
    #[serde(skip)]
    level: Confidence,
}

#[derive(Debug, Clone, Serialize)]
struct Facet {
    /// Null where nothing is divided.
    facet: Option<Value>,
    /// By the centre of the interval, best first; those without an interval last.
    evals: Vec<Member>,
    /// From the best to the worst.
    cliques: Vec<Clique>,
}

#[derive(Debug, Clone, Serialize)]
struct Member {
    eval_id: String,
    label: String,
    accuracy: FiguresRow,
    /// Mean completion tokens ± z SE of answered trials; null for fewer than two that tell them.
    tokens_lower: Option<f64>,
    tokens_upper: Option<f64>,
    /// Names of the cliques it is in; none without an interval.
    cliques: Vec<String>,
    #[serde(skip)]
    figures: Figures,
}

#[derive(Debug, Clone, Serialize)]
struct Clique {
    /// A, B, C, ...
    name: String,
    eval_ids: Vec<String>,
    /// Cliques within it by the intervals of mean tokens, from the fewest tokens to the most.
    token_cliques: Vec<Vec<String>>,
    /// Those of it in no token clique: fewer than two of their answered trials tell their tokens.
    without_tokens: Vec<String>,
}

impl Clique {
    /// `[a b]`, a token clique each, and who is in none.
    fn by_tokens(&self) -> Vec<String> {
        let mut lists: Vec<String> = self.token_cliques.iter().map(|ids| format!("[{}]", ids.join(" "))).collect();
        if !self.without_tokens.is_empty() {
            lists.push(format!("no tokens told: {}", self.without_tokens.join(" ")));
        }
        lists
    }
}

pub(crate) fn run(args: &Args, common: &CommonArgs, ui: &mut Ui) -> Result<Exit, CommandError> {
    let filters = args.selection.parse()?;
    let source = Source::open(&args.dataset, common, ui)?;
    selection::check(&source, &filters)?;
    args.facet_by.check(&source)?;
    let facets = match &args.view {
        None => facets(&source, &filters, None, args)?,
        Some(id) => {
            let views = views::of_tasks(Some(id), &filters, &source, "--where chooses points without a config", ui)?;
            let of_views =
                views.into_iter().map(|view| facets(&source, &view.within(&filters), Some(view.label), args));
            of_views.collect::<Result<Vec<_>, _>>()?.concat()
        }
    };
    if facets.is_empty() {
        ui.note(if filters.is_empty() { "there are no points" } else { "no point matches" });
    }
    let report = ClusterReport {
        schema: "analyze.cluster/1",
        confidence: args.confidence.level(),
        facet_by: if args.view.is_some() { "view".to_owned() } else { args.facet_by.name() },
        facets,
        level: args.confidence,
    };
    args.output.print(ui, &source, &report)?;
    Ok(Exit::Done)
}

/// The facets of the points that the filters leave; all in one, if it has a name already.
fn facets(source: &Source, filters: &Filters, name: Option<String>, args: &Args) -> Result<Vec<Facet>, CommandError> {
    let keys = args.facet_by.keys();
    let error = |error| source.error(error);
    let figures = figures::load(source, filters, &keys)?;
    let tokens = groups::token_moments(&source.connection, filters, &keys).map_err(error)?;
    let names = groups::eval_names(&source.connection, filters).map_err(error)?;
    let mut facets: Vec<Vec<Value>> = figures.iter().map(|figures| figures.sums.group.clone()).collect();
    facets.sort_by(|a, b| {
        a.iter().zip(b).map(|(a, b)| dimension::compare(a, b)).next().unwrap_or(std::cmp::Ordering::Equal)
    });
    facets.dedup();
    let facets = facets.into_iter().map(|facet| {
        let figures: Vec<&Figures> = figures.iter().filter(|figures| figures.sums.group == facet).collect();
        let tokens: Vec<&TokenMoments> = tokens.iter().filter(|tokens| tokens.group == facet).collect();
        let value = name.clone().map(Value::String).or_else(|| facet.into_iter().next());
        make_facet(value, &figures, &tokens, &names, args.confidence)
    });
    Ok(facets.collect())
}

fn make_facet(
    facet: Option<Value>,
    figures: &[&Figures],
    tokens: &[&TokenMoments],
    names: &[EvalName],
    confidence: Confidence,
) -> Facet {
    let mut evals: Vec<Member> = figures
        .iter()
        .filter_map(|figures| {
            let name = names.iter().find(|name| name.eval_id == figures.sums.eval_id)?;
            let tokens = tokens.iter().find(|tokens| tokens.eval_id == name.eval_id).filter(|tokens| tokens.n > 1);
            // The variance of the population, times n/(n − 1), over n.
            let margin = |tokens: &TokenMoments| confidence.z() * (tokens.variance / (tokens.n - 1) as f64).sqrt();
            Some(Member {
                eval_id: name.eval_id.clone(),
                label: name.label.clone(),
                accuracy: figures.row(confidence),
                tokens_lower: tokens.map(|tokens| tokens.mean - margin(tokens)),
                tokens_upper: tokens.map(|tokens| tokens.mean + margin(tokens)),
                cliques: Vec::new(),
                figures: (*figures).clone(),
            })
        })
        .collect();
    evals.sort_by(|a, b| {
        let center = |member: &Member| member.accuracy.center.unwrap_or(f64::NEG_INFINITY);
        center(b).total_cmp(&center(a)).then_with(|| (&a.label, &a.eval_id).cmp(&(&b.label, &b.eval_id)))
    });
    let interval = |member: &Member| Some(Interval { lower: member.accuracy.lower?, upper: member.accuracy.upper? });
    let (places, intervals): (Vec<usize>, Vec<Interval>) =
        evals.iter().enumerate().filter_map(|(at, member)| Some((at, interval(member)?))).unzip();
    let mut cliques = Vec::new();
    for (number, members) in maximal_cliques(&intervals).into_iter().enumerate() {
        let name = letters(number);
        let members: Vec<usize> = members.into_iter().map(|at| places[at]).collect();
        members.iter().for_each(|at| evals[*at].cliques.push(name.clone()));
        cliques.push(Clique {
            name,
            eval_ids: members.iter().map(|at| evals[*at].eval_id.clone()).collect(),
            without_tokens: members
                .iter()
                .filter(|at| evals[**at].tokens_lower.is_none())
                .map(|at| evals[*at].eval_id.clone())
                .collect(),
            token_cliques: token_cliques(members.iter().map(|at| &evals[*at]).collect()),
        });
    }
    Facet { facet, evals, cliques }
}

fn token_cliques(members: Vec<&Member>) -> Vec<Vec<String>> {
    let (ids, intervals): (Vec<&String>, Vec<Interval>) = members
        .into_iter()
        .filter_map(|member| {
            Some((&member.eval_id, Interval { lower: member.tokens_lower?, upper: member.tokens_upper? }))
        })
        .unzip();
    let mut cliques = maximal_cliques(&intervals);
    cliques.reverse();
    cliques.into_iter().map(|clique| clique.into_iter().map(|at| ids[at].clone()).collect()).collect()
}

/// A, B, ..., Z, AA, AB, ...
fn letters(number: usize) -> String {
    let letter = char::from(b'A' + (number % 26) as u8);
    if number < 26 { letter.to_string() } else { format!("{}{letter}", letters(number / 26 - 1)) }
}

/// Lines of whole words, at most `width` characters each unless a word is longer.
fn wrap(words: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

impl ClusterReport {
    /// The table of cliques; on a screen, lists run over several lines rather than being cut.
    fn cliques(&self, width: Option<usize>) -> Table {
        let is_faceted = self.facet_by != "none";
        let facet_column = is_faceted.then(|| Column::elastic(self.facet_by.clone(), 10));
        let columns = facet_column.into_iter().chain([
            Column::fixed("clique"),
            Column::fixed("evaluations"),
            Column::fixed("by tokens"),
        ]);
        let mut table = Table::new(columns.collect())
            .titled("Cliques; those who need as many tokens in one pair of brackets, the fewest first");
        let facet_of = |facet: &Facet| facet.facet.as_ref().map(dimension::plain);
        let widest = self.facets.iter().filter_map(|facet| Some(facet_of(facet)?.chars().count())).max();
        // What the name of a facet and that of a clique leave, for two lists.
        let of_facet = widest.map_or(0, |widest| widest.max(self.facet_by.chars().count()).min(SHOWN_FACET) + 2);
        let list_width =
            width.map(|width| (width.saturating_sub(of_facet + "clique".len() + 2 * 2) / 2).max(LEAST_LIST));
        for facet in &self.facets {
            for clique in &facet.cliques {
                let lines = |text: String| match list_width {
                    Some(width) => wrap(&text, width),
                    None => vec![text],
                };
                let evaluations = lines(clique.eval_ids.join(" "));
                let by_tokens = lines(clique.by_tokens().join(" "));
                for at in 0..evaluations.len().max(by_tokens.len()) {
                    let of_first = |text: String| if at == 0 { Cell::Text(text) } else { Cell::Empty };
                    let line = |lines: &[String]| Cell::option(lines.get(at).cloned(), Cell::Text);
                    let facet = facet_of(facet).map(of_first);
                    let rest = [of_first(clique.name.clone()), line(&evaluations), line(&by_tokens)];
                    table.rows.push(facet.into_iter().chain(rest).collect());
                }
            }
        }
        table
    }
}

impl Report for ClusterReport {
    fn tables(&self) -> Vec<Table> {
        self.tables_within(None)
    }

    fn tables_within(&self, width: Option<usize>) -> Vec<Table> {
        let is_faceted = self.facet_by != "none";
        let facet_column = || is_faceted.then(|| Column::elastic(self.facet_by.clone(), 10));
        let facet_cell = |facet: &Facet| facet.facet.as_ref().map(|facet| Cell::Text(dimension::plain(facet)));
        let columns = facet_column().into_iter().chain([
            Column::fixed("cliques"),
            Column::fixed("eval_id"),
            Column::elastic("evaluation", 12).rank(1),
            Column::fixed("accuracy"),
            Column::fixed("trials"),
            Column::fixed("truncated"),
            Column::fixed("tokens"),
        ]);
        let mut evals = Table::new(columns.collect()).titled(format!(
            "Accuracy less guesses, as Wilson centre ±margin ({} %); in a clique all overlap",
            (self.confidence * 1000.0).round() / 10.0
        ));
        for facet in &self.facets {
            for member in &facet.evals {
                let tokens = member.accuracy.mean_tokens.map(|mean| match member.tokens_upper {
                    Some(upper) => Cell::Text(format!("{mean:.0} ±{:.0}", upper - mean)),
                    None => Cell::Number(mean, 0),
                });
                let row = facet_cell(facet).into_iter().chain([
                    Cell::List(member.cliques.clone()),
                    Cell::Text(member.eval_id.clone()),
                    Cell::Text(member.label.clone()),
                    member.figures.cell(self.level),
                    Cell::Count(member.accuracy.answered + member.accuracy.truncated),
                    Cell::option(member.accuracy.truncated_ratio, Cell::Ratio),
                    tokens.unwrap_or(Cell::Empty),
                ]);
                evals.rows.push(row.collect());
            }
        }
        vec![evals, self.cliques(width)]
    }

    /// A row for each evaluation in each facet. Token cliques are numbered within their clique: `A1` needs fewer than `A2`.
    fn facts(&self) -> Option<Table> {
        let more = ["tokens_lower", "tokens_upper", "tokens_margin", "cliques", "token_cliques"];
        let columns = std::iter::once("facet").chain(figures::FACTS.into_iter().filter(|name| *name != "group"));
        let mut table = Table::new(columns.chain(more).map(Column::fixed).collect());
        for facet in &self.facets {
            for member in &facet.evals {
                let token_cliques = facet.cliques.iter().flat_map(|clique| {
                    let numbered = (1..).zip(&clique.token_cliques).filter(|(_, ids)| ids.contains(&member.eval_id));
                    numbered.map(|(number, _): (usize, _)| format!("{}{number}", clique.name))
                });
                let margin = member.tokens_lower.zip(member.tokens_upper).map(|(lower, upper)| (upper - lower) / 2.0);
                let number = |number: Option<f64>| Cell::option(number, |number| Cell::Number(number, 4));
                let mut facts = member.accuracy.facts(&member.eval_id, &member.label, "");
                facts.remove(2);
                let row =
                    std::iter::once(Cell::option(facet.facet.as_ref(), |facet| Cell::Text(dimension::plain(facet))))
                        .chain(facts)
                        .chain([
                            number(member.tokens_lower),
                            number(member.tokens_upper),
                            number(margin),
                            Cell::List(member.cliques.clone()),
                            Cell::List(token_cliques.collect()),
                        ]);
                table.rows.push(row.collect());
            }
        }
        Some(table)
    }
}

impl Drawn for ClusterReport {
    fn charts(&self, colours: &Colours) -> Vec<(String, Box<dyn Chart>)> {
        let panel = |facet: &Facet| {
            let row = |member: &Member| IntervalRow {
                label: member.label.clone(),
                series: colours.of(&member.eval_id),
                estimates: vec![
                    estimate(member.accuracy.center, member.accuracy.lower, member.accuracy.upper),
                    // Nobody writes less than nothing, whatever the normal interval says.
                    estimate(
                        member.accuracy.mean_tokens,
                        member.tokens_lower.map(|lower| lower.max(0.0)),
                        member.tokens_upper,
                    ),
                ],
                truncated_ratio: member.accuracy.truncated_ratio,
            };
            let members = |ids: &[String]| {
                let place = |id: &String| facet.evals.iter().position(|member| member.eval_id == *id);
                ids.iter().filter_map(place).collect()
            };
            let clique = |(colour, clique): (usize, &Clique)| {
                let whole = rs_charts::Clique {
                    axis: 0,
                    members: members(&clique.eval_ids),
                    label: clique.name.clone(),
                    colour,
                };
                // One alone needs no bracket.
                let parts = clique.token_cliques.iter().filter(|ids| ids.len() > 1);
                let part = |ids: &Vec<String>| rs_charts::Clique { axis: 1, members: members(ids), ..whole.clone() };
                let parts: Vec<_> = parts.map(part).collect();
                std::iter::once(whole).chain(parts)
            };
            IntervalPanel {
                label: facet.facet.as_ref().map(dimension::plain).unwrap_or_default(),
                rows: facet.evals.iter().map(row).collect(),
                cliques: facet.cliques.iter().enumerate().flat_map(clique).collect(),
            }
        };
        let is_one = self.facets.len() < 2;
        let accuracy = if is_one { "accuracy of answered trials, less guesses" } else { "accuracy, less guesses" };
        let tokens = Axis::new("completion tokens");
        let trials = |member: &Member| member.accuracy.answered + member.accuracy.truncated;
        let chart = Intervals {
            caption: Caption::new("Who cannot be told from whom")
                .subtitle(
                    "brackets join evaluations whose intervals all overlap; beside the tokens those of a clique who also \
                    need as many tokens",
                )
                .interval(self.confidence)
                .trials(self.facets.iter().flat_map(|facet| &facet.evals).map(trials).sum()),
            axes: vec![
                Axis::ratio(accuracy),
                // Facets that need few tokens and facets that need many have one axis.
                if is_one { tokens } else { tokens.logarithmic() },
            ],
            panels: self.facets.iter().map(panel).collect(),
            truncation_mark: Some(figures::SHOWN_TRUNCATED_RATIO),
        };
        vec![("cluster".to_owned(), Box::new(chart))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_words() {
        assert_eq!(wrap("aa bb cc dddddddd e", 5), ["aa bb", "cc", "dddddddd", "e"]);
        assert_eq!(wrap("", 5), [""]);
    }

    #[test]
    fn names_of_cliques() {
        assert_eq!([0, 25, 26, 51, 52].map(letters), ["A", "Z", "AA", "AZ", "BA"]);
    }
}

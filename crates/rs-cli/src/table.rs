//! Tables for people: fitted to the terminal, with what was cut told; and the same cells as Markdown and CSV.

use comfy_table::{CellAlignment, ContentArrangement};
use unicode_width::UnicodeWidthStr;

/// Blanks between two columns.
const GAP: usize = 2;

/// A cell: how it is rounded for people is decided here and nowhere else.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing is known.
    Empty,
    /// Text.
    Text(String),
    /// A count.
    Count(u64),
    /// Bytes, shown in decimal units.
    Bytes(u64),
    /// A share of one, shown in percent.
    Ratio(f64),
    /// A quantity with this many digits after the point.
    Number(f64, usize),
    /// Several texts.
    List(Vec<String>),
}

impl Cell {
    /// A cell of something that may not be known.
    pub fn option<T>(value: Option<T>, cell: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Self::Empty, cell)
    }

    /// The cell as people read it, as a text: for tables whose rows are of different kinds.
    #[must_use]
    pub fn as_text(&self) -> Self {
        Self::Text(self.for_people())
    }

    fn for_people(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) => text.clone(),
            Self::Count(count) => grouped(*count),
            Self::Bytes(bytes) => indicatif::DecimalBytes(*bytes).to_string(),
            Self::Ratio(ratio) => format!("{:.1} %", ratio * 100.0),
            Self::Number(number, digits) => format!("{number:.digits$}"),
            Self::List(texts) => texts.join(" "),
        }
    }

    fn for_machines(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) => text.clone(),
            Self::Count(number) | Self::Bytes(number) => number.to_string(),
            Self::Ratio(number) | Self::Number(number, _) => number.to_string(),
            Self::List(texts) => texts.join(" "),
        }
    }

    fn is_number(&self) -> bool {
        matches!(self, Self::Count(_) | Self::Bytes(_) | Self::Ratio(_) | Self::Number(..))
    }
}

/// `1,234,567`.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A column, and what happens to it when there is no room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its heading.
    pub name: &'static str,
    /// Columns of the highest number go first; 0 stays.
    pub rank: u8,
    /// Width below which it is not shortened; `None` for columns that are never shortened.
    pub least_width: Option<usize>,
}

impl Column {
    /// A column that always stays as it is.
    #[must_use]
    pub fn fixed(name: &'static str) -> Self {
        Self { name, rank: 0, least_width: None }
    }

    /// A column whose cells may be shortened to `least_width` with `…`.
    #[must_use]
    pub fn elastic(name: &'static str, least_width: usize) -> Self {
        Self { name, rank: 0, least_width: Some(least_width) }
    }

    /// The same column, left out when there is no room; the highest rank first.
    #[must_use]
    pub fn rank(mut self, rank: u8) -> Self {
        self.rank = rank;
        self
    }
}

/// A table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// A line above it, for people.
    pub title: Option<String>,
    /// The columns.
    pub columns: Vec<Column>,
    /// As many cells a row as there are columns.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(columns: Vec<Column>) -> Self {
        Self { title: None, columns, rows: Vec::new() }
    }

    /// The same table under a title.
    #[must_use]
    pub fn titled(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    fn texts(&self) -> Vec<Vec<String>> {
        self.rows.iter().map(|row| row.iter().map(Cell::for_people).collect()).collect()
    }

    /// Text of at most `width` columns, and what there was no room for: columns, or all of their cells.
    #[must_use]
    pub fn to_text(&self, width: Option<usize>) -> (String, Vec<String>) {
        let texts = self.texts();
        let (widths, cut) = self.fit(&texts, width);
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        let shown: Vec<usize> = (0..self.columns.len()).filter(|at| widths[*at] > 0).collect();
        table.set_header(shown.iter().map(|at| shorten(self.columns[*at].name, widths[*at])));
        for row in &texts {
            table.add_row(shown.iter().map(|at| shorten(&row[*at], widths[*at])));
        }
        for (position, at) in shown.iter().enumerate() {
            if let Some(column) = table.column_mut(position) {
                column.set_padding((0, 0));
                let is_number = self.rows.iter().any(|row| row[*at].is_number());
                column.set_cell_alignment(if is_number { CellAlignment::Right } else { CellAlignment::Left });
                if position > 0 {
                    column.set_padding((u16::try_from(GAP).unwrap_or(2), 0));
                }
            }
        }
        let mut text = self.title.as_ref().map(|title| format!("{title}\n")).unwrap_or_default();
        for line in table.lines() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        (text, cut)
    }

    /// The width of each column (0: left out), and the names of those left out.
    fn fit(&self, texts: &[Vec<String>], width: Option<usize>) -> (Vec<usize>, Vec<String>) {
        let natural: Vec<usize> = (0..self.columns.len())
            .map(|at| texts.iter().map(|row| row[at].width()).chain([self.columns[at].name.width()]).max().unwrap_or(0))
            .collect();
        let least: Vec<usize> = natural
            .iter()
            .zip(&self.columns)
            .map(|(natural, column)| {
                column.least_width.map_or(*natural, |least| least.max(column.name.width()).min(*natural))
            })
            .collect();
        let Some(width) = width else { return (natural, Vec::new()) };
        let total = |widths: &[usize], kept: &[bool]| {
            let kept: Vec<usize> =
                widths.iter().zip(kept).filter(|(_, kept)| **kept).map(|(width, _)| *width).collect();
            kept.iter().sum::<usize>() + GAP * kept.len().saturating_sub(1)
        };
        let mut kept: Vec<bool> = vec![true; self.columns.len()];
        let mut cut = Vec::new();
        while total(&least, &kept) > width {
            let candidate = (0..self.columns.len())
                .filter(|at| kept[*at] && self.columns[*at].rank > 0)
                .max_by_key(|at| (self.columns[*at].rank, *at));
            let Some(at) = candidate else { break };
            kept[at] = false;
            cut.push(format!("`{}`", self.columns[at].name));
        }
        cut.reverse();
        let mut widths: Vec<usize> =
            natural.iter().zip(&kept).map(|(width, kept)| if *kept { *width } else { 0 }).collect();
        // Shorten the widest elastic column, one step at a time.
        while total(&widths, &kept) > width {
            let candidate = (0..widths.len()).filter(|at| widths[*at] > least[*at]).max_by_key(|at| widths[*at]);
            let Some(at) = candidate else { break };
            widths[at] -= 1;
        }
        let shortened = (0..widths.len()).filter(|at| kept[*at] && widths[*at] < natural[*at]);
        cut.extend(shortened.map(|at| format!("all of `{}`", self.columns[at].name)));
        (widths, cut)
    }

    /// A Markdown table.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let escape = |text: &str| text.replace('|', "\\|").replace('\n', " ");
        let mut text = self.title.as_ref().map(|title| format!("**{title}**\n\n")).unwrap_or_default();
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        text.push_str(&line(self.columns.iter().map(|column| escape(column.name)).collect()));
        let rule = |at: usize| if self.rows.iter().any(|row| row[at].is_number()) { "---:" } else { "---" };
        text.push_str(&line((0..self.columns.len()).map(|at| rule(at).to_owned()).collect()));
        for row in self.texts() {
            text.push_str(&line(row.iter().map(|cell| escape(cell)).collect()));
        }
        text
    }

    /// CSV (RFC 4180) with unrounded numbers.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        // Writing to memory cannot fail.
        let _ = writer.write_record(self.columns.iter().map(|column| column.name));
        for row in &self.rows {
            let _ = writer.write_record(row.iter().map(Cell::for_machines));
        }
        String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
    }
}

/// The text in at most `width` columns, with `…` where it was cut.
fn shorten(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    for character in text.chars() {
        let wider = format!("{short}{character}");
        if wider.width() + 1 > width {
            break;
        }
        short = wider;
    }
    short + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(vec![
            Column::fixed("id"),
            Column::elastic("label", 8),
            Column::fixed("samples"),
            Column::fixed("note").rank(1),
            Column::elastic("groups", 6).rank(2),
        ]);
        let row = |id: &str, label: &str, samples: u64| {
            vec![
                Cell::Text(id.into()),
                Cell::Text(label.into()),
                Cell::Count(samples),
                Cell::Text("as told".into()),
                Cell::List(vec!["a:b".into(), "c|d".into()]),
            ]
        };
        table.rows = vec![row("a1", "A label of some length", 1_234_567), row("b2", "Short", 12)];
        table
    }

    #[track_caller]
    fn check(width: Option<usize>, text: &str, cut: &[&str]) {
        let (found, found_cut) = table().to_text(width);
        assert_eq!(found, text);
        assert_eq!(found_cut, cut);
    }

    #[test]
    fn all_of_it() {
        check(
            None,
            "\
id  label                     samples  note     groups
a1  A label of some length  1,234,567  as told  a:b c|d
b2  Short                          12  as told  a:b c|d
",
            &[],
        );
    }

    #[test]
    fn what_does_not_fit_is_shortened_or_cut_and_told() {
        check(
            Some(40),
            "\
id  label       samples  note     groups
a1  A label…  1,234,567  as told  a:b c…
b2  Short            12  as told  a:b c…
",
            &["all of `label`", "all of `groups`"],
        );
        check(
            Some(30),
            "\
id  label              samples
a1  A label of som…  1,234,567
b2  Short                   12
",
            &["`note`", "`groups`", "all of `label`"],
        );
    }

    #[test]
    fn markdown_and_csv() {
        assert!(
            table()
                .to_markdown()
                .starts_with("| id | label | samples | note | groups |\n| --- | --- | ---: | --- | --- |\n")
        );
        assert!(table().to_markdown().contains("a:b c\\|d"));
        assert_eq!(table().to_csv().lines().nth(1), Some("a1,A label of some length,1234567,as told,a:b c|d"));
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!(grouped(123), "123");
        assert_eq!(grouped(1234), "1,234");
        assert_eq!(Cell::Ratio(0.0447).for_people(), "4.5 %");
        assert_eq!(Cell::Ratio(0.0447).for_machines(), "0.0447");
    }
}

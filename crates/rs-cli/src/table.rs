//! Tables for people: fitted to the terminal, with what was cut told; and the same cells as Markdown and CSV.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use unicode_width::UnicodeWidthStr;

/// Blanks between two columns.
const GAP: usize = 2;

/// Columns that a shortened cell has at least.
const NARROWEST: usize = 4;

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
    /// A quantity, shown with this many digits after the point.
    Number(f64, usize),
    /// A share of one and the half-width of its interval, shown like `.87 ±.02`, with the truncated share of trials where
    /// it is given: `.62 ±.05 t19`.
    Share {
        /// The centre; `None` where it is not defined.
        center: Option<f64>,
        /// The half-width.
        margin: f64,
        /// Truncated share of trials, if it is to be seen.
        truncated: Option<f64>,
        /// Number of trials, if it is to be seen: `n32`.
        trials: Option<u64>,
    },
    /// A difference of two shares with the ends of its interval: `+.12 (+.05 to +.19)`.
    Difference(f64, (f64, f64)),
    /// A value with the ends of its interval, shown with this many digits after the point: `512 (498–527)`.
    Between(f64, (f64, f64), usize),
    /// Several texts.
    List(Vec<String>),
}

impl Cell {
    /// A cell of something that may not be known.
    pub fn option<T>(value: Option<T>, cell: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Self::Empty, cell)
    }

    /// What people read.
    #[must_use]
    pub fn for_people(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) => text.clone(),
            Self::Count(count) => grouped(*count),
            Self::Bytes(bytes) => indicatif::DecimalBytes(*bytes).to_string(),
            Self::Ratio(ratio) => format!("{:.1} %", ratio * 100.0),
            Self::Number(number, digits) => grouped_number(*number, *digits),
            Self::Difference(difference, (lower, upper)) => {
                let [difference, lower, upper] = [difference, lower, upper].map(|share| signed_hundredths(*share));
                format!("{difference} ({lower} to {upper})")
            }
            Self::Share { center, margin, truncated, trials } => {
                let center = center.map(|center| format!("{} ±{}", hundredths(center), hundredths(*margin)));
                let truncated = truncated.map(|ratio| format!("t{:.0}", ratio * 100.0));
                let trials = trials.map(|trials| format!("n{trials}"));
                let parts = [center.unwrap_or_else(|| "–".to_owned())].into_iter().chain(truncated).chain(trials);
                parts.collect::<Vec<_>>().join(" ")
            }
            Self::Between(value, (lower, upper), digits) => {
                let [value, lower, upper] = [value, lower, upper].map(|number| grouped_number(*number, *digits));
                format!("{value} ({lower}–{upper})")
            }
            Self::List(texts) => texts.join(" "),
        }
    }

    fn for_machines(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) => text.clone(),
            Self::Count(number) | Self::Bytes(number) => number.to_string(),
            Self::Ratio(number) | Self::Number(number, _) | Self::Between(number, ..) | Self::Difference(number, _) => {
                unrounded(*number)
            }
            Self::Share { center, .. } => center.map_or_else(String::new, unrounded),
            Self::List(texts) => texts.join(" "),
        }
    }

    fn is_number(&self) -> bool {
        matches!(self, Self::Count(_) | Self::Bytes(_) | Self::Ratio(_) | Self::Number(..))
    }
}

/// All digits that matter, with an exponent where there would be many zeros: `0.25`, `2.2250738585072014e-308`.
fn unrounded(number: f64) -> String {
    if number != 0.0 && number.abs() < 1e-5 { format!("{number:e}") } else { number.to_string() }
}

/// `.87`, `1.00`, `-.05`.
fn hundredths(share: f64) -> String {
    let text = format!("{share:.2}");
    match text.strip_prefix("0.") {
        Some(digits) => format!(".{digits}"),
        None => text.replace("-0.", "-."),
    }
}

/// `+.05`, `-.05`, `.00`.
fn signed_hundredths(share: f64) -> String {
    match hundredths(share).as_str() {
        "-.00" | ".00" => ".00".to_owned(),
        text if share > 0.0 => format!("+{text}"),
        text => text.to_owned(),
    }
}

/// `1,234,567`.
fn grouped(count: u64) -> String {
    grouped_digits(&count.to_string())
}

/// `1,234.5`.
fn grouped_number(number: f64, digits: usize) -> String {
    let text = format!("{number:.digits$}");
    let (sign, text) = text.strip_prefix('-').map_or(("", text.as_str()), |text| ("-", text));
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    format!("{sign}{}{fraction}", grouped_digits(whole))
}

fn grouped_digits(digits: &str) -> String {
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
    pub name: Cow<'static, str>,
    /// Columns of the highest number go first; 0 stays.
    pub rank: u8,
    /// Width below which it is not shortened; `None` for columns that are never shortened.
    pub least_width: Option<usize>,
    /// Whether numbers stand on the left, too.
    pub is_left: bool,
}

impl Column {
    /// A column that always stays as it is.
    #[must_use]
    pub fn fixed(name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), rank: 0, least_width: None, is_left: false }
    }

    /// A column whose cells may be shortened to `least_width` with `…`.
    #[must_use]
    pub fn elastic(name: impl Into<Cow<'static, str>>, least_width: usize) -> Self {
        Self { name: name.into(), rank: 0, least_width: Some(least_width), is_left: false }
    }

    /// The same column, left out when there is no room; the highest rank first.
    #[must_use]
    pub fn rank(mut self, rank: u8) -> Self {
        self.rank = rank;
        self
    }

    /// The same column with numbers on the left: for rows of different kinds.
    #[must_use]
    pub fn left(mut self) -> Self {
        self.is_left = true;
        self
    }
}

/// What a terminal had no room for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cut {
    /// Columns that were left out.
    pub left_out: Vec<Cow<'static, str>>,
    /// Columns of which some cells were shortened.
    pub shortened: Vec<Cow<'static, str>>,
}

impl Cut {
    /// What two tables had no room for.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        let add = |names: &mut Vec<_>, more: Vec<_>| {
            for name in more {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        };
        add(&mut self.left_out, other.left_out);
        add(&mut self.shortened, other.shortened);
        self
    }
}

/// Nothing if nothing was cut; else like "too narrow for `tags`, and for all of `label`".
impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list =
            |names: &[Cow<'static, str>]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        match (self.left_out.as_slice(), self.shortened.as_slice()) {
            ([], []) => Ok(()),
            (left_out, []) => write!(f, "too narrow for {}", list(left_out)),
            ([], shortened) => write!(f, "too narrow for all of {}", list(shortened)),
            (left_out, shortened) => write!(f, "too narrow for {}, and for all of {}", list(left_out), list(shortened)),
        }
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
        let on_one_line = |text: String| text.replace(['\n', '\r', '\t'], " ");
        self.rows.iter().map(|row| row.iter().map(|cell| on_one_line(cell.for_people())).collect()).collect()
    }

    /// Whether a column's cells stand on the right.
    fn is_right(&self, at: usize) -> bool {
        !self.columns[at].is_left && self.rows.iter().any(|row| row[at].is_number())
    }

    /// Text of at most `width` columns, and what there was no room for.
    #[must_use]
    pub fn to_text(&self, width: Option<usize>) -> (String, Cut) {
        let texts = self.texts();
        let (widths, cut) = self.fit(&texts, width);
        let columns = (0..self.columns.len()).filter(|at| widths[*at] > 0).map(|at| {
            let below: Vec<&str> = texts.iter().map(|row| row[at].as_str()).collect();
            let cells = std::iter::once(shorten(&self.columns[at].name, widths[at]));
            let cells: Vec<String> = cells.chain(shorten_all(&below, widths[at])).collect();
            let width = cells.iter().map(|cell| cell.width()).max().unwrap_or(0);
            (cells, width, self.is_right(at))
        });
        let columns: Vec<(Vec<String>, usize, bool)> = columns.collect();
        let mut text = self.title.as_ref().map(|title| format!("{title}\n")).unwrap_or_default();
        for row in 0..=texts.len() {
            let start = text.len();
            for (position, (cells, width, is_right)) in columns.iter().enumerate() {
                let cell = &cells[row];
                // Widths are those on a terminal, which formatting does not know.
                let missing = " ".repeat(width - cell.width());
                let gap = " ".repeat(if position > 0 { GAP } else { 0 });
                let (before, behind) = if *is_right { (missing.as_str(), "") } else { ("", missing.as_str()) };
                text.extend([&gap, before, cell, behind]);
            }
            text.truncate(start + text[start..].trim_end().len());
            text.push('\n');
        }
        (text, cut)
    }

    /// The width of each column (0: left out), and what was cut.
    fn fit(&self, texts: &[Vec<String>], width: Option<usize>) -> (Vec<usize>, Cut) {
        let natural: Vec<usize> = (0..self.columns.len())
            .map(|at| texts.iter().map(|row| row[at].width()).chain([self.columns[at].name.width()]).max().unwrap_or(0))
            .collect();
        let Some(width) = width else { return (natural, Cut::default()) };
        let least: Vec<usize> = natural
            .iter()
            .zip(&self.columns)
            .map(|(natural, column)| {
                column.least_width.map_or(*natural, |least| least.max(column.name.width()).min(*natural))
            })
            .collect();
        // Columns of rank 0 say what a row is about: while others can go they stay whole, or, where that is hopeless, wide.
        let essential = |wanted: &dyn Fn(usize) -> usize| -> Vec<usize> {
            (0..self.columns.len()).map(|at| if self.columns[at].rank == 0 { wanted(at) } else { least[at] }).collect()
        };
        let whole = essential(&|at| natural[at]);
        let wide = essential(&|at| natural[at].min(least[at].max(width * 2 / 5)));
        let kept = self
            .leave_out(&whole, width)
            .or_else(|| self.leave_out(&wide, width))
            .unwrap_or_else(|| self.columns.iter().map(|column| column.rank == 0).collect());
        let mut widths: Vec<usize> =
            natural.iter().zip(&kept).map(|(width, kept)| if *kept { *width } else { 0 }).collect();
        // The widest column is shortened, one step at a time; those of rank 0 last. Where nothing else helps, a column is
        // made as narrow as its name.
        let narrowest = self.columns.iter().zip(&least).map(|(column, least)| match column.least_width {
            Some(_) => column.name.width().max(NARROWEST).min(*least),
            None => *least,
        });
        for least in [least.clone(), narrowest.collect()] {
            while total(&widths) > width {
                let candidate = (0..widths.len())
                    .filter(|at| widths[*at] > least[*at])
                    .max_by_key(|at| (self.columns[*at].rank > 0, widths[*at]));
                let Some(at) = candidate else { break };
                widths[at] -= 1;
            }
        }
        // Where there are no rows, nothing is missing.
        let is_told = !texts.is_empty();
        let names = |is_meant: &dyn Fn(usize) -> bool| -> Vec<Cow<'static, str>> {
            (0..self.columns.len())
                .filter(|at| is_told && is_meant(*at))
                .map(|at| self.columns[at].name.clone())
                .collect()
        };
        let cut =
            Cut { left_out: names(&|at| !kept[at]), shortened: names(&|at| kept[at] && widths[at] < natural[at]) };
        (widths, cut)
    }

    /// Which columns stay so that they fit at these widths; `None` if those of rank 0 alone do not.
    fn leave_out(&self, widths: &[usize], width: usize) -> Option<Vec<bool>> {
        let mut widths = widths.to_vec();
        while total(&widths) > width {
            let at = (0..widths.len())
                .filter(|at| widths[*at] > 0 && self.columns[*at].rank > 0)
                .max_by_key(|at| (self.columns[*at].rank, *at))?;
            widths[at] = 0;
        }
        Some(widths.iter().map(|width| *width > 0).collect())
    }

    /// A Markdown table.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let escape = |text: &str| text.replace('\\', "\\\\").replace('|', "\\|");
        let mut text = self.title.as_ref().map(|title| format!("**{title}**\n\n")).unwrap_or_default();
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        text.push_str(&line(self.columns.iter().map(|column| escape(&column.name)).collect()));
        let rule = |at: usize| if self.is_right(at) { "---:" } else { "---" };
        text.push_str(&line((0..self.columns.len()).map(|at| rule(at).to_owned()).collect()));
        for row in self.texts() {
            text.push_str(&line(row.iter().map(|cell| escape(cell)).collect()));
        }
        text
    }

    /// CSV with unrounded numbers: quoted as in RFC 4180, with `\n` at the ends of lines.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        // Writing to memory cannot fail.
        let _ = writer.write_record(self.columns.iter().map(|column| column.name.as_ref()));
        for row in &self.rows {
            let _ = writer.write_record(row.iter().map(Cell::for_machines));
        }
        String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
    }
}

/// Columns that cells of these widths take; those of width 0 are left out.
fn total(widths: &[usize]) -> usize {
    let n_kept = widths.iter().filter(|width| **width > 0).count();
    widths.iter().sum::<usize>() + GAP * n_kept.saturating_sub(1)
}

/// The texts in at most `width` columns: without their ends, or, where that makes more of them look alike, without
/// their middles.
fn shorten_all(texts: &[&str], width: usize) -> Vec<String> {
    fn n_different<T: Ord>(texts: &[T]) -> usize {
        texts.iter().collect::<BTreeSet<_>>().len()
    }
    let ends: Vec<String> = texts.iter().map(|text| shorten(text, width)).collect();
    if n_different(&ends) == n_different(texts) {
        return ends;
    }
    let middles: Vec<String> = texts.iter().map(|text| shorten_middle(text, width)).collect();
    if n_different(&middles) > n_different(&ends) { middles } else { ends }
}

/// The text in at most `width` columns, with `…` where its end was cut.
fn shorten(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    start(text, width.saturating_sub(1)).to_owned() + "…"
}

/// The text in at most `width` columns, with `…` where its middle was cut.
fn shorten_middle(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let of_end = width.saturating_sub(1) / 2;
    let start = start(text, width.saturating_sub(1 + of_end));
    let end = text.char_indices().map(|(at, _)| &text[at..]).find(|end| end.width() <= of_end).unwrap_or_default();
    format!("{start}…{end}")
}

/// As much of the text's start as fits into `width` columns.
fn start(text: &str, width: usize) -> &str {
    let ends = text.char_indices().map(|(at, character)| at + character.len_utf8());
    ends.map(|end| &text[..end]).take_while(|start| start.width() <= width).last().unwrap_or_default()
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
    fn check(table: &Table, width: Option<usize>, text: &str, cut: &str) {
        let (found, found_cut) = table.to_text(width);
        assert_eq!(found, text);
        assert_eq!(found_cut.to_string(), cut);
        assert!(width.is_none_or(|width| found.lines().all(|line| line.width() <= width)));
    }

    #[test]
    fn all_of_it() {
        check(
            &table(),
            None,
            "\
id  label                     samples  note     groups
a1  A label of some length  1,234,567  as told  a:b c|d
b2  Short                          12  as told  a:b c|d
",
            "",
        );
    }

    #[test]
    fn what_does_not_fit_is_left_out_or_shortened_and_told() {
        check(
            &table(),
            Some(54),
            "\
id  label                     samples  note     groups
a1  A label of some length  1,234,567  as told  a:b c…
b2  Short                          12  as told  a:b c…
",
            "too narrow for all of `groups`",
        );
        check(
            &table(),
            Some(53),
            "\
id  label                     samples  note
a1  A label of some length  1,234,567  as told
b2  Short                          12  as told
",
            "too narrow for `groups`",
        );
        check(
            &table(),
            Some(30),
            "\
id  label              samples
a1  A label of som…  1,234,567
b2  Short                   12
",
            "too narrow for `note`, `groups`, and for all of `label`",
        );
    }

    #[test]
    fn what_cannot_fit_whole_leaves_room_for_others() {
        let mut table = table();
        table.rows[0][1] = Cell::Text("A label longer than any terminal: ".repeat(9));
        check(
            &table,
            Some(60),
            "\
id  label                           samples  note     groups
a1  A label longer than any ter…  1,234,567  as told  a:b c…
b2  Short                                12  as told  a:b c…
",
            "too narrow for all of `label`, `groups`",
        );
    }

    #[test]
    fn a_table_wider_than_everything_is_left_as_narrow_as_it_gets() {
        let (text, _) = table().to_text(Some(1));
        assert_eq!(text.lines().nth(1), Some("a1  A la…  1,234,567"));
    }

    #[test]
    fn shortened_texts_stay_different() {
        let check = |texts: &[&str], width: usize, short: &[&str]| assert_eq!(shorten_all(texts, width), short);
        check(&["model one (a)", "model one (b)"], 9, &["mode… (a)", "mode… (b)"]);
        check(&["one model (a)", "two model (a)"], 9, &["one mode…", "two mode…"]);
        check(&["same, the same", "same, the same"], 9, &["same, th…", "same, th…"]);
        check(&["模型一大 (a)", "模型一大 (b)"], 7, &["模…(a)", "模…(b)"]);
        check(&["ab", "ac"], 1, &["…", "…"]);
    }

    #[test]
    fn without_rows_nothing_is_missing() {
        let empty = Table::new(table().columns);
        assert_eq!(empty.to_text(Some(20)).1, Cut::default());
    }

    #[test]
    fn a_cell_is_one_line() {
        let mut table = Table::new(vec![Column::fixed("a"), Column::fixed("b")]);
        table.rows = vec![vec![Cell::Text("x\r\n\ty".into()), Cell::Text("z".into())]];
        check(&table, None, "a      b\nx   y  z\n", "");
        assert_eq!(table.to_csv(), "a,b\n\"x\r\n\ty\",z\n");
        assert_eq!(table.to_markdown(), "| a | b |\n| --- | --- |\n| x   y | z |\n");
    }

    #[test]
    fn rows_of_different_kinds_stand_on_the_left() {
        let mut table = Table::new(vec![Column::fixed("key"), Column::fixed("value").left()]);
        table.rows = vec![
            vec![Cell::Text("records".into()), Cell::Count(1_234)],
            vec![Cell::Text("truncated".into()), Cell::Ratio(0.5)],
            vec![Cell::Text("model".into()), Cell::Text("A model".into())],
        ];
        check(&table, None, "key        value\nrecords    1,234\ntruncated  50.0 %\nmodel      A model\n", "");
        assert_eq!(table.to_csv(), "key,value\nrecords,1234\ntruncated,0.5\nmodel,A model\n");
        assert!(table.to_markdown().starts_with("| key | value |\n| --- | --- |\n"));
    }

    #[test]
    fn markdown() {
        let mut table = table().titled("Title");
        table.rows[1][1] = Cell::Text("a|b \\| c".into());
        assert_eq!(
            table.to_markdown(),
            "\
**Title**

| id | label | samples | note | groups |
| --- | --- | ---: | --- | --- |
| a1 | A label of some length | 1,234,567 | as told | a:b c\\|d |
| b2 | a\\|b \\\\\\| c | 12 | as told | a:b c\\|d |
"
        );
    }

    #[test]
    fn csv_is_rfc_4180_and_unrounded() {
        let mut table = table();
        table.rows[0][1] = Cell::Text("a \"quoted\", and\nbroken label".into());
        table.rows[1][2] = Cell::Ratio(1.0 / 3.0);
        table.rows[1][3] = Cell::Empty;
        assert_eq!(
            table.to_csv(),
            "\
id,label,samples,note,groups
a1,\"a \"\"quoted\"\", and\nbroken label\",1234567,as told,a:b c|d
b2,Short,0.3333333333333333,,a:b c|d
"
        );
    }

    #[test]
    fn numbers_for_people() {
        let check = |cell: Cell, people: &str, machines: &str| {
            assert_eq!((cell.for_people().as_str(), cell.for_machines().as_str()), (people, machines));
        };
        check(Cell::Empty, "", "");
        check(Cell::Count(0), "0", "0");
        check(Cell::Count(123), "123", "123");
        check(Cell::Count(1_234_567), "1,234,567", "1234567");
        check(Cell::Bytes(999), "999 B", "999");
        check(Cell::Bytes(1_500_000), "1.50 MB", "1500000");
        check(Cell::Ratio(0.0447), "4.5 %", "0.0447");
        check(Cell::Ratio(1.0), "100.0 %", "1");
        check(Cell::Number(5481.01, 0), "5,481", "5481.01");
        check(Cell::Number(-1234.56, 1), "-1,234.6", "-1234.56");
        check(Cell::Number(999.5, 0), "1,000", "999.5");
        check(Cell::Number(f64::MIN_POSITIVE, 3), "0.000", "2.2250738585072014e-308");
        check(Cell::Number(0.0, 3), "0.000", "0");
    }
}

//! Rows by columns of cells, in as many tables as the screen needs.

use rs_cli::{Cell, Column, Table};

/// Blanks between two columns of a table.
const GAP: usize = 2;

/// Columns that a row's name takes at most where there is little room.
const NAME_WIDTH: usize = 28;

/// A matrix with names for rows and columns.
pub(crate) struct Matrix {
    /// What rows are.
    pub corner: &'static str,
    pub rows: Vec<String>,
    pub columns: Vec<String>,
    /// A list for each row, a cell for each column.
    pub cells: Vec<Vec<Cell>>,
}

impl Matrix {
    /// The same, with columns for rows.
    pub(crate) fn transposed(self, corner: &'static str) -> Self {
        let cells = (0..self.columns.len()).map(|at| self.cells.iter().map(|row| row[at].clone()).collect()).collect();
        Self { corner, rows: self.columns, columns: self.rows, cells }
    }

    /// Tables of at most `width` columns of text: all columns of the matrix are in one of them.
    pub(crate) fn tables(&self, title: &str, width: Option<usize>) -> Vec<Table> {
        let chars = |text: &str| text.chars().count();
        let name_width =
            self.rows.iter().map(|name| chars(name)).max().unwrap_or(0).max(chars(self.corner)).min(NAME_WIDTH);
        let mut tables = Vec::new();
        let mut start = 0;
        while start < self.columns.len() || tables.is_empty() {
            let mut end = start;
            let mut used = name_width;
            while end < self.columns.len() {
                let cells = self.cells.iter().map(|row| chars(&row[end].for_people()));
                let needed = GAP + cells.max().unwrap_or(0).max(chars(&self.columns[end]));
                if end > start && width.is_some_and(|width| used + needed > width) {
                    break;
                }
                used += needed;
                end += 1;
            }
            let which = match end - start {
                n if n == self.columns.len() => String::new(),
                1 => format!("({} of {})", start + 1, self.columns.len()),
                _ => format!("({}–{} of {})", start + 1, end, self.columns.len()),
            };
            let part = format!("{title} {which}").trim().to_owned();
            let names = self.columns[start..end].iter().map(|name| Column::fixed(name.clone()));
            let mut table = Table::new(std::iter::once(Column::elastic(self.corner, 12)).chain(names).collect());
            if !part.is_empty() {
                table = table.titled(part);
            }
            for (name, cells) in self.rows.iter().zip(&self.cells) {
                let row = std::iter::once(Cell::Text(name.clone())).chain(cells[start..end].iter().cloned());
                table.rows.push(row.collect());
            }
            tables.push(table);
            start = end.max(start + 1);
        }
        tables
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix() -> Matrix {
        Matrix {
            corner: "task",
            rows: vec!["a".into(), "b".into()],
            columns: vec!["one".into(), "two".into(), "three".into()],
            cells: vec![vec![Cell::Count(1), Cell::Empty, Cell::Count(3)], vec![Cell::Empty; 3]],
        }
    }

    #[track_caller]
    fn check(width: Option<usize>, columns: &[&[&str]]) {
        let tables = matrix().tables("t", width);
        let names: Vec<Vec<&str>> =
            tables.iter().map(|table| table.columns.iter().map(|column| column.name.as_ref()).collect()).collect();
        assert_eq!(names, columns);
        for table in tables {
            assert!(table.to_text(width).0.lines().skip(1).all(|line| line.len() <= width.unwrap_or(99)));
        }
    }

    #[test]
    fn panels() {
        check(None, &[&["task", "one", "two", "three"]]);
        check(Some(16), &[&["task", "one", "two"], &["task", "three"]]);
        let titles =
            |title: &str| matrix().tables(title, Some(16)).into_iter().map(|table| table.title).collect::<Vec<_>>();
        assert_eq!(titles("t"), [Some("t (1–2 of 3)".into()), Some("t (3 of 3)".into())]);
        assert_eq!(titles(""), [Some("(1–2 of 3)".into()), Some("(3 of 3)".into())]);
        assert_eq!(matrix().transposed("x").rows, ["one", "two", "three"]);
    }
}

//! How wide the columns of a heat table are, and which stand in which panel.

use super::HeatTable;
use crate::page::TEXT;
use crate::picture::TextStyle;

/// Wider tables go on in further panels.
const WIDEST: f64 = 1120.0;
/// With more columns than fill this many panels, the panels are this wide, or the picture would be a ribbon.
const PANELS: usize = 2;
const WIDEST_OF_MANY: f64 = 1800.0;
const LABEL_WIDTH: f64 = 300.0;
const LEADING_WIDTH: f64 = 150.0;
pub(super) const COLUMN_GAP: f64 = 14.0;
const SWATCH: f64 = 14.0;
pub(super) const PANEL_GAP: f64 = 22.0;

/// The longest slanted header, along its slant, and that slant.
pub(super) const SLANTED: f64 = 150.0;
pub(super) const SLANT: f64 = 50.0;

/// With more cells than this one above the other, margins are left out.
const ROWS_WITH_MARGINS: usize = 64;

/// Room at the foot of cells in which truncation is marked.
pub(super) const MARK: f64 = 11.0;

/// Whether cells have a second line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Flat,
    Tall,
}

pub(super) struct Layout {
    pub(super) form: Form,
    /// The width of the swatches, or nothing.
    pub(super) swatch: f64,
    pub(super) label: f64,
    pub(super) leading: Vec<f64>,
    pub(super) cell: (f64, f64),
    pub(super) columns_of_panel: usize,
    /// Where the cells begin.
    pub(super) left: f64,
    pub(super) header: f64,
}

impl Layout {
    /// The widths that a table's texts need, and how many of its columns stand beside each other.
    pub(super) fn of(table: &HeatTable) -> Self {
        let style = TextStyle::new(TEXT);
        let widest = |texts: &mut dyn Iterator<Item = &str>| texts.map(|text| style.width(text)).fold(0.0, f64::max);
        let header = style.bold().width(&table.row_header);
        let label = widest(&mut table.rows.iter().map(|row| row.label.as_str())).max(header).min(LABEL_WIDTH);
        let leading: Vec<f64> = table
            .leading
            .iter()
            .enumerate()
            .map(|(index, column)| {
                let mut cells = table.rows.iter().filter_map(|row| row.leading.get(index).map(String::as_str));
                widest(&mut cells).max(style.bold().width(&column.header)).min(LEADING_WIDTH)
            })
            .collect();
        let swatch = if table.rows.iter().any(|row| row.series.is_some()) { SWATCH } else { 0.0 };
        let left = swatch + label + COLUMN_GAP + leading.iter().map(|width| width + COLUMN_GAP).sum::<f64>();

        let margins = table.rows.iter().flat_map(|row| row.cells.iter().flatten()).any(|cell| cell.margin.is_some());
        let columns_that_fit = |cell: f64| {
            let within = |width: f64| ((width - left) / cell).floor().max(8.0) as usize;
            let few = within(WIDEST);
            if table.columns.len() > few * PANELS { within(WIDEST_OF_MANY) } else { few }
        };
        let form = if margins
            && table.rows.len() * table.columns.len().div_ceil(columns_that_fit(38.0)) <= ROWS_WITH_MARGINS
        {
            Form::Tall
        } else {
            Form::Flat
        };
        let cell = match form {
            Form::Tall => (38.0, 32.0),
            Form::Flat => (34.0, 20.0),
        };
        let mark = table.truncation_mark.unwrap_or(crate::TRUNCATION_MARK);
        let cells = table.rows.iter().flat_map(|row| row.cells.iter().flatten());
        let is_marked = cells.filter_map(|cell| cell.truncated_ratio).any(|ratio| ratio > mark);
        let cell = (cell.0, cell.1 + if is_marked { MARK } else { 0.0 });
        let panels = table.columns.len().div_ceil(columns_that_fit(cell.0));
        let slanted = table.columns.iter().map(|column| style.width(&column.label)).fold(0.0, f64::max).min(SLANTED);
        Self {
            form,
            swatch,
            label,
            leading,
            cell,
            columns_of_panel: table.columns.len().div_ceil(panels),
            left,
            header: slanted * SLANT.to_radians().sin() + TEXT + 6.0,
        }
    }
}

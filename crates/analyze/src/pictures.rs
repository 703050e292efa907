//! Output that can be a picture, too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use rs_charts::{Chart, Picture, Series};
use rs_cli::{CommandError, Format, OutputArgs, Report, Ui, write_whole};
use rs_core::filters::Filters;
use rs_pointsdb::queries::groups;

use crate::source::Source;

/// Pixels of a PNG for each unit of its picture: sharp in print.
const PNG_SCALE: f64 = 2.0;

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people.
    Table,
    /// For documents.
    Markdown,
    /// One versioned document, with everything.
    Json,
    /// A row for each figure, unrounded.
    Csv,
    /// A picture that stays sharp.
    Svg,
    /// A picture of pixels.
    Png,
}

/// How and where a result is printed.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct PictureArgs {
    /// How to print the result.
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    format: Form,
    /// Write the result to this file; several pictures get their names before its extension.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// A report that can be drawn.
pub(crate) trait Drawn: Report {
    /// The pictures with their names, which matter if there are several.
    fn charts(&self, colours: &Colours) -> Vec<(String, Box<dyn Chart>)>;
}

/// The colour of each evaluation: the same in all pictures of a database, whatever the filters.
pub(crate) struct Colours(BTreeMap<String, usize>);

impl Colours {
    pub(crate) fn new(source: &Source) -> Result<Self, CommandError> {
        let names = groups::eval_names(&source.connection, &Filters::default()).map_err(|error| source.error(error))?;
        Ok(Self(names.into_iter().enumerate().map(|(at, name)| (name.eval_id, at)).collect()))
    }

    /// Of an evaluation.
    pub(crate) fn of(&self, eval_id: &str) -> Series {
        Series(self.0.get(eval_id).copied().unwrap_or(0))
    }
}

impl PictureArgs {
    /// Whether a picture is wanted.
    pub(crate) fn is_drawn(&self) -> bool {
        matches!(self.format, Form::Svg | Form::Png)
    }

    /// Prints the report, or draws it.
    pub(crate) fn print(&self, ui: &mut Ui, source: &Source, report: &impl Drawn) -> Result<(), CommandError> {
        let format = match self.format {
            Form::Table => Format::Table,
            Form::Markdown => Format::Markdown,
            Form::Json => Format::Json,
            Form::Csv => Format::Csv,
            Form::Svg | Form::Png => return self.draw(ui, source, report),
        };
        OutputArgs { format, output: self.output.clone() }.print(ui, report)
    }

    fn draw(&self, ui: &mut Ui, source: &Source, report: &impl Drawn) -> Result<(), CommandError> {
        let hint = format!("--output FILE.{}", if self.format == Form::Png { "png" } else { "svg" });
        if self.output.is_none() && self.format == Form::Png && ui.screen().width.is_some() {
            return Err(CommandError::input("a PNG is no text for a terminal").hint(hint));
        }
        let charts = report.charts(&Colours::new(source)?);
        let pictures = charts.into_iter().map(|(name, chart)| (name, chart.picture()));
        // A picture that shows nothing but that there is nothing is not written.
        let pictures: Vec<(String, Picture)> = pictures.filter(|(_, picture)| picture.has_data()).collect();
        match (&self.output, pictures.as_slice()) {
            (None, []) => ui.note("there is nothing to draw"),
            (Some(path), []) => ui.note(&format!("there is nothing to draw: `{}` is not written", path.display())),
            (None, [(_, picture)]) => ui.print_bytes(&self.bytes(picture)?)?,
            (None, several) => {
                let what = format!("these are {} pictures, which need files", several.len());
                return Err(CommandError::input(what).hint(hint));
            }
            (Some(path), [(_, picture)]) => write_whole(path, &self.bytes(picture)?)?,
            (Some(path), several) => {
                for (name, picture) in several {
                    write_whole(&with_name(path, name), &self.bytes(picture)?)?;
                }
            }
        }
        Ok(())
    }

    fn bytes(&self, picture: &Picture) -> Result<Vec<u8>, CommandError> {
        if self.format == Form::Svg {
            return Ok(picture.to_svg().into_bytes());
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some thousand pixels")]
        let width = (picture.size().0 * PNG_SCALE) as u32;
        picture.to_png(width).map_err(CommandError::environment)
    }
}

/// `dir/chart-NAME.png` of `dir/chart.png`.
fn with_name(path: &Path, name: &str) -> PathBuf {
    let safe = |character: char| if character.is_alphanumeric() || "-_.".contains(character) { character } else { '-' };
    let name: String = name.chars().map(safe).collect();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map(|extension| format!(".{}", extension.to_string_lossy())).unwrap_or_default();
    path.with_file_name(format!("{stem}-{name}{extension}"))
}

/// An estimate of a share with its interval.
pub(crate) fn estimate(value: Option<f64>, lower: Option<f64>, upper: Option<f64>) -> Option<rs_charts::Estimate> {
    let value = value?;
    Some(match lower.zip(upper) {
        Some((lower, upper)) => rs_charts::Estimate::with_interval(value, lower, upper),
        None => rs_charts::Estimate::exact(value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files() {
        assert_eq!(with_name(Path::new("a/b.png"), "x/../y z"), Path::new("a/b-x-..-y-z.png"));
        assert_eq!(with_name(Path::new("b"), "x"), Path::new("b-x"));
    }
}

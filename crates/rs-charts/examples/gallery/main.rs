//! Draws every chart with made-up data, small and large, as SVG and PNG: `cargo run -p rs-charts --example gallery FOLDER`.

mod samples;

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rs_charts::Chart;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).map(PathBuf::from).ok_or("which folder is the gallery for?")?;
    fs_err::create_dir_all(&folder)?;
    for (name, chart) in samples::all() {
        draw(&folder, name, chart.as_ref())?;
    }
    Ok(())
}

/// Writes both files, and says on stderr how long it took and how large they are.
fn draw(folder: &Path, name: &str, chart: &dyn Chart) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let svg = chart.to_svg();
    let svg_time = start.elapsed();
    let start = Instant::now();
    let (width, _) = chart.picture().size();
    let png = chart.to_png((width * 1.5) as u32)?;
    let png_time = start.elapsed();
    fs_err::write(folder.join(format!("{name}.svg")), &svg)?;
    fs_err::write(folder.join(format!("{name}.png")), &png)?;
    let (svg_size, png_size) = (svg.len() / 1024, png.len() / 1024);
    let line = format!("{name:18} svg {svg_size:5} KiB in {svg_time:8.1?}, png {png_size:5} KiB in {png_time:8.1?}\n");
    std::io::stderr().write_all(line.as_bytes())?;
    Ok(())
}

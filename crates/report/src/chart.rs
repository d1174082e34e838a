//! Bars and pies as SVG or PNG.

use std::f64::consts::TAU;
use std::sync::Once;

use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};
use residue_model::Bytes;

use crate::units::{percent, size};
use crate::{Error, Result};

/// A part of a whole with its name.
pub type Part = (String, Bytes);

/// The file formats that charts come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Scalable, for pages.
    Svg,
    /// Pixels, for messages.
    Png,
}

/// How parts are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A bar each.
    Bars,
    /// Slices of one disc.
    Pie,
}

/// Told apart also by those who see fewer colours (Okabe and Ito).
const COLORS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(213, 94, 0),
    RGBColor(240, 228, 66),
    RGBColor(120, 120, 120),
];

const WIDTH: i32 = 960;
const ROW: i32 = 26;
const MARGIN: i32 = 16;
/// Where bars begin: names stand to the left.
const NAMES: i32 = 300;

/// Draws parts, the largest first, into the bytes of a file. What is beyond the given parts goes in as `rest`.
///
/// # Errors
/// When the drawing library fails.
pub fn draw(shape: Shape, format: Format, title: &str, parts: &[Part]) -> Result<Vec<u8>> {
    prepare_font();
    let rows = i32::try_from(parts.len()).unwrap_or(i32::MAX / ROW).max(1);
    let height = match shape {
        Shape::Bars => 60 + rows * ROW + MARGIN,
        Shape::Pie => (60 + rows * ROW + MARGIN).max(520),
    };
    let extent = (WIDTH.unsigned_abs(), height.unsigned_abs());
    match format {
        Format::Svg => {
            let mut text = String::new();
            paint(SVGBackend::with_string(&mut text, extent), shape, title, parts)?;
            Ok(text.into_bytes())
        }
        Format::Png => {
            let mut pixels = vec![0; extent.0 as usize * extent.1 as usize * 3];
            paint(BitMapBackend::with_buffer(&mut pixels, extent), shape, title, parts)?;
            encode(&pixels, extent)
        }
    }
}

/// PNG needs letters to draw: a font of our own, so that a bare server draws like a desktop.
fn prepare_font() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let font = include_bytes!("../web/Roboto-subset.ttf");
        assert!(register_font("sans-serif", FontStyle::Normal, font).is_ok(), "the embedded font is a font");
    });
}

fn paint<B: DrawingBackend>(backend: B, shape: Shape, title: &str, parts: &[Part]) -> Result<()> {
    let area = backend.into_drawing_area();
    area.fill(&WHITE).map_err(failed)?;
    area.draw(&Text::new(title.to_owned(), (MARGIN, MARGIN), ("sans-serif", 22).into_font().color(&BLACK)))
        .map_err(failed)?;
    match shape {
        Shape::Bars => bars(&area, parts)?,
        Shape::Pie => pie(&area, parts)?,
    }
    area.present().map_err(failed)
}

type Area<B> = DrawingArea<B, plotters::coord::Shift>;

fn bars<B: DrawingBackend>(area: &Area<B>, parts: &[Part]) -> Result<()> {
    let most = parts.iter().map(|part| part.1).max().unwrap_or_default();
    let room = f64::from(WIDTH - NAMES - 110);
    for (index, (name, value)) in parts.iter().enumerate() {
        let top = 60 + whole(index as f64) * ROW;
        let end = NAMES + whole(value.share_of(most) * room).max(1);
        label(area, &short(name), (MARGIN, top + 4))?;
        let bar = Rectangle::new([(NAMES, top), (end, top + ROW - 6)], COLORS[0].filled());
        area.draw(&bar).map_err(failed)?;
        label(area, &size(*value), (end + 8, top + 4))?;
    }
    Ok(())
}

fn pie<B: DrawingBackend>(area: &Area<B>, parts: &[Part]) -> Result<()> {
    let total: Bytes = parts.iter().map(|part| part.1).sum();
    let (center, radius) = ((250, 290), 210.0);
    let mut angle = -TAU / 4.0;
    for (index, (name, value)) in parts.iter().enumerate() {
        let color = COLORS[index % COLORS.len()];
        let share = value.share_of(total);
        area.draw(&Polygon::new(slice(center, radius, angle, share), color.filled())).map_err(failed)?;
        angle += share * TAU;
        let top = 60 + whole(index as f64) * ROW;
        area.draw(&Rectangle::new([(500, top), (516, top + 16)], color.filled())).map_err(failed)?;
        label(area, &format!("{}  {}  {}", short(name), size(*value), percent(share)), (526, top + 1))?;
    }
    Ok(())
}

/// The outline of a slice: the centre and points along the rim, close enough to look round.
fn slice(center: (i32, i32), radius: f64, start: f64, share: f64) -> Vec<(i32, i32)> {
    let steps = whole((share * 360.0).ceil()).max(1);
    let rim = (0..=steps).map(|step| {
        let angle = start + share * TAU * f64::from(step) / f64::from(steps);
        (center.0 + whole(radius * angle.cos()), center.1 + whole(radius * angle.sin()))
    });
    std::iter::once(center).chain(rim).collect()
}

fn label<B: DrawingBackend>(area: &Area<B>, text: &str, at: (i32, i32)) -> Result<()> {
    let style = ("sans-serif", 15).into_font().color(&BLACK);
    area.draw(&Text::new(text.to_owned(), at, style)).map_err(failed)
}

fn short(name: &str) -> String {
    if name.chars().count() <= 36 {
        return name.to_owned();
    }
    // The end of a path says more than its start.
    let tail: Vec<char> = name.chars().rev().take(35).collect();
    std::iter::once('…').chain(tail.into_iter().rev()).collect()
}

#[allow(clippy::cast_possible_truncation, reason = "places on a picture of a few thousand pixels")]
fn whole(value: f64) -> i32 {
    value.round() as i32
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Chart(error.to_string())
}

fn encode(pixels: &[u8], (width, height): (u32, u32)) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(pixels).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> Vec<Part> {
        vec![
            ("postgres".into(), Bytes::mib(300)),
            ("a/very/long/path/of/more/than/thirty-six/letters.so".into(), Bytes::mib(100)),
        ]
    }

    #[test]
    fn bars_are_as_long_as_their_values() {
        let svg =
            String::from_utf8(draw(Shape::Bars, Format::Svg, "PSS", &parts()).expect("draws")).expect("text");
        let widths: Vec<f64> = svg
            .split("<rect ")
            .filter(|rect| rect.contains("#0072B2"))
            .filter_map(|rect| rect.split("width=\"").nth(1)?.split('"').next()?.parse().ok())
            .collect();
        assert_eq!(widths.len(), 2);
        assert!((widths[0] / widths[1] - 3.0).abs() < 0.05, "{widths:?}");
        assert!(svg.contains("300.0 MiB") && svg.contains("postgres"));
    }

    #[test]
    fn a_png_is_a_png_with_letters_in_it() {
        let png = draw(Shape::Pie, Format::Png, "PSS", &parts()).expect("draws");
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().expect("a png");
        let mut pixels = vec![0; reader.output_buffer_size().expect("small")];
        reader.next_frame(&mut pixels).expect("one frame");
        let dark = pixels.chunks_exact(3).filter(|pixel| pixel.iter().all(|&part| part < 60)).count();
        assert!(dark > 300, "{dark} dark pixels make no words");
    }

    #[test]
    fn nothing_to_draw_is_an_empty_picture() {
        assert!(draw(Shape::Pie, Format::Svg, "PSS", &[]).is_ok());
        assert!(draw(Shape::Bars, Format::Png, "PSS", &[]).is_ok());
    }
}

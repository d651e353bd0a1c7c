//! Writes SVG: escaped text, a few shapes, and an estimate of how wide text is.
//!
//! Every string that comes from data passes through [`escape`], in content and attributes alike, and
//! no other way of adding text exists. Widths are estimated from above, after wide sans-serif faces,
//! because the reader's font is not known: a label that fits by the estimate fits in practice.

use std::fmt::Write;

/// Title and subtitle.
pub(super) const HEAD_HEIGHT: f64 = 64.0;
/// Space at the left and right edge.
pub(super) const MARGIN: f64 = 24.0;

pub(super) const INK: &str = "#1f2328";
pub(super) const MUTED: &str = "#57606a";
pub(super) const GRID: &str = "#e4e7eb";
pub(super) const AXIS: &str = "#9aa3ad";

/// Series colours, each at least 3:1 on white and differing in lightness as well as hue.
pub(super) const COLOURS: [&str; 8] =
    ["#0067a5", "#d55e00", "#00875f", "#b0559a", "#a67c00", "#1f2328", "#3594d6", "#8a2f1c"];

const FONTS: &str = "Helvetica Neue, Arial, DejaVu Sans, sans-serif";

/// What all charts share: heading and size.
pub(super) struct Frame {
    pub title: String,
    pub width: f64,
    pub panel_height: f64,
}

impl Frame {
    /// Starts a picture of the given height with its heading; `what` is said to screen readers.
    pub(super) fn open(&self, height: f64, subtitle: &str, what: &str) -> Svg {
        let mut svg = Svg::new((self.width, height), &self.title, what);
        let room = self.width - 2.0 * MARGIN;
        let title = Text::new("title", 18.0).bold();
        svg.text((MARGIN, 32.0), &shortened(&self.title, 18.0, room), title);
        let style = Text::new("subtitle", 12.0).fill(MUTED);
        svg.text((MARGIN, 51.0), &shortened(subtitle, 12.0, room), style);
        svg
    }
}

/// Which part of a text lies at its position.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text looks; `class` names its role for tests and style sheets.
#[derive(Clone, Copy)]
pub(super) struct Text {
    class: &'static str,
    size: f64,
    anchor: Anchor,
    bold: bool,
    fill: &'static str,
}

impl Text {
    pub(super) fn new(class: &'static str, size: f64) -> Self {
        Self { class, size, anchor: Anchor::Start, bold: false, fill: INK }
    }

    pub(super) fn anchor(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }

    pub(super) fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    pub(super) fn fill(self, fill: &'static str) -> Self {
        Self { fill, ..self }
    }
}

/// An SVG document under construction. Writing to a `String` cannot fail, so results are dropped.
pub(super) struct Svg {
    out: String,
}

impl Svg {
    fn new((width, height): (f64, f64), title: &str, what: &str) -> Self {
        let mut out = String::new();
        let (w, h) = (number(width), number(height));
        // Told in full to screen readers, within reason: a title may come from a file name.
        let title = escape(&title.chars().take(300).collect::<String>());
        let what = escape(&what.chars().take(600).collect::<String>());
        let _ = write!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" \
             viewBox=\"0 0 {w} {h}\" role=\"img\" aria-label=\"{title}\" font-family=\"{FONTS}\">\n\
             <title>{title}</title>\n<desc>{what}</desc>\n\
             <rect width=\"{w}\" height=\"{h}\" fill=\"#ffffff\"/>\n"
        );
        Self { out }
    }

    /// Opens a group of a role, named for readers by `name`; close it with [`Svg::end`].
    pub(super) fn group(&mut self, class: &'static str, name: &str) {
        let name = escape(&name.chars().take(100).collect::<String>());
        let _ = writeln!(self.out, "<g class=\"{class}\" aria-label=\"{name}\">");
    }

    pub(super) fn end(&mut self) {
        self.out.push_str("</g>\n");
    }

    pub(super) fn text(&mut self, (x, y): (f64, f64), text: &str, style: Text) {
        if text.is_empty() {
            return;
        }
        let anchor = match style.anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let weight = if style.bold { " font-weight=\"600\"" } else { "" };
        let _ = writeln!(
            self.out,
            "<text class=\"{}\" x=\"{}\" y=\"{}\" font-size=\"{}\" fill=\"{}\"{anchor}{weight}>{}</text>",
            style.class,
            number(x),
            number(y),
            number(style.size),
            style.fill,
            escape(text)
        );
    }

    /// A straight rule one pixel wide.
    pub(super) fn rule(&mut self, from: (f64, f64), to: (f64, f64), colour: &str) {
        let _ = writeln!(
            self.out,
            "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" stroke=\"{colour}\"/>",
            number(from.0),
            number(from.1),
            number(to.0),
            number(to.1)
        );
    }

    /// An open path, `wide` pixels wide with round ends; nothing if it is empty.
    pub(super) fn stroke(&mut self, class: &str, path: &str, wide: f64, colour: &str) {
        if !path.is_empty() {
            let _ = writeln!(
                self.out,
                "<path class=\"{class}\" d=\"{path}\" fill=\"none\" stroke=\"{colour}\" \
                 stroke-width=\"{}\" stroke-linecap=\"round\" stroke-linejoin=\"round\"/>",
                number(wide)
            );
        }
    }

    /// A filled path; nothing if it is empty.
    pub(super) fn fill(&mut self, class: &str, path: &str, colour: &str) {
        if !path.is_empty() {
            let _ = writeln!(self.out, "<path class=\"{class}\" d=\"{path}\" fill=\"{colour}\"/>");
        }
    }

    pub(super) fn finish(mut self) -> String {
        self.out.push_str("</svg>\n");
        self.out
    }
}

/// Adds a rectangle between two corners to a path.
pub(super) fn add_box(path: &mut String, a: (f64, f64), b: (f64, f64)) {
    let (left, top) = (a.0.min(b.0), a.1.min(b.1));
    let (wide, high) = ((a.0 - b.0).abs(), (a.1 - b.1).abs());
    let (x, y, w, h) = (number(left), number(top), number(wide), number(high));
    let _ = write!(path, "M{x} {y}h{w}v{h}h-{w}z");
}

/// A coordinate to a tenth of a pixel, without a needless point.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0" } else { text }.to_owned()
}

/// A column or file name as words.
pub(super) fn spaced(name: &str) -> String {
    name.replace('_', " ")
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(' '),
            // Not allowed in XML, or able to turn the reading direction of what follows.
            '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{fffe}'
            | '\u{ffff}' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

/// An upper estimate of a text's width in pixels.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    text.chars().map(char_width).sum::<f64>() * size
}

fn char_width(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 0.34,
        'f' | 'r' | 't' | '(' | ')' | '[' | ']' | '-' | '/' | 'I' | 'J' => 0.42,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '\u{2026}' => 1.0,
        'A'..='Z' | '&' | '+' | '=' | '<' | '>' | '~' | '#' | '\u{2212}' => 0.84,
        ' '..='~' => 0.65,
        '\u{80}'..='\u{2e7f}' => 0.8,
        _ => 1.1,
    }
}

/// The text, cut with an ellipsis if it is wider than `room`.
pub(super) fn shortened(text: &str, size: f64, room: f64) -> String {
    if text_width(text, size) <= room {
        return text.to_owned();
    }
    let mut left = room - text_width("\u{2026}", size);
    let kept = text.chars().take_while(|&c| {
        left -= char_width(c) * size;
        left >= 0.0
    });
    let kept: String = kept.collect();
    format!("{}\u{2026}", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_kept_legal() {
        let hostile = "<a href=\"x\" b='y'>&amp;\u{0}\u{1b}\u{202e}\n";
        let safe = "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;amp;\u{fffd}\u{fffd}\u{fffd} ";
        assert_eq!(escape(hostile), safe);
    }

    #[test]
    fn shortened_text_fits_its_room() {
        for room in [0.0, 20.0, 80.0, 500.0] {
            let cut = shortened("a rather long label, <much> longer", 12.0, room);
            assert!(text_width(&cut, 12.0) <= room.max(12.0), "{cut} in {room}");
        }
        assert_eq!(shortened("short", 12.0, 100.0), "short");
        let (long, cut) = ("a rather long label", shortened("a rather long label", 12.0, 80.0));
        assert!(cut.ends_with('…') && long.starts_with(cut.trim_end_matches('…')), "{cut}");
        assert!(text_width(&cut, 12.0) > 60.0, "{cut} is shorter than it must be");
    }

    #[test]
    fn coordinates_are_brief() {
        let cases = [(1.0, "1"), (-0.01, "0"), (2.46, "2.5"), (-3.2, "-3.2")];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn colours_stand_out_from_the_background() {
        for colour in COLOURS.into_iter().chain([MUTED, INK]) {
            let luminance: f64 = [(1, 0.2126), (3, 0.7152), (5, 0.0722)]
                .map(|(at, weight)| {
                    let channel = u8::from_str_radix(&colour[at..at + 2], 16).expect("hex");
                    let c = f64::from(channel) / 255.0;
                    let linear =
                        if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) };
                    weight * linear
                })
                .iter()
                .sum();
            let contrast = 1.05 / (luminance + 0.05);
            assert!(contrast >= 3.0, "{colour}: {contrast:.2}");
        }
    }
}

//! Bars and trends, as SVG within a page: no script, no library, colours from the style of the page.
//!
//! Whatever a chart shows stands beside it in words or in a table too; titles and descriptions say it to whoever
//! cannot see it. What was not measured is a gap, never a nought.

use std::fmt::Write as _;

use super::plain;
use crate::markup::escaped;

/// Width and height of a trend, in units of its own: about as many pixels.
const SIZE: (f64, f64) = (360.0, 200.0);
/// What is left of the plot, above it, right of it and below it.
const LEFT: f64 = 70.0;
const TOP: f64 = 22.0;
const RIGHT: f64 = 14.0;
const BOTTOM: f64 = 30.0;

/// One value over time.
pub(in crate::drill) struct Trend<'a> {
    /// An id of the program, unlike any other on the page.
    pub(in crate::drill) id: &'static str,
    /// What is shown.
    pub(in crate::drill) title: &'a str,
    /// Oldest first: when, and how much; nothing where nothing was measured. The last is this drill.
    pub(in crate::drill) points: &'a [(String, Option<f64>)],
    /// The objective.
    pub(in crate::drill) limit: Option<f64>,
    /// Writes a value.
    pub(in crate::drill) written: fn(f64) -> String,
    /// Whether values are counts: the axis has no parts of them.
    pub(in crate::drill) whole: bool,
    /// Largest value that there can be, for shares.
    pub(in crate::drill) most: Option<f64>,
}

impl Trend<'_> {
    fn values(&self) -> impl Iterator<Item = f64> + '_ {
        self.points.iter().filter_map(|(_, value)| *value).filter(|value| value.is_finite())
    }

    /// Least and greatest value of the axis. Times and counts begin at nought; shares are looked at from close.
    fn range(&self) -> (f64, f64) {
        let all = || self.values().chain(self.limit.filter(|limit| limit.is_finite()));
        let (least, greatest) = all().fold((f64::INFINITY, 0.0f64), |(least, greatest), value| {
            (least.min(value), greatest.max(value))
        });
        match self.most {
            Some(most) => {
                let least = if least.is_finite() { least } else { 0.0 };
                let from = (least - (most - least).max(most * 0.01) * 0.25).max(0.0);
                (from, most.max(greatest))
            }
            // The middle of the axis is named too.
            None if self.whole => (0.0, (greatest / 2.0).ceil().max(1.0) * 2.0),
            None if greatest > 0.0 => (0.0, greatest * 1.1),
            None => (0.0, 1.0),
        }
    }

    fn described(&self) -> String {
        let measured: Vec<f64> = self.values().collect();
        let mut words = format!("{} drills, {} measured", self.points.len(), measured.len());
        if let Some((when, Some(last))) =
            self.points.last().filter(|(_, last)| last.is_some_and(f64::is_finite))
        {
            let _ = write!(words, "; this one ({when}): {}", (self.written)(*last));
        }
        let (least, greatest) = measured
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), value| (a.min(*value), b.max(*value)));
        if measured.len() > 1 {
            let _ = write!(words, "; from {} to {}", (self.written)(least), (self.written)(greatest));
        }
        if let Some(limit) = self.limit.filter(|limit| limit.is_finite()) {
            let _ = write!(words, "; objective {}", (self.written)(limit));
        }
        words
    }

    /// Draws it; a sentence where there is nothing to draw.
    pub(in crate::drill) fn html(&self) -> String {
        if self.values().next().is_none() {
            return "<p class=\"soft\">Nothing was measured yet.</p>".to_owned();
        }
        let (from, to) = self.range();
        let (width, height) = (SIZE.0 - LEFT - RIGHT, SIZE.1 - TOP - BOTTOM);
        let steps = self.points.len().saturating_sub(1).max(1) as f64;
        let alone = self.points.len() == 1;
        let x = |at: usize| LEFT + if alone { width / 2.0 } else { width * at as f64 / steps };
        let y = |value: f64| TOP + height * (1.0 - ((value - from) / (to - from)).clamp(0.0, 1.0));
        let id = self.id;
        let mut svg = format!(
            "<svg class=\"plot\" viewBox=\"0 0 {} {}\" role=\"img\" aria-labelledby=\"{id}-title {id}-desc\">\
             <title id=\"{id}-title\">{}</title><desc id=\"{id}-desc\">{}</desc>",
            SIZE.0,
            SIZE.1,
            escaped(&plain(self.title)),
            escaped(&plain(&self.described()))
        );
        for part in 0..=2 {
            let value = from + (to - from) * f64::from(part) / 2.0;
            let at = y(value);
            let _ = write!(
                svg,
                "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT + width,
                LEFT - 6.0,
                at + 4.0,
                escaped(&(self.written)(value))
            );
        }
        self.draw_limit(&mut svg, width, &y);
        self.draw_points(&mut svg, &x, &y);
        let ends = [(0, "start"), (self.points.len() - 1, "end")];
        for (at, anchor) in ends.into_iter().skip(usize::from(alone)) {
            let anchor = if alone { "middle" } else { anchor };
            let _ = write!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
                x(at),
                SIZE.1 - 9.0,
                escaped(&plain(&self.points[at].0))
            );
        }
        svg.push_str("</svg>");
        svg
    }

    fn draw_limit(&self, svg: &mut String, width: f64, y: &dyn Fn(f64) -> f64) {
        let Some(limit) = self.limit.filter(|limit| limit.is_finite()) else { return };
        let at = y(limit);
        // Its name stands above the plot, where no value comes.
        let _ = write!(
            svg,
            "<line class=\"limit\" x1=\"{LEFT}\" x2=\"{right:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text class=\"limit-name\" x=\"{right:.1}\" y=\"11\" text-anchor=\"end\">- - objective {}</text>",
            escaped(&(self.written)(limit)),
            right = LEFT + width,
        );
    }

    /// Lines between neighbours that were both measured, and a dot for each that was.
    fn draw_points(&self, svg: &mut String, x: &dyn Fn(usize) -> f64, y: &dyn Fn(f64) -> f64) {
        let measured =
            |at: usize| self.points.get(at).and_then(|(_, value)| value.filter(|value| value.is_finite()));
        let mut line = String::new();
        for at in 0..self.points.len() {
            let Some(value) = measured(at) else { continue };
            let goes_on = at.checked_sub(1).and_then(measured).is_some();
            let _ = write!(line, "{}{:.1} {:.1}", if goes_on { "L" } else { "M" }, x(at), y(value));
        }
        let _ = write!(svg, "<path class=\"line\" d=\"{line}\"/>");
        for (at, (when, _)) in self.points.iter().enumerate() {
            let Some(value) = measured(at) else { continue };
            let class = if at + 1 == self.points.len() { "now" } else { "dot" };
            let _ = write!(
                svg,
                "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.5\"><title>{}: {}</title></circle>",
                x(at),
                y(value),
                escaped(&plain(when)),
                escaped(&(self.written)(value))
            );
        }
    }
}

/// How a bar is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::drill) enum Kind {
    /// Like the others.
    Usual,
    /// The longest.
    Most,
    /// Not done whole.
    Off,
    /// What is possible at best: an outline.
    Floor,
}

/// A bar from `begin` to `end` of `whole`, all in the same unit.
pub(in crate::drill) fn bar((begin, end): (u64, u64), whole: u64, kind: Kind, title: &str) -> String {
    let part = |value: u64| (value as f64 / whole.max(1) as f64).clamp(0.0, 1.0) * 100.0;
    let from = part(begin);
    // What took no time is still seen to be there.
    let width = (part(end) - from).clamp(0.4, 100.0);
    let from = from.min(100.0 - width);
    let class = match kind {
        Kind::Usual => "span",
        Kind::Most => "span most",
        Kind::Off => "span off",
        Kind::Floor => "floor",
    };
    format!(
        "<svg class=\"bar\" viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" role=\"img\">\
         <title>{}</title><rect class=\"track\" width=\"100\" height=\"10\"/>\
         <rect class=\"{class}\" x=\"{from:.2}\" y=\"1\" width=\"{width:.2}\" height=\"8\"/></svg>",
        escaped(&plain(title))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trend(values: &[Option<f64>], limit: Option<f64>, most: Option<f64>) -> String {
        let points: Vec<(String, Option<f64>)> =
            values.iter().enumerate().map(|(at, value)| (format!("day <{at}>"), *value)).collect();
        let written = |value| format!("{value:.1} s");
        Trend { id: "x", title: "Time & \"more\"", points: &points, limit, written, whole: false, most }
            .html()
    }

    /// Every coordinate that was drawn.
    fn coordinates(svg: &str) -> Vec<f64> {
        let names = ["cx=\"", "cy=\"", "y1=\"", "y2=\"", "x1=\"", "x2=\""];
        let of = |name: &'static str| svg.split(name).skip(1);
        let numbers = names.into_iter().flat_map(of).map(|rest| rest.split('"').next().unwrap().parse());
        numbers.map(|number| number.unwrap()).collect()
    }

    #[test]
    fn no_point_is_a_sentence_and_one_is_a_dot() {
        assert_eq!(trend(&[], Some(3.0), None), trend(&[None, None], None, None));
        assert!(!trend(&[], None, None).contains("<svg"));
        let one = trend(&[Some(2.0)], Some(4.0), None);
        assert_eq!(one.matches("<circle").count(), 1);
        assert!(one.contains("class=\"now\"") && one.contains("objective 4.0 s") && !one.contains('L'));
    }

    #[test]
    fn twenty_points_are_one_line_and_what_is_missing_is_a_gap() {
        let mut values: Vec<Option<f64>> = (0..20).map(|at| Some(f64::from(at) * 3.0)).collect();
        let whole = trend(&values, Some(1000.0), None);
        assert_eq!((whole.matches("<circle").count(), whole.matches('L').count()), (20, 19));
        values[7] = None;
        values[19] = None;
        let gaps = trend(&values, Some(1000.0), None);
        assert_eq!((gaps.matches("<circle").count(), gaps.matches('L').count()), (18, 16));
        assert!(!gaps.contains("class=\"now\""), "this drill was not measured");
        assert!(gaps.contains("20 drills, 18 measured; from 0.0 s to 54.0 s; objective 1000.0 s"), "{gaps}");
        assert!(!whole.contains("<0>") && whole.contains("day &lt;0&gt;"));
    }

    #[test]
    fn everything_stays_within_the_plot() {
        let wild = [Some(0.0), Some(f64::NAN), Some(1e300), Some(-5.0), Some(f64::INFINITY)];
        for (values, limit, most) in [
            (&wild[..], Some(2.0), None),
            (&wild[..2], Some(f64::NAN), None),
            (&[Some(0.0), Some(0.0)][..], None, None),
            (&[Some(1.0), Some(1.0)][..], Some(1.0), Some(1.0)),
            (&[Some(0.5), None, Some(0.999)][..], Some(0.99), Some(1.0)),
        ] {
            let drawn = trend(values, limit, most);
            for own in coordinates(&drawn) {
                assert!((0.0..=360.0).contains(&own), "{own} in {drawn}");
            }
            assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
        }
    }

    #[test]
    fn an_axis_of_counts_has_whole_numbers_only() {
        for greatest in [0.0, 1.0, 3.0, 7.0] {
            let points = [("a".to_owned(), Some(greatest))];
            let written = |value: f64| format!("{value}");
            let own =
                Trend { id: "x", title: "", points: &points, limit: None, written, whole: true, most: None };
            let (from, to) = own.range();
            assert!(
                from == 0.0 && to >= greatest && (to / 2.0).fract() == 0.0 && to > 0.0,
                "{greatest}: {to}"
            );
        }
    }

    #[test]
    fn bars_begin_and_end_where_they_should() {
        let drawn = bar((25, 75), 100, Kind::Most, "a < b");
        assert!(drawn.contains("x=\"25.00\"") && drawn.contains("width=\"50.00\""), "{drawn}");
        assert!(drawn.contains("<title>a &lt; b</title>"));
        for (span, whole) in [((0, 0), 0), ((5, 5), 5), ((7, 3), 5), ((0, u64::MAX), 1)] {
            let drawn = bar(span, whole, Kind::Usual, "");
            let own = drawn.split(" x=\"").nth(1).unwrap();
            let (x, rest) = own.split_once('"').unwrap();
            let width = rest.split("width=\"").nth(1).unwrap().split('"').next().unwrap();
            let (x, width): (f64, f64) = (x.parse().unwrap(), width.parse().unwrap());
            assert!(x >= 0.0 && width > 0.0 && x + width <= 100.01, "{drawn}");
        }
    }
}

//! Charts, as SVG. Whole numbers throughout: a picture has places, and money is never a float.

use std::fmt::Write;

use drawdown_domain::money::{Amount, Currency};

use super::markup::escape;
use super::money::{Rounding, money, rounded};
use crate::numbers::count;

const LEFT: i128 = 8;
const BOTTOM: i128 = 24;
const TOP: i128 = 22;

/// How large a picture is drawn. Each is drawn for both kinds of screen, and the style sheet shows one: letters
/// that are scaled down with a picture cannot be read.
#[derive(Clone, Copy, Debug)]
struct Size {
    class: &'static str,
    width: i128,
    height: i128,
    /// More would be thin; the latest are drawn.
    bars_max: usize,
}

const SIZES: [Size; 2] = [
    Size { class: "chart wide", width: 960, height: 220, bars_max: 60 },
    Size { class: "chart phone", width: 320, height: 180, bars_max: 10 },
];

impl Size {
    fn base(self) -> i128 {
        self.height - BOTTOM
    }

    fn right(self) -> i128 {
        self.width - LEFT
    }

    fn begin(self, title: &str) -> String {
        let Size { class, width, height, .. } = self;
        let mut svg = format!(
            "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">",
            escape(title)
        );
        let (base, right) = (self.base(), self.right());
        for (class, y) in [("grid", TOP), ("grid", (TOP + base) / 2), ("axis", base)] {
            put(
                &mut svg,
                format_args!(
                    "<line class=\"{class}\" x1=\"{LEFT}\" y1=\"{y}\" x2=\"{right}\" y2=\"{y}\"/>"
                ),
            );
        }
        svg
    }
}

/// A bar: what stands below it, and how high it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) amount: Amount,
}

/// What bars stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Money(Option<Currency>),
    Count,
}

impl Unit {
    fn shown(self, amount: Amount) -> String {
        match self {
            Unit::Money(currency) => {
                let code = currency.map_or("", Currency::code);
                format!("{} {code}", money(&amount.to_string(), currency))
            }
            Unit::Count => count(&amount.to_string()),
        }
    }
}

/// `part` of `whole` as so many of `of`.
fn scaled(part: Amount, whole: Amount, of: i128) -> i128 {
    let (part, whole) = (part.raw().max(0), whole.raw());
    // Halved until the product fits: a picture needs no more than ten bits.
    let shift = 100_u32.saturating_sub(part.leading_zeros()).min(64);
    let (part, whole) = (part >> shift, whole >> shift);
    part.checked_mul(of).and_then(|product| product.checked_div(whole)).unwrap_or(0).clamp(0, of)
}

/// Bars side by side, oldest first; nothing for none.
pub(super) fn bars(title: &str, bars: &[Bar], unit: Unit) -> String {
    SIZES
        .iter()
        .map(|size| {
            let latest = bars.get(bars.len().saturating_sub(size.bars_max)..).unwrap_or(bars);
            bars_of(*size, title, latest, unit)
        })
        .collect()
}

fn bars_of(size: Size, title: &str, bars: &[Bar], unit: Unit) -> String {
    let Some(most) = bars.iter().map(|bar| bar.amount).max().filter(|most| most.is_positive())
    else {
        return String::new();
    };
    let mut svg = size.begin(title);
    let count = i128::try_from(bars.len()).unwrap_or(1).max(1);
    let step = (size.width - 2 * LEFT) / count;
    let wide = (step * 7 / 10).clamp(2, 64);
    let base = size.base();
    put(&mut svg, format_args!("<text x=\"{LEFT}\" y=\"14\">{}</text>", escape(&unit.shown(most))));
    let name_every = (count * 60).div_euclid(size.width) + 1;
    for (place, bar) in (0..).zip(bars) {
        let high = scaled(bar.amount, most, base - TOP).max(1);
        let x = LEFT + place * step + (step - wide) / 2;
        let (day, shown) = (day(&bar.name), unit.shown(bar.amount));
        put(
            &mut svg,
            format_args!(
                "<rect class=\"bar-of\" x=\"{x}\" y=\"{}\" width=\"{wide}\" height=\"{high}\" rx=\"3\"><title>{}: {}</title></rect>",
                base - high,
                escape(&day),
                escape(&shown)
            ),
        );
        // The latest always has its name.
        if (count - 1 - place) % name_every == 0 {
            put(
                &mut svg,
                format_args!(
                    "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                    x + wide / 2,
                    size.height - 6,
                    escape(&day)
                ),
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `2026-03-01` as `1 Mar`; anything else as it is.
fn day(name: &str) -> String {
    let parts: Vec<&str> = name.split('-').collect();
    let [_, month, day] = parts[..] else { return name.to_owned() };
    let month = month.parse::<usize>().ok().and_then(|month| MONTHS.get(month.checked_sub(1)?));
    month
        .map_or_else(|| name.to_owned(), |month| format!("{} {month}", day.trim_start_matches('0')))
}

/// How what is available runs out at the present burn.
#[derive(Clone, Debug)]
pub(super) struct Runway {
    pub(super) available: Amount,
    pub(super) currency: Option<Currency>,
    /// How long it lasts, in words.
    pub(super) lasts: String,
    /// The day on which nothing is left.
    pub(super) empty_on: String,
}

impl Runway {
    pub(super) fn drawn(&self) -> String {
        SIZES.iter().map(|size| self.of(*size)).collect()
    }

    fn of(&self, size: Size) -> String {
        let (base, right) = (size.base(), size.right());
        let end = right - 6;
        let mut svg =
            size.begin(&format!("At the present burn nothing is left on {}", self.empty_on));
        put(
            &mut svg,
            format_args!(
                "<path class=\"area\" d=\"M{LEFT} {TOP} L{end} {base} L{LEFT} {base} Z\"/>"
            ),
        );
        put(&mut svg, format_args!("<path class=\"line\" d=\"M{LEFT} {TOP} L{end} {base}\"/>"));
        put(&mut svg, format_args!("<circle class=\"end\" cx=\"{end}\" cy=\"{base}\" r=\"5\"/>"));
        let code = self.currency.map_or("", Currency::code);
        let available = rounded(self.available, self.currency, Rounding::Down);
        let below = size.height - 6;
        // What is said of the end stands above it, where the line does not come.
        let texts = [
            ("", LEFT, 14, "start", format!("{available} {code} available")),
            ("end-text", right, TOP + 18, "end", format!("lasts {}", self.lasts)),
            ("", LEFT, below, "start", "today".to_owned()),
            ("end-text", right, below, "end", day(&self.empty_on)),
        ];
        for (class, x, y, anchor, text) in texts {
            put(
                &mut svg,
                format_args!(
                    "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{}</text>",
                    escape(&text)
                ),
            );
        }
        svg.push_str("</svg>");
        svg
    }
}

fn put(svg: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    svg.write_fmt(what).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_their_amounts() {
        let whole = Amount::whole(8);
        assert_eq!(scaled(Amount::whole(2), whole, 100), 25);
        assert_eq!(scaled(Amount::MAX, Amount::MAX, 100), 100);
        assert_eq!(scaled(Amount::whole(-1), whole, 100), 0);
        let bar = |name: &str, amount| Bar { name: name.to_owned(), amount };
        let svg = bars("Spend", &[bar("2026-03-01", whole), bar("<x>", Amount::ONE)], Unit::Count);
        assert!(svg.contains(">1 Mar<") && svg.contains("&lt;x&gt;") && !svg.contains("<x>"));
        assert_eq!(bars("Spend", &[bar("a", Amount::ZERO)], Unit::Count), "");
        assert_eq!(
            (day("2026-12-31").as_str(), day("2026-13-31").as_str()),
            ("31 Dec", "2026-13-31")
        );
    }
}

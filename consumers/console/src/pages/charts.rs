//! Charts, as SVG. Whole numbers throughout: a picture has places, and money is never a float.

use std::fmt::Write;

use drawdown_domain::money::{Amount, Currency};

use super::table::{count, money};

const WIDTH: i128 = 960;
const HEIGHT: i128 = 220;
const LEFT: i128 = 8;
const BOTTOM: i128 = 24;
const TOP: i128 = 22;

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
            Unit::Money(currency) => money(&amount.to_string(), currency),
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

fn begin(title: &str) -> String {
    format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        escape(title)
    )
}

pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Bars side by side, oldest first; nothing for none.
pub(super) fn bars(title: &str, bars: &[Bar], unit: Unit) -> String {
    let Some(most) = bars.iter().map(|bar| bar.amount).max().filter(|most| most.is_positive())
    else {
        return String::new();
    };
    let mut svg = begin(title);
    let count = i128::try_from(bars.len()).unwrap_or(1).max(1);
    let step = (WIDTH - 2 * LEFT) / count;
    let wide = (step * 7 / 10).clamp(2, 64);
    let base = HEIGHT - BOTTOM;
    put(&mut svg, format_args!("<text x=\"{LEFT}\" y=\"12\">{}</text>", escape(&unit.shown(most))));
    put(
        &mut svg,
        format_args!(
            "<line class=\"axis\" x1=\"{LEFT}\" y1=\"{base}\" x2=\"{}\" y2=\"{base}\"/>",
            WIDTH - LEFT
        ),
    );
    let name_every = (count * 60).div_euclid(WIDTH) + 1;
    for (place, bar) in (0..).zip(bars) {
        let high = scaled(bar.amount, most, base - TOP).max(1);
        let x = LEFT + place * step + (step - wide) / 2;
        let shown = unit.shown(bar.amount);
        put(
            &mut svg,
            format_args!(
                "<rect class=\"bar-of\" x=\"{x}\" y=\"{}\" width=\"{wide}\" height=\"{high}\" rx=\"3\"><title>{}: {}</title></rect>",
                base - high,
                escape(&bar.name),
                escape(&shown)
            ),
        );
        if place % name_every == 0 {
            let short = bar.name.get(5..).unwrap_or(&bar.name);
            put(
                &mut svg,
                format_args!(
                    "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                    x + wide / 2,
                    HEIGHT - 6,
                    escape(short)
                ),
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

/// How what is available runs out at the present burn.
pub(super) fn runway(available: Amount, days_left: Amount, empty_on: &str) -> String {
    let base = HEIGHT - BOTTOM;
    let (left, right) = (LEFT, WIDTH - 130);
    let mut svg = begin(&format!("At the present burn nothing is left on {empty_on}"));
    put(
        &mut svg,
        format_args!(
            "<line class=\"axis\" x1=\"{left}\" y1=\"{base}\" x2=\"{}\" y2=\"{base}\"/>",
            WIDTH - LEFT
        ),
    );
    put(
        &mut svg,
        format_args!("<path class=\"area\" d=\"M{left} {TOP} L{right} {base} L{left} {base} Z\"/>"),
    );
    put(&mut svg, format_args!("<path class=\"line\" d=\"M{left} {TOP} L{right} {base}\"/>"));
    put(&mut svg, format_args!("<circle class=\"end\" cx=\"{right}\" cy=\"{base}\" r=\"5\"/>"));
    put(
        &mut svg,
        format_args!(
            "<text x=\"{}\" y=\"14\">{}</text>",
            left + 4,
            escape(&money(&available.to_string(), None))
        ),
    );
    put(
        &mut svg,
        format_args!(
            "<text class=\"end-text\" x=\"{}\" y=\"{}\">{}</text>",
            right + 10,
            base - 22,
            escape(empty_on)
        ),
    );
    put(
        &mut svg,
        format_args!(
            "<text x=\"{}\" y=\"{}\">in {} days</text>",
            right + 10,
            base - 6,
            escape(&days_left.to_string())
        ),
    );
    put(&mut svg, format_args!("<text x=\"{left}\" y=\"{}\">today</text>", HEIGHT - 6));
    svg.push_str("</svg>");
    svg
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
        assert!(svg.contains("03-01") && svg.contains("&lt;x&gt;") && !svg.contains("<x>"));
        assert_eq!(bars("Spend", &[bar("a", Amount::ZERO)], Unit::Count), "");
    }
}

//! Numbers as people read them.

/// A whole number, its thousands apart.
pub(crate) fn count(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("\u{2212}", digits));
    let mut grouped = String::from(sign);
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// So many of something, in words: `1 record` or `1,204 records`.
pub fn counted(number: impl Into<i128>, what: &str) -> String {
    let number = number.into();
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", count(&number.to_string()))
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn one_is_one() {
        let said = [0, 1, 1_204].map(|number| counted(number, "step"));
        assert_eq!(said, ["0 steps", "1 step", "1,204 steps"]);
    }
}

//! So many of something, as it is said.

use indicatif::HumanCount;

/// Such as `1 record` or `1,204 records`.
pub fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", HumanCount(count))
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn one_is_one() {
        let said = [0, 1, 1_204].map(|count| counted(count, "step"));
        assert_eq!(said, ["0 steps", "1 step", "1,204 steps"]);
    }
}

//! What can be explained, by its name.

/// A name, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named<'a> {
    /// `ba-acme.7`: a bill of a billing account.
    Bill(&'a str, u64),
    /// `ba-acme.e17`: an entry of a billing account.
    Entry(&'a str, u64),
    /// `ba-acme.p3`: a payment of a billing account.
    Payment(&'a str, u64),
    /// `SG-2026-000001`, or `CN-SG-2026-000001` for a credit note.
    Invoice(&'a str),
}

impl<'a> Named<'a> {
    pub(super) fn read(id: &'a str) -> Option<Named<'a>> {
        if is_number_of_invoice(id) {
            return Some(Named::Invoice(id));
        }
        let (wallet, last) = id.rsplit_once('.').filter(|(wallet, _)| !wallet.is_empty())?;
        let number = |digits: &str| {
            // As it is printed: no sign, no zeros before it.
            digits.parse().ok().filter(|number: &u64| number.to_string() == digits)
        };
        match (last.strip_prefix('e'), last.strip_prefix('p')) {
            (Some(entry), _) => number(entry).map(|number| Named::Entry(wallet, number)),
            (_, Some(payment)) => number(payment).map(|number| Named::Payment(wallet, number)),
            (None, None) => number(last).map(|number| Named::Bill(wallet, number)),
        }
    }

    /// The view whose rows it is one of: who may see them, may see how they came about.
    pub(super) fn view(&self) -> &'static str {
        match self {
            Named::Bill(..) => "bills",
            Named::Entry(..) => "entries",
            Named::Payment(..) => "payments",
            Named::Invoice(_) => "invoices",
        }
    }
}

/// Whether a part of an explanation can be explained by itself.
pub(crate) fn can_be_explained(kind: &str, name: &str) -> bool {
    matches!(kind, "bill" | "bill_paid" | "entry" | "invoice" | "payment")
        && Named::read(name).is_some()
}

fn is_number_of_invoice(id: &str) -> bool {
    // China's invoices begin as credit notes do.
    is_number(id) || id.strip_prefix("CN-").is_some_and(is_number)
}

fn is_number(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [country, year, count] = parts.as_slice() else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    country.len() == 2
        && country.bytes().all(|byte| byte.is_ascii_uppercase())
        && digits(year)
        && digits(count)
}

/// What is said where nothing is called so.
pub(super) fn unknown(id: &str) -> String {
    format!(
        "nothing that can be explained is called {id}; a bill looks like ba-acme.7, entry 17 of ba-acme is ba-acme.e17, a payment looks like ba-acme.p3, an invoice like SG-2026-000001: the views `bills`, `entries`, `payments` and `invoices` list them"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_it_is() {
        let check = |id: &str, expected: Option<Named<'_>>| {
            assert_eq!(Named::read(id), expected, "{id}");
        };
        check("ba-acme.7", Some(Named::Bill("ba-acme", 7)));
        check("ba-acme.e17", Some(Named::Entry("ba-acme", 17)));
        check("ba-acme.p3", Some(Named::Payment("ba-acme", 3)));
        // A billing account may be called like a bill.
        check("ba.5.1", Some(Named::Bill("ba.5", 1)));
        check("ba.p5.e1", Some(Named::Entry("ba.p5", 1)));
        check("SG-2026-000001", Some(Named::Invoice("SG-2026-000001")));
        for number in ["CN-SG-2026-000001", "CN-2026-000001", "CN-CN-2026-000001"] {
            check(number, Some(Named::Invoice(number)));
        }
        for wrong in [
            "",
            "ba-acme",
            ".7",
            "ba-acme.",
            "ba-acme.07",
            "ba-acme.e",
            "ba-acme.x1",
            "ba.-1",
            "sg-2026-000001",
            "SG-2026",
            "SG-2026-x",
            "CN-SG-2026",
            "ba-acme.p+3",
        ] {
            check(wrong, None);
        }
        assert!(unknown("x").contains("called x;"));
    }
}

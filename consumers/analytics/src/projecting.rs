//! What each topic's messages become: one plain function a topic, from a message to rows.
//!
//! **Invariant:** the same message gives the same rows. Nothing here knows ClickHouse, the log or the time.

mod dealings;
mod money;
mod said;
mod usage;

use drawdown_wire::schemas::Unreadable;
use drawdown_wire::topics::Topic;

use crate::rows::{Place, Rows};

pub(crate) use usage::{Listed, counted};

/// Turns a message into rows.
pub(crate) type Project = fn(&[u8], Place, &mut Rows) -> Result<(), Unreadable>;

/// The topics that are read, but for usage, with what their messages become.
pub(crate) const PROJECTIONS: &[(Topic, Project)] = &[
    (Topic::Entries, money::entries),
    (Topic::Bills, money::bills),
    (Topic::Charges, money::charges),
    (Topic::Balances, money::balances),
    (Topic::Payments, dealings::payments),
    (Topic::PaymentRequests, dealings::payment_requests),
    (Topic::InvoiceRuns, dealings::invoice_runs),
    (Topic::Invoices, dealings::invoices),
    (Topic::Services, dealings::services),
    (Topic::Outcomes, said::outcomes),
    (Topic::Notices, said::notices),
    (Topic::Mails, said::mails),
    (Topic::Rejects, usage::rejects),
];

/// The projection of a topic; none: it is usage, or not read.
pub(crate) fn of(topic: Topic) -> Option<Project> {
    PROJECTIONS.iter().find(|(known, _)| *known == topic).map(|(_, project)| *project)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages of a schema that every version of us can read, with what they say.
    fn examples(schema: &str) -> Vec<(Vec<u8>, serde_json::Value)> {
        let path = format!("{}/../../schemas/examples/{schema}.json", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        let examples = file.as_array().cloned().unwrap_or_else(|| vec![file]);
        let message = |example: &serde_json::Value| {
            let hex = example["message"].as_str().unwrap().as_bytes();
            let byte =
                |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
            hex.chunks(2).map(byte).collect()
        };
        examples.iter().map(|example| (message(example), example["value"].clone())).collect()
    }

    /// How many things a message says: the entries of its lists, or of the lists in those.
    fn said(topic: Topic, value: &serde_json::Value) -> usize {
        let length = |list: &serde_json::Value| list.as_array().map_or(0, Vec::len);
        match topic {
            Topic::Charges => value["groups"]
                .as_array()
                .unwrap()
                .iter()
                .map(|group| length(&group["lines"]))
                .sum::<usize>()
                .saturating_add(length(&value["covered"])),
            _ => value.as_object().unwrap().values().map(length).sum(),
        }
    }

    fn capitalised(word: &str) -> String {
        let (first, rest) = word.split_at(1);
        format!("{}{rest}", first.to_uppercase())
    }

    #[test]
    fn every_example_becomes_a_row_for_each_thing_it_says() {
        for (topic, project) in PROJECTIONS {
            let schema: String = topic.name().split('_').map(capitalised).collect();
            let mut most = 0;
            for (message, value) in examples(&schema) {
                let mut rows = Rows::default();
                project(&message, Place { partition: 3, offset: 17 }, &mut rows).unwrap();
                let found: u64 = rows.parts().unwrap().values().map(|part| part.rows()).sum();
                assert_eq!(found as usize, said(*topic, &value), "{schema}: {value}");
                most = most.max(found);
            }
            assert!(most > 0, "no example of {schema} says anything");
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for (topic, project) in PROJECTIONS {
            let place = Place { partition: 0, offset: 0 };
            assert!(project(b"nothing", place, &mut Rows::default()).is_err(), "{topic:?}");
        }
    }
}

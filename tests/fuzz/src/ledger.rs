//! Commands, and the messages by which consumers speak to each other.

use drawdown_domain::commands::Command;
use drawdown_wire::avro::{self, Truncated};
use drawdown_wire::lines::{each_line, open_lines};
use drawdown_wire::messages::{self, LedgerInput};
use drawdown_wire::schemas::{self, Schema};
use drawdown_wire::{identities, state};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The name of a command, a line end, and its fields as JSON. What is understood comes back from the log as the same.
pub(crate) fn commands(bytes: &[u8]) {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return };
    let (name, fields) = bytes.split_at(end);
    let Ok(name) = std::str::from_utf8(name) else { return };
    let mut fields = serde_json::Deserializer::from_slice(fields);
    let Some(Ok(command)) = Command::read(name, &mut fields) else { return };
    let log = avro::encode(&command);
    assert_eq!(avro::decode::<Command>(&log).ok(), Some(command));
}

type Reader = (&'static Schema, fn(&Schema, &[u8]));

/// What can be read comes back as the same when it is written.
fn comes_back<T: Serialize + DeserializeOwned>(schema: &Schema, message: &[u8]) {
    let Ok(read) = schema.read::<T>(message) else { return };
    let again = schema.message(&read);
    let read_again = schema.read::<T>(&again).unwrap();
    assert_eq!(schema.message(&read_again), again, "{}", schema.name);
}

const READERS: &[Reader] = &[
    (&schemas::USAGE_CONTROL, comes_back::<messages::UsageControl>),
    (&schemas::COMMAND, comes_back::<messages::CommandMessage>),
    (&schemas::COMMAND_CONTROL, comes_back::<messages::CommandControl>),
    (&schemas::SIGNED, comes_back::<messages::Signed>),
    (&schemas::LEDGER, comes_back::<messages::LedgerMessage>),
    (&schemas::OUTCOMES, comes_back::<messages::Outcomes>),
    (&schemas::CHARGES, comes_back::<messages::Charges>),
    (&schemas::ENTRIES, comes_back::<messages::Entries>),
    (&schemas::BILLS, comes_back::<messages::Bills>),
    (&schemas::BALANCES, comes_back::<messages::Balances>),
    (&schemas::REJECTS, comes_back::<messages::Rejects>),
    (&schemas::PAYMENT_WISHES, comes_back::<messages::PaymentWishes>),
    (&schemas::PAYMENTS, comes_back::<messages::Payments>),
    (&schemas::PAYMENT_REQUESTS, comes_back::<messages::PaymentRequests>),
    (&schemas::NOTICES, comes_back::<messages::Notices>),
    (&schemas::SERVICES, comes_back::<messages::Services>),
    (&schemas::PERIODS_CLOSED, comes_back::<messages::PeriodsClosed>),
    (&schemas::INVOICE_RUNS, comes_back::<messages::InvoiceRuns>),
    (&schemas::INVOICES, comes_back::<messages::Invoices>),
    (&schemas::MAILS, comes_back::<messages::Mails>),
    (&schemas::FRAME, comes_back::<state::Frame>),
    (&schemas::METERING_DELTA, comes_back::<state::MeteringDelta>),
    (&schemas::METERING_PIECE, comes_back::<state::MeteringPiece>),
    (&schemas::REGISTRY_DELTA, comes_back::<state::RegistryDelta>),
    (&schemas::REGISTRY_PIECE, comes_back::<state::RegistryPart>),
    (&schemas::BALANCE_DELTA, comes_back::<state::BalanceDelta>),
    (&schemas::BALANCE_PIECE, comes_back::<state::BalancePiece>),
    (&schemas::ERRANDS_DELTA, comes_back::<state::ErrandsDelta>),
    (&schemas::ERRANDS_PIECE, comes_back::<state::ErrandsPiece>),
];

/// Which of the schemas, and a value of it.
pub(crate) fn schemas(bytes: &[u8]) {
    let Some((which, value)) = bytes.split_first() else { return };
    let Some((schema, comes_back)) = READERS.get(usize::from(*which)) else { return };
    let mut message = Vec::new();
    avro::put_header(&mut message, schema.fingerprint());
    message.extend_from_slice(value);
    comes_back(schema, &message);
}

/// Messages that are read by hand: lines, as the declared decoder reads them, and identities.
pub(crate) fn packed(bytes: &[u8]) {
    let mut by_hand = Vec::new();
    let read = open_lines(bytes).and_then(|opened| match opened {
        None => Ok(false),
        Some((_, cursor)) => each_line::<Truncated>(cursor, |line| {
            by_hand.push(line);
            Ok(())
        })
        .map(|()| true),
    });
    let declared = avro::decode_prefix::<messages::LedgerMessage>(bytes);
    if let (Ok(true), Ok((message, _))) = (read, declared) {
        let LedgerInput::Lines(lines) = message.input else { panic!("lines are read as others") };
        assert_eq!(lines.lines, by_hand);
    }
    if let Ok(packed) = identities::Packed::open(bytes) {
        packed.each(&mut |_| ()).ok();
    }
}

pub(crate) mod seeds {
    use super::READERS;
    use serde_json::Value;

    fn examples(name: &str) -> Vec<Value> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/examples");
        let text = std::fs::read_to_string(format!("{folder}/{name}.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// What stands behind the header.
    fn value(example: &Value) -> Vec<u8> {
        let digits: Vec<u32> =
            example["message"].as_str().unwrap().chars().filter_map(|c| c.to_digit(16)).collect();
        let bytes = digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap());
        bytes.skip(10).collect()
    }

    pub(crate) fn commands() -> Vec<Vec<u8>> {
        let mut commands = Vec::new();
        for example in examples("Command") {
            for (record, fields) in example["value"]["command"].as_object().unwrap() {
                let mut name = String::new();
                for letter in record.chars() {
                    if letter.is_uppercase() && !name.is_empty() {
                        name.push('_');
                    }
                    name.extend(letter.to_lowercase());
                }
                commands.push(format!("{name}\n{fields}").into_bytes());
            }
        }
        commands
    }

    pub(crate) fn schemas() -> Vec<Vec<u8>> {
        let mut seeds = Vec::new();
        for (which, (schema, _)) in (0_u8..).zip(READERS) {
            for example in examples(schema.name) {
                seeds.push([vec![which], value(&example)].concat());
            }
        }
        seeds
    }

    pub(crate) fn packed() -> Vec<Vec<u8>> {
        examples("LedgerMessage").iter().map(value).collect()
    }
}

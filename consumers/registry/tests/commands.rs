//! Commands as they come from outside, the unreadable among them.

#![allow(clippy::unwrap_used, clippy::expect_used)] // tests, all of it

use drawdown_domain::commands::{Command, LoadSettings};
use drawdown_domain::ids::PrincipalId;
use drawdown_domain::refusal::Refusal;
use drawdown_domain::registry::{KeyHash, NumberKey, Place};
use drawdown_domain::time::Timestamp;
use drawdown_log::{Message, Offset};
use drawdown_registry::{Registry, RegistryOptions};
use drawdown_runtime::{Input, Output, Station};
use drawdown_wire::avro::{self, Fingerprint, put_header, put_long, put_text};
use drawdown_wire::messages::{CommandControl, CommandMessage, Outcome, Outcomes, Tick};
use drawdown_wire::schemas;
use drawdown_wire::signature::Secret;
use drawdown_wire::topics::{DEFAULT_PLAN, TopicPlan, Topics};

fn registry() -> Registry {
    let topics = Topics::new("", &TopicPlan::parse(DEFAULT_PLAN).unwrap());
    Registry::new(RegistryOptions { topics, secret: Secret::new([7; 32]), tick_every: None })
}

/// Takes messages, from offset 10 on.
fn take(registry: &mut Registry, messages: &[Vec<u8>]) -> Output {
    let at = "2026-03-01T00:00:00Z".parse().unwrap();
    let messages: Vec<Message<'_>> = messages
        .iter()
        .zip(10..)
        .map(|(value, offset)| Message { partition: 0, offset: Offset(offset), at, value })
        .collect();
    let mut output = Output::default();
    registry.take(Input { messages: &messages }, &mut output).unwrap();
    registry.finish(&mut output).unwrap();
    output
}

fn outcomes(registry: &mut Registry, messages: &[Vec<u8>]) -> Vec<Outcome> {
    let (appends, _) = take(registry, messages).into_parts();
    let told = appends.iter().filter(|append| append.topic == "outcomes");
    told.flat_map(|append| schemas::OUTCOMES.read::<Outcomes>(&append.value).unwrap().outcomes)
        .collect()
}

fn asked(key: &str, document: &str) -> Vec<u8> {
    command(key, LoadSettings { document: document.to_owned() }.into())
}

fn command(key: &str, command: Command) -> Vec<u8> {
    let (principal, key) = (PrincipalId::operator(), Some(key.parse().unwrap()));
    schemas::COMMAND.message(&CommandMessage { principal, key, origin: None, command })
}

/// R11.4: whatever stands on `commands` is answered, also what cannot be read, and the rest flows on.
#[test]
fn r11_4_what_cannot_be_read_is_refused_with_a_reason() {
    let mut unknown_schema = Vec::new();
    put_header(&mut unknown_schema, Fingerprint(5));
    let good = asked("k", "usage.max_age = \"40d\"");
    let torn = good[..good.len() - 3].to_vec();
    // A command that is none of ours, by somebody with a key.
    let mut no_such_case = Vec::new();
    put_header(&mut no_such_case, schemas::COMMAND.fingerprint());
    put_text(&mut no_such_case, "somebody");
    put_long(&mut no_such_case, 1);
    put_text(&mut no_such_case, "his-key");
    put_long(&mut no_such_case, 0);
    put_long(&mut no_such_case, 9_999);
    let tick = CommandControl::Tick(Tick { at: Timestamp::END });
    let forged = Secret::new([8; 32]).sign("commands", schemas::COMMAND_CONTROL.message(&tick));
    let foreign = b"{}".to_vec();
    let messages = [foreign, Vec::new(), unknown_schema, torn, no_such_case, forged, good];
    let mut registry = registry();
    let told = outcomes(&mut registry, &messages);
    let expected = [
        (10, "unknown", None, "not one of our messages"),
        (11, "unknown", None, "not one of our messages"),
        (12, "unknown", None, "not a Command of this version"),
        (13, "operator", Some("k"), "cut off"),
        (14, "somebody", Some("his-key"), ""),
        (15, "unknown", None, "sign"),
    ];
    assert_eq!(told.len(), 7, "{told:?}");
    for ((command, principal, key, detail), outcome) in expected.into_iter().zip(&told) {
        assert_eq!((outcome.command, outcome.principal.as_str()), (command, principal));
        assert_eq!(outcome.key.as_ref().map(|key| key.as_str()), key);
        assert_eq!(outcome.name, "unreadable");
        assert_eq!(outcome.refused, Some(Refusal::Malformed));
        let found = outcome.detail.as_ref().unwrap();
        assert!(!found.is_empty() && found.contains(detail), "{found}");
    }
    // What was torn took no key.
    assert_eq!((told[6].command, told[6].refused, told[6].repeats), (16, None, None));
    assert!(registry.state().now() < Timestamp::END, "a forged record has no say");
}

/// R11.5: the first answer and nothing else; with other content, a refusal.
#[test]
fn r11_5_a_repeat_is_known_by_what_it_says() {
    let first = asked("k", "usage.max_age = \"40d\"");
    let other = asked("k", "usage.max_age = \"41d\"");
    let told = outcomes(&mut registry(), &[first.clone(), first, other]);
    assert_eq!((told[1].repeats, told[1].refused), (Some(10), None));
    assert_eq!((told[2].repeats, told[2].refused), (None, Some(Refusal::KeyReused)));
}

/// What the registry writes block by block is what is declared.
#[test]
fn a_delta_is_a_value_of_its_schema() {
    let output = take(&mut registry(), &[asked("k", "usage.max_age = \"40d\"")]);
    let (_, delta) = output.into_parts();
    let declared: drawdown_wire::state::RegistryDelta = avro::decode(&delta).unwrap();
    assert_eq!(declared.facts.len(), 3);
}

/// A snapshot is as long as it has to be: it goes on behind whatever a piece ended with.
#[test]
fn every_place_in_a_snapshot_is_found_again() {
    let key = NumberKey("SG".parse().unwrap(), 2026, 7);
    let places = [
        Place::Shared,
        Place::Claims(Some(3)),
        Place::Enterprises(Some("e".parse().unwrap())),
        Place::Accounts(Some("a".parse().unwrap())),
        Place::Wallets(Some("ba-a".parse().unwrap())),
        Place::Emails(Some(("a@b.example".parse().unwrap(), Some("a".parse().unwrap())))),
        Place::Emails(Some(("a@b.example".parse().unwrap(), None))),
        Place::Methods(Some("m".parse().unwrap())),
        Place::Remittances(Some("r".parse().unwrap())),
        Place::Requests(Some("q".parse().unwrap())),
        Place::Invoices(Some(key)),
        Place::Keys(Some(KeyHash(u64::MAX, 1))),
        Place::Acting(Some(PrincipalId::operator())),
        Place::Acting(None),
    ];
    for place in places {
        assert_eq!(avro::decode::<Place>(&avro::encode(&place)).unwrap(), place);
    }
}

/// Thousands of accounts and keys do not fit into one piece.
#[test]
fn a_registry_is_made_again_from_pieces_of_one_thing_each() {
    let mut whole = registry();
    let open = |id: &str| {
        let named = serde_json::json!({ "enterprise": id, "name": "E", "country": "SG" });
        command(id, Command::read("open_enterprise", named).unwrap().unwrap())
    };
    let account = |id: &str| {
        let named = serde_json::json!({ "account": id, "enterprise": "e", "email": format!("{id}@b.example"),
            "currency": "USD", "mode": "postpaid" });
        command(id, Command::read("open_account", named).unwrap().unwrap())
    };
    take(&mut whole, &[open("e"), open("f"), account("a"), account("b"), account("c")]);
    let pieces = taken_apart(&whole);
    assert!(pieces.len() > 12, "everything was in one piece");
    let mut again = registry();
    pieces.iter().for_each(|piece| again.load(piece).unwrap());
    assert_eq!(taken_apart(&again), pieces);
}

/// All that a registry holds, one thing a piece.
fn taken_apart(registry: &Registry) -> Vec<Vec<u8>> {
    let (mut pieces, mut place) = (Vec::new(), Some(Vec::new()));
    while let Some(at) = place {
        let (piece, after) = registry.piece(&at, 1);
        pieces.push(piece);
        place = after;
        assert!(pieces.len() < 50, "this snapshot never ends");
    }
    pieces
}

//! An audit finds what is wrong with a log, and names where it stands.

mod command_line;
mod long_lived;
mod taken_back;
mod tamper;

use drawdown::audit::{Figure, Report};
use drawdown::rehearse::Stage;
use drawdown_balance::{Part, each_part};
use drawdown_domain::commands::Command;
use drawdown_domain::ledger::Fact;
use drawdown_domain::money::Amount;
use drawdown_wire::avro::{self, SINGLE_OBJECT_HEADER_BYTES};
use drawdown_wire::messages::{Bills, Entries, Invoices, LedgerInput, LedgerMessage};
use drawdown_wire::schemas;
use drawdown_wire::state::Frame;
use drawdown_wire::topics::Topic;

use tamper::{Change, Changes, History, is_cut};

fn cent() -> Amount {
    "0.01".parse().unwrap()
}

/// Audits the history with a change made to it.
fn audited(change: Changes<'_>) -> Report {
    History::told().audit_with(change)
}

/// The one place that is changed: the first message of a topic that something can be made of.
fn change_first(
    topic: Topic,
    mut change: impl FnMut(&[u8]) -> Option<Change>,
) -> (Report, u32, i64) {
    let mut place = None;
    let report = audited(&mut |at, partition, offset, message| {
        if at != topic || place.is_some() {
            return Change::Keep;
        }
        let Some(changed) = change(message) else { return Change::Keep };
        place = Some((partition, offset));
        changed
    });
    let (partition, offset) = place.expect("nothing was changed");
    (report, partition, offset)
}

/// Asserts that a difference names a place and all of these words.
fn names(report: &Report, place: &str, words: &[&str]) {
    let named = report
        .found()
        .iter()
        .map(ToString::to_string)
        .any(|found| found.starts_with(place) && words.iter().all(|word| found.contains(word)));
    assert!(named, "nothing names {place} with {words:?}:\n{report}");
}

/// R1.3: the log as it was written is in order, and all of it was looked at.
#[test]
fn r1_3_a_log_nobody_has_touched_has_no_differences() {
    let report = audited(&mut |_, _, _, _| Change::Keep);
    assert_eq!(report.differences(), 0, "{report}");
    for figure in [
        Figure::MeteringSteps,
        Figure::UsageMessages,
        Figure::RegistrySteps,
        Figure::SaidToLedgers,
        Figure::BalanceSteps,
        Figure::LedgerMessages,
        Figure::FactsBooked,
        Figure::WalletsProven,
        Figure::MonthsProven,
        Figure::EntriesRead,
        Figure::BillsRead,
        Figure::ChargesRead,
        Figure::InvoicesRead,
        Figure::InvoicesNumbered,
        Figure::BalancesCompared,
    ] {
        assert!(report.figure(figure) > 0, "none of: {}\n{report}", figure.text());
    }
    let sum = report
        .books
        .values()
        .try_fold(Amount::ZERO, |sum, (debit, credit)| sum.plus(*debit)?.minus(*credit));
    assert_eq!(sum, Ok(Amount::ZERO));
}

/// R3.6: bills that were issued in slices, between messages and after them, are decided again in the
/// same slices.
#[test]
fn r3_6_slices_are_decided_again_as_they_were_cut() {
    let stage = Stage { timers_per_message_max: 1, ..Stage::memory().unwrap() };
    let history = History::on(stage);
    let report = history.audit_with(&mut |_, _, _, _| Change::Keep);
    assert_eq!(report.differences(), 0, "{report}");
    let cuts = history.cuts();
    assert!(cuts > 0, "nothing was cut between messages");
    let mut changed = false;
    let frames = history.frames(Topic::BalanceState, &mut |_, _, frame| {
        // One more timer than there was.
        if !changed && is_cut(frame) {
            frame.payload.0[SINGLE_OBJECT_HEADER_BYTES + 3] += 2;
            changed = true;
        }
    });
    let report = history.audit_with(&mut |topic, partition, offset, _| match topic {
        Topic::BalanceState => Change::To(frames[&(partition, offset)].clone()),
        _ => Change::Keep,
    });
    names(&report, "balance_state ", &["step"]);
}

/// R4.4: an entry whose amount was changed on its topic.
#[test]
fn r4_4_a_cent_in_an_entry_is_found() {
    let (report, partition, offset) = change_first(Topic::Entries, |message| {
        let mut entries: Entries = schemas::ENTRIES.read(message).unwrap();
        let entry = entries.entries.first_mut()?;
        entry.amount = entry.amount.plus(cent()).unwrap();
        Some(Change::To(schemas::ENTRIES.message(&entries)))
    });
    let place = format!("entries {partition} at {offset}: ");
    names(&report, &place, &["found", "100.01", "decided", "\"100\"", "ba-"]);
    names(&report, &place, &["entry 1 of ba-", "0 and 100.01 make 100"]);
}

/// R1.3: charges that are not on their topic.
#[test]
fn r1_3_missing_charges_are_found() {
    let (report, partition, offset) = change_first(Topic::Charges, |_| Some(Change::Lose));
    names(&report, &format!("charges {partition} at {offset}: "), &["missing", "0.4995", "ba-"]);
    names(&report, &format!("charges {partition}: "), &["charges come to", "in the ledger to"]);
}

/// Whether a message holds the first invoice of its series.
fn is_first(invoices: &Invoices) -> bool {
    invoices.invoices.iter().any(|invoice| invoice.number.ends_with("-000001"))
}

/// R12.2: an issued invoice never changes.
#[test]
fn r12_2_a_cent_on_an_invoice_is_found() {
    let (report, partition, offset) = change_first(Topic::Invoices, |message| {
        let mut invoices: Invoices = schemas::INVOICES.read(message).unwrap();
        let line = invoices.invoices.first_mut()?.lines.first_mut()?;
        line.amount = line.amount.plus(cent()).unwrap();
        Some(Change::To(schemas::INVOICES.message(&invoices)))
    });
    let place = format!("invoices {partition} at {offset}: ");
    names(&report, &place, &["found", "decided", "SG-2026-"]);
    names(&report, &place, &["its lines come to", "its net is"]);
}

/// R12.2: numbers are gapless.
#[test]
fn r12_2_an_invoice_that_is_nowhere_is_found() {
    let (report, partition, _) = change_first(Topic::Invoices, |message| {
        is_first(&schemas::INVOICES.read(message).unwrap()).then_some(Change::Lose)
    });
    names(&report, &format!("invoices {partition}"), &["missing", "SG-2026-000001"]);
    names(&report, "invoices 0: ", &["SG-2026-000001 is nowhere"]);
}

#[test]
fn r12_2_an_invoice_that_stands_there_twice_is_found() {
    let (report, partition, _) = change_first(Topic::Invoices, |message| {
        is_first(&schemas::INVOICES.read(message).unwrap()).then(|| Change::Twice(message.to_vec()))
    });
    names(&report, &format!("invoices {partition} at "), &["SG-2026-000001 was given twice"]);
}

/// R12.2: a number that the registry gave in another order than is decided again.
#[test]
fn r12_2_a_number_that_the_registry_did_not_give_is_found() {
    let (report, partition, offset) = change_first(Topic::Ledger, |message| {
        let mut told: LedgerMessage = schemas::LEDGER.read(message).ok()?;
        let LedgerInput::InvoiceNumbered(numbered) = &mut told.input else { return None };
        numbered.number = "SG-2026-000009".to_owned();
        Some(Change::To(schemas::LEDGER.message(&told)))
    });
    names(&report, &format!("ledger {partition} at {offset}: "), &["SG-2026-000009"]);
    names(&report, &format!("balance_state {partition} at "), &["SG-2026-000009"]);
}

/// R5.3: a bill that is paid twice.
#[test]
fn r5_3_a_doubled_bill_payment_is_found() {
    let mut bill = String::new();
    let (report, partition, offset) = change_first(Topic::Bills, |message| {
        let mut bills: Bills = schemas::BILLS.read(message).unwrap();
        let payment = bills.payments.first()?.clone();
        bill.clone_from(&payment.bill);
        bills.payments.insert(0, payment);
        Some(Change::To(schemas::BILLS.message(&bills)))
    });
    let place = format!("bills {partition} at {offset}: ");
    names(&report, &place, &["is paid for", &bill]);
    names(&report, &place, &["found", "decided", &bill]);
}

/// R1.3: a whole message of bills that stands there twice.
#[test]
fn r1_3_a_message_that_nobody_decided_is_found() {
    let (report, partition, offset) =
        change_first(Topic::Bills, |message| Some(Change::Twice(message.to_vec())));
    let second = offset + 1;
    names(&report, &format!("bills {partition} at {second}: "), &["ba-"]);
}

/// R4.3: a balance that is not the ledger's.
#[test]
fn r4_3_a_cent_in_the_latest_balance_is_found() {
    let history = History::told();
    let last = history.last_balances();
    let report = history.audit_with(&mut |topic, partition, offset, message| {
        if topic != Topic::Balances || (partition, offset) != last {
            return Change::Keep;
        }
        let mut balances: drawdown_wire::messages::Balances =
            schemas::BALANCES.read(message).unwrap();
        let balance = balances.balances.first_mut().unwrap();
        balance.cash = balance.cash.plus(cent()).unwrap();
        Change::To(schemas::BALANCES.message(&balances))
    });
    names(&report, &format!("balances {}: ba-", last.0), &["cash is", "in the ledger"]);
}

/// A delta with a flipped bit does not match its checksum.
#[test]
fn a_flipped_bit_in_a_delta_is_found() {
    let (report, partition, offset) = change_first(Topic::BalanceState, |message| {
        let mut frame: Frame = schemas::FRAME.read(message).unwrap();
        *frame.payload.0.get_mut(20)? ^= 1;
        Some(Change::To(schemas::FRAME.message(&frame)))
    });
    let place = format!("balance_state {partition} at {offset}: ");
    names(&report, &place, &["does not match its checksum"]);
}

/// R1.3: a cent in a delta, with all checksums made to fit again.
#[test]
fn r1_3_a_cent_in_a_delta_is_found() {
    let place = in_a_delta(|fact| match fact {
        Fact::Moved(moved) if moved.amount == Amount::whole(100) => {
            moved.amount = moved.amount.plus(cent()).unwrap();
            true
        }
        _ => false,
    });
    let (report, place) = place;
    names(&report, &place, &["says ba-", "100.01", "decided again it is ba-", "\"100\""]);
}

/// R5.3: a delta decided with another rule: what paid a bill was not what should have.
#[test]
fn r5_3_a_changed_rule_is_found() {
    let (report, place) = in_a_delta(|fact| match fact {
        Fact::BillIssued(issued) if issued.bill.amount.is_positive() => {
            issued.bill.amount = issued.bill.amount.plus(cent()).unwrap();
            true
        }
        _ => false,
    });
    names(&report, &place, &["says ba-", "BillIssued", "decided again it is ba-"]);
}

/// A state message that is lost.
#[test]
fn a_lost_state_message_is_found() {
    let mut count = 0;
    let (report, partition, offset) = change_first(Topic::BalanceState, |_| {
        count += 1;
        (count == 3).then_some(Change::Lose)
    });
    let place = format!("balance_state {partition} at {offset}: ");
    names(&report, &place, &["state is missing between them"]);
}

/// R2.2: a line that metering did not count.
#[test]
fn r2_2_a_line_nobody_counted_is_found() {
    let (report, partition, offset) = change_first(Topic::Ledger, |message| {
        let mut ledger: LedgerMessage = schemas::LEDGER.read(message).unwrap();
        let LedgerInput::Lines(lines) = &mut ledger.input else { return None };
        let line = lines.lines.first_mut()?;
        line.quantity = line.quantity.plus(Amount::ONE).unwrap();
        Some(Change::To(schemas::LEDGER.message(&ledger)))
    });
    let place = format!("ledger {partition} at {offset}: ");
    names(&report, &place, &["Metering", "said", "decided again"]);
}

/// R1.3: a command that the registry did not forward as it stands there.
#[test]
fn r1_3_a_command_nobody_admitted_is_found() {
    let (report, partition, offset) = change_first(Topic::Ledger, |message| {
        let mut ledger: LedgerMessage = schemas::LEDGER.read(message).unwrap();
        let LedgerInput::Admitted(admitted) = &mut ledger.input else { return None };
        let Command::TopUp(top_up) = &mut admitted.command else { return None };
        top_up.amount = top_up.amount.plus(cent()).unwrap();
        Some(Change::To(schemas::LEDGER.message(&ledger)))
    });
    let place = format!("ledger {partition} at {offset}: ");
    names(&report, &place, &["Registry", "100.01", "decided again", "\"100\""]);
}

/// R2.2: an identity that was not remembered would let a repeat be counted.
#[test]
fn r2_2_lost_identities_are_found() {
    let mut count = 0;
    let (report, partition, offset) = change_first(Topic::Identities, |_| {
        count += 1;
        (count == 2).then_some(Change::Lose)
    });
    names(&report, &format!("identities {partition} at {offset}: "), &["missing before this"]);
}

/// R11.5: a fact of the registry that its commands do not make.
#[test]
fn r11_5_a_changed_fact_of_the_registry_is_found() {
    let history = History::told();
    let (before, after) = (b"\x04ea", b"\x04ex");
    let mut changed = None;
    let frames = history.frames(Topic::RegistryState, &mut |partition, offset, frame| {
        let place = frame.payload.0.windows(3).position(|bytes| bytes == before);
        if let (None, Some(place)) = (changed, place) {
            frame.payload.0.splice(place..place + 3, *after);
            changed = Some((partition, offset));
        }
    });
    let (partition, offset) = changed.unwrap();
    let report = history.audit_with(&mut |topic, partition, offset, _| match topic {
        Topic::RegistryState => Change::To(frames[&(partition, offset)].clone()),
        _ => Change::Keep,
    });
    let place = format!("registry_state {partition} at {offset}: ");
    names(&report, &place, &["says", "\"ex\"", "decided again it is", "\"ea\""]);
    assert!(report.figure(Figure::RegistryUnproven) > 0, "{report}");
}

/// Steps of other rules are not decided again, and are listed.
#[test]
fn steps_of_other_rules_are_listed() {
    let report = audited(&mut |topic, _, _, message| {
        if topic != Topic::BalanceState {
            return Change::Keep;
        }
        let mut frame: Frame = schemas::FRAME.read(message).unwrap();
        frame.rules_version = 0;
        Change::To(schemas::FRAME.message(&frame))
    });
    assert_eq!(report.differences(), 0, "{report}");
    assert_eq!(report.figure(Figure::BalanceSteps), 0);
    assert!(report.figure(Figure::BalanceOtherRules) > 0);
}

/// R1.3: facts that contradict the ledger are found by arithmetic, where nothing is decided again.
#[test]
fn r1_3_arithmetic_alone_finds_more_spent_than_there_was() {
    let history = History::told();
    let mut changed = None;
    let frames = history.frames(Topic::BalanceState, &mut |partition, offset, frame| {
        frame.rules_version = 0;
        let done = changed.is_none()
            && rewrite(&mut frame.payload.0, &mut |fact| match fact {
                Fact::Moved(moved) if moved.amount.is_negative() => {
                    moved.amount = moved.amount.plus(Amount::whole(-100_000)).unwrap();
                    true
                }
                _ => false,
            });
        if done {
            changed = Some((partition, offset));
        }
    });
    let report = history.audit_with(&mut |topic, partition, offset, _| match topic {
        Topic::BalanceState => Change::To(frames[&(partition, offset)].clone()),
        _ => Change::Keep,
    });
    let (partition, offset) = changed.unwrap();
    let place = format!("balance_state {partition} at {offset}: ");
    names(&report, &place, &["contradicts the ledger"]);
}

/// R1.3: steps whose input is forgotten are listed, and what is left is still proven.
#[test]
fn steps_whose_input_is_gone_are_listed() {
    let history = History::told();
    let log = history.copy(&mut |_, _, _, _| Change::Keep);
    for partition in 0..history.topics().ledger_partitions {
        let end = drawdown_log::Log::bounds(&log, "ledger", partition).unwrap().end;
        let before = drawdown_log::Next(end.0 / 2);
        drawdown_log::Log::truncate(&log, "ledger", partition, before).unwrap();
    }
    let report = history.audit(log);
    assert_eq!(report.differences(), 0, "{report}");
    assert!(report.figure(Figure::BalanceInputGone) > 0, "{report}");
    assert!(report.figure(Figure::BalanceSteps) > 0, "{report}");
}

/// Audits the history with a fact of a ledger changed in its delta, and all checksums made to fit.
fn in_a_delta(mut change: impl FnMut(&mut Fact) -> bool) -> (Report, String) {
    let history = History::told();
    let mut changed = None;
    let frames = history.frames(Topic::BalanceState, &mut |partition, offset, frame| {
        if changed.is_none() && rewrite(&mut frame.payload.0, &mut change) {
            changed = Some((partition, offset));
        }
    });
    let (partition, offset) = changed.expect("no fact was changed");
    let report = history.audit_with(&mut |topic, partition, offset, _| match topic {
        Topic::BalanceState => Change::To(frames[&(partition, offset)].clone()),
        _ => Change::Keep,
    });
    (report, format!("balance_state {partition} at {offset}: "))
}

/// Writes a delta anew with one fact changed; false if none was.
fn rewrite(delta: &mut Vec<u8>, change: &mut dyn FnMut(&mut Fact) -> bool) -> bool {
    if delta.is_empty() {
        return false;
    }
    let mut found = None;
    each_part(&schemas::BALANCE_DELTA.value(delta).unwrap(), &mut |part| {
        if let (Part::Fact(mut fact), true) = (part, found.is_none()) {
            let before = fact.clone();
            if change(&mut fact) {
                found = Some((before, fact));
            }
        }
        Ok(())
    })
    .unwrap();
    let Some((before, after)) = found else { return false };
    let (before, after) = (avro::encode(&before), avro::encode(&after));
    let place = delta.windows(before.len()).position(|bytes| bytes == before).unwrap();
    delta.splice(place..place + before.len(), after);
    true
}

/// The frames of a partition fit each other again.
#[test]
fn changed_frames_are_chained_as_the_log_chains_them() {
    let history = History::told();
    let frames = history.frames(Topic::BalanceState, &mut |_, _, _| ());
    let report = history.audit_with(&mut |topic, partition, offset, message| {
        if topic == Topic::BalanceState {
            assert_eq!(frames[&(partition, offset)], message);
        }
        Change::Keep
    });
    assert_eq!(report.differences(), 0);
}

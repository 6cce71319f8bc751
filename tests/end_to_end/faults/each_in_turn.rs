//! Every consumer killed in turn, the mail server and ClickHouse with them, while usage, charges and mails are
//! under way.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use drawdown::audit::{TablesReport, audit_tables};
use drawdown_components::{ClickHouse, MailServer};
use drawdown_domain::money::Amount;
use drawdown_domain::payments::{PaymentCause, PaymentStatus};
use drawdown_log::{Next, Point};
use drawdown_runtime::clock::Clock;
use drawdown_wire::messages::{Charges, Invoices, MailState, Mails, Notices, Payments};
use drawdown_wire::topics::Topic;
use serde_json::{Value, json};

use super::check::{self, NOT_KEPT, decoded};
use super::load::Load;
use super::rig::{Rig, RigOptions};
use super::site::{PATIENT, Site, await_that};
use crate::end_to_end::console::client::Client;

const CONSUMERS: &[&[&str]] = &[
    &["metering"],
    &["registry"],
    &["balance"],
    &["payments"],
    &["alerts"],
    &["analytics"],
    &["console"],
    &["invoices"],
];
const ALERTS: usize = 4;
const ANALYTICS: usize = 5;
const INVOICES: usize = 7;
/// Each is killed so many times.
const ROUNDS: usize = 2;
const WITHIN: Duration = Duration::from_secs(120);
const CUSTOMERS: usize = 6;

/// Usage that comes by HTTP to a console that is killed: each batch is sent until it is acknowledged.
struct ByHttp {
    end: Arc<AtomicBool>,
    sender: JoinHandle<u64>,
}

impl ByHttp {
    fn start(client: Client, clock: Clock) -> ByHttp {
        let end = Arc::new(AtomicBool::new(false));
        let told = end.clone();
        let sender = std::thread::spawn(move || {
            let mut records = 0;
            while !told.load(Ordering::Acquire) {
                let lines: String = (0..CUSTOMERS)
                    .map(|customer| {
                        let record = json!({ "source": "http", "id": format!("{records}-{customer}"),
                            "account": format!("{NOT_KEPT}{customer}"), "product": "compute", "meter": "hours",
                            "quantity": "400", "time": clock.now() });
                        format!("{record}\n")
                    })
                    .collect();
                let kind = [("content-type", "application/x-ndjson")];
                let key = [("authorization", "Bearer demo")];
                let headers = [&kind[..], &key[..]].concat();
                while client.try_send("POST", "/v1/usage", &headers, lines.as_bytes()) != Some(200)
                {
                    std::thread::sleep(Duration::from_millis(20));
                }
                records += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
            records
        });
        ByHttp { end, sender }
    }

    /// How many records each customer has used.
    fn stop(self) -> u64 {
        self.end.store(true, Ordering::Release);
        self.sender.join().unwrap()
    }
}

/// By the API, whatever state the workers are in: repeated under one key until it is answered.
fn done(client: Client, name: &str, fields: &Value) {
    let key = format!("{name} {fields}").chars().take(200).collect::<String>();
    let headers = [
        ("authorization", "Bearer demo"),
        ("content-type", "application/json"),
        ("idempotency-key", key.as_str()),
    ];
    let (path, body) = (format!("/v1/do/{name}"), fields.to_string());
    await_that(&format!("an answer to {name} {fields}"), WITHIN, || {
        client.try_send("POST", &path, &headers, body.as_bytes()) == Some(200)
    });
}

/// Customers whose cards are charged at two dollars, and some of the book-keeper's who are warned by mail.
fn open_customers(client: Client) {
    let settings = format!("{PATIENT}\npayments.card_threshold = {{ USD = \"2.00\" }}");
    done(client, "load_settings", &json!({ "document": settings }));
    let enterprise = json!({ "enterprise": NOT_KEPT, "name": "Outside", "country": "SG" });
    done(client, "open_enterprise", &enterprise);
    for customer in 0..CUSTOMERS {
        let (account, wallet) =
            (format!("{NOT_KEPT}{customer}"), format!("ba-{NOT_KEPT}{customer}"));
        let mail = format!("{account}@customers.example");
        done(
            client,
            "open_account",
            &json!({ "account": account, "enterprise": NOT_KEPT, "email": mail, "currency": "USD", "mode": "postpaid" }),
        );
        let card = json!({ "billing_account": wallet, "method": format!("visa-{customer}"), "kind": "card",
            "token": "tok_ok", "brand": "visa", "expires": "2029-12" });
        done(client, "link_payment_method", &card);
    }
}

fn each<T: serde::de::DeserializeOwned>(site: &Site, topic: Topic, mut visit: impl FnMut(T)) {
    let name = site.setup.topics.name(topic);
    for partition in 0..site.setup.plan.partitions(topic) {
        let scanned = site.log.scan(name, partition, Next::START, Next(i64::MAX), &mut |message| {
            visit(decoded(&message));
            true
        });
        scanned.unwrap();
    }
}

/// How far the group of a consumer has come in all.
fn position(rig: &Rig, consumer: &str) -> i64 {
    let topic = match consumer {
        "metering" => Topic::Usage,
        "registry" => Topic::Commands,
        "balance" => Topic::Ledger,
        "payments" => Topic::PaymentWishes,
        "alerts" => Topic::Notices,
        "analytics" => Topic::Bills,
        other => panic!("{other} has no group"),
    };
    let prefix = &rig.setup.config.installation().prefix;
    let group = match consumer {
        "analytics" => drawdown_analytics::group_of(prefix, topic),
        other => format!("{prefix}{other}"),
    };
    let (name, partitions) = (rig.setup.topics.name(topic), rig.setup.plan.partitions(topic));
    let next =
        |partition| rig.log.committed(&group, name, partition).unwrap().unwrap_or(Next::START);
    (0..partitions).map(|partition| next(partition).0).sum()
}

/// Kills a worker, starts it again, and waits until it has got on.
fn kill_and_wait(rig: &mut Rig, worker: usize) {
    let consumer = CONSUMERS[worker][0];
    let what = format!("{consumer} getting on after its end");
    rig.kill(worker);
    match consumer {
        "console" => {
            rig.restart(worker);
            let is_well = || rig.console().try_send("GET", "/healthz", &[], b"") == Some(200);
            await_that(&what, WITHIN, is_well);
        }
        // It may have nothing to do for hours.
        "invoices" => {
            let reads = |rig: &Rig| rig.said_by(worker).matches("restored; reading").count();
            let before = reads(rig);
            rig.restart(worker);
            await_that(&what, WITHIN, || reads(rig) > before);
        }
        _ => {
            let before = position(rig, consumer);
            rig.restart(worker);
            await_that(&what, WITHIN, || position(rig, consumer) > before);
        }
    }
}

/// R1.3, R2.2, R6.3, R6.4: no total changes, each charge is one in the gateway's own book, and each mail arrives;
/// twice only where the server took it and nobody heard of that.
#[test]
fn whoever_is_killed_no_total_changes_and_no_charge_is_made_twice() {
    let began = Instant::now();
    let mut mails = MailServer::start().unwrap();
    let mut engine = ClickHouse::start(Path::new(env!("CARGO_BIN_EXE_drawdown"))).unwrap();
    let options = RigOptions {
        workers: CONSUMERS,
        mail_port: Some(mails.port()),
        clickhouse: Some(engine.port()),
        ..RigOptions::default()
    };
    let mut rig = Rig::start(options);
    rig.open_accounts();
    open_customers(rig.console());
    // It ends among the mails of the first invoices, before it has said so; there are none yet.
    assert!(!rig.kill_at(INVOICES, Point::OffsetsSent, 3), "INVOICES ended before any invoice");
    let load = Load::start(&rig, 31);
    let by_http = ByHttp::start(rig.console(), rig.clock.clone());
    let mut kills = 0;
    for _ in 0..ROUNDS {
        for worker in (0..rig.workers()).filter(|worker| *worker != INVOICES) {
            kill_and_wait(&mut rig, worker);
            kills += 1;
        }
        mails.kill().unwrap();
        let tried = || rig.said_by(ALERTS).matches("a try came to nothing yet").count();
        let before = tried();
        await_that("a try to send a mail to nobody", WITHIN, || tried() > before);
        mails.resume().unwrap();
        engine.kill().unwrap();
        // Long enough for bills to find nobody.
        rig.let_pass(60);
        engine.resume().unwrap();
    }
    let (sent, each_customer) = (load.stop(), by_http.stop());
    rig.wait_for_rest();
    await_that("the end of INVOICES among its mails", WITHIN, || rig.ended(INVOICES).is_some());
    kill_and_wait(&mut rig, INVOICES);
    kills += 1;
    await_rest_outside(&rig);
    // Time itself is told as long as they run.
    let others: Vec<usize> = (0..rig.workers()).filter(|worker| *worker != ANALYTICS).collect();
    rig.end(&others);
    let tables = await_tables(&rig);
    rig.end(&[ANALYTICS]);
    println!("{tables}");
    assert_eq!(tables.found(), []);
    let books = check::compare(&rig, &sent);
    println!("{books}");
    assert!(books.differences.is_empty(), "{:#?}", books.differences);
    check_charges(&rig, each_customer);
    let charges = check_gateway(&rig);
    let twice = check_mails(&rig, &mails);
    // Only what was under way when ALERTS or the server ended, once in each round.
    let under_way_max = rig.setup.config.mail().in_flight_max * ROUNDS * 2;
    assert!(twice <= under_way_max, "{twice} mails came more than once");
    println!("{kills} kills, {charges} charges, {:.0} s", began.elapsed().as_secs_f64());
}

/// Waits until all that the log says is in ClickHouse.
fn await_tables(rig: &Rig) -> TablesReport {
    let installation = rig.setup.installation(rig.log.clone()).unwrap();
    let mut report = TablesReport::default();
    await_that("everything in ClickHouse", WITHIN, || {
        report = audit_tables(&installation, &rig.setup.store()).unwrap().unwrap_or_default();
        report.behind() == 0 && report.rows("usage") > 0
    });
    report
}

/// Waits until nothing that is wished of the outside is open any more.
fn await_rest_outside(rig: &Rig) {
    await_that("an end of all payments and mails", WITHIN, || {
        let (open, unsent) = (open_payments(rig), unsent_mails(rig));
        open.is_empty() && unsent.is_empty()
    });
}

fn open_payments(rig: &Rig) -> BTreeSet<String> {
    let mut open = BTreeSet::new();
    each(rig, Topic::Payments, |told: Payments| {
        for payment in told.payments {
            match payment.status {
                PaymentStatus::Pending | PaymentStatus::Delayed => open.insert(payment.payment),
                _ => open.remove(&payment.payment),
            };
        }
    });
    open
}

/// The mails that notices and invoices ask for and that no server has taken.
fn unsent_mails(rig: &Rig) -> BTreeSet<(String, String)> {
    let mut unsent = BTreeSet::new();
    each(rig, Topic::Invoices, |told: Invoices| {
        for invoice in told.invoices {
            unsent.extend(
                invoice.recipients.iter().map(|to| (invoice.number.to_string(), to.to_string())),
            );
        }
    });
    each(rig, Topic::Notices, |told: Notices| {
        for notice in told.notices {
            unsent
                .extend(notice.recipients.iter().map(|to| (notice.notice.clone(), to.to_string())));
        }
    });
    let mut sent = BTreeSet::new();
    each(rig, Topic::Mails, |told: Mails| {
        for mail in told.mails.into_iter().filter(|mail| mail.state == MailState::Sent) {
            sent.insert((mail.mail, mail.to.to_string()));
        }
    });
    unsent.retain(|(notice, to)| {
        !sent.iter().any(|(mail, whom)| whom == to && mail.starts_with(&format!("{notice}.")))
    });
    unsent
}

/// Usage that came by HTTP is charged once, however often it was sent.
fn check_charges(rig: &Rig, records_each: u64) {
    let (mut records, mut charged) = (0, Amount::default());
    each(rig, Topic::Charges, |told: Charges| {
        for charge in told.rows() {
            if charge.account.as_str().starts_with(NOT_KEPT) {
                records += u64::try_from(charge.records).unwrap();
                charged = charged.plus(charge.charge).unwrap();
            }
        }
    });
    let expected = records_each * CUSTOMERS as u64;
    assert_eq!(records, expected);
    // 400 hours at 0.0004.
    let price: Amount = "0.16".parse().unwrap();
    assert_eq!(charged.raw(), price.raw() * i128::from(expected));
}

/// Each payment that succeeded is one charge in the gateway's own book, over the same amount, and no other is.
fn check_gateway(rig: &Rig) -> usize {
    let mut paid = BTreeMap::new();
    each(rig, Topic::Payments, |told: Payments| {
        for payment in told.payments {
            let charges = payment.cause != PaymentCause::Preauthorisation;
            if charges && payment.status == PaymentStatus::Succeeded {
                paid.insert(payment.payment, payment.amount);
            }
        }
    });
    let mut charged = BTreeMap::new();
    for line in rig.book().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if line["kind"] == "charge" {
            let amount: Amount = line["amount"].as_str().unwrap().parse().unwrap();
            let again = charged.insert(line["key"].as_str().unwrap().to_owned(), amount);
            assert!(again.is_none(), "charged twice: {line}");
        }
    }
    assert!(charged.len() > CUSTOMERS, "only {charged:?}");
    assert_eq!(charged, paid, "the gateway's book, and what the log says was paid");
    charged.len()
}

/// Every mail came; how many came more than once, each under one Message-ID with one content.
fn check_mails(rig: &Rig, server: &MailServer) -> usize {
    let mut times = BTreeMap::<String, Vec<String>>::new();
    for mail in server.accepted().unwrap() {
        times.entry(mail.message_id).or_default().push(mail.text.unwrap_or_default());
    }
    let mut told = BTreeSet::new();
    each(rig, Topic::Mails, |mails: Mails| {
        told.extend(mails.mails.into_iter().map(|mail| mail.mail))
    });
    let arrived: BTreeSet<String> = times.keys().cloned().collect();
    assert_eq!(arrived, told, "mails as the log has them, and as they arrived");
    assert!(arrived.len() >= 10, "only {arrived:?}");
    let mut by_times = BTreeMap::<usize, usize>::new();
    for (id, texts) in &times {
        *by_times.entry(texts.len()).or_default() += 1;
        assert!(texts.windows(2).all(|two| two[0] == two[1]), "{id} says different things");
        if texts.len() > 1 {
            println!("sent {} times: {id}", texts.len());
        }
    }
    println!("{} mails; Message-IDs by how often each was sent: {by_times:?}", arrived.len());
    times.values().filter(|texts| texts.len() > 1).count()
}

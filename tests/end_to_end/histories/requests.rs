//! Pay for me while ledgers lag behind each other, workers die, and commits are lost or seen late: whatever
//! happens, a request is paid once, and what left one ledger enters the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use drawdown::audit;
use drawdown::installation::Installation;
use drawdown_balance::Balance;
use drawdown_domain::commands::Command;
use drawdown_domain::ids::{PrincipalId, WalletId};
use drawdown_domain::ledger::{Ledger, Wallet};
use drawdown_domain::money::Amount;
use drawdown_domain::payments::{PaymentAnswer, PaymentCause};
use drawdown_domain::requests::{Direction, RequestStatus};
use drawdown_domain::time::Timestamp;
use drawdown_log::{Faults, Log, Memory, Next};
use drawdown_registry::Registry;
use drawdown_runtime::clock::Clock;
use drawdown_runtime::{Worker, read_to_end};
use drawdown_wire::messages::{
    CommandMessage, LedgerMessage, PaymentAnswered, PaymentWish, PaymentWishes,
};
use drawdown_wire::schemas;
use drawdown_wire::signature::Secret;
use drawdown_wire::topics::{DEFAULT_PLAN, Topic, TopicPlan, Topics};
use serde_json::{Value, json};

use crate::end_to_end::random::Random;

const LEDGERS: u32 = 2;
/// Two enterprises share a ledger, the third has one of its own.
const ENTERPRISES: [&str; 3] = ["acme", "globex", "hooli"];
const CASH: i64 = 200;
const COMMANDS: u64 = 60;

struct Plant {
    random: Random,
    installation: Installation,
    registry: Worker<Registry>,
    /// One for each ledger, so that each lags by itself.
    balance: Vec<Worker<Balance>>,
    commands: u64,
    /// What gateways have said of each payment.
    answered: BTreeMap<String, (PaymentWish, PaymentAnswer)>,
}

impl Plant {
    fn new(seed: u64) -> Plant {
        let plan = TopicPlan::parse(DEFAULT_PLAN).unwrap();
        let plan = TopicPlan { usage_partitions: 1, ledger_partitions: LEDGERS, ..plan };
        let names = Topic::ALL.iter().map(|topic| (topic.name(), plan.partitions(*topic)));
        let faults = Faults {
            seed,
            answer_lost_per_mille: 50,
            commit_lost_per_mille: 50,
            visible_late_per_mille: 200,
        };
        let log: Arc<dyn Log> = Arc::new(Memory::new(names, faults));
        let (topics, clock) = (Topics::new("", &plan), Clock::manual(start()));
        let installation = Installation {
            commit_interval: Duration::ZERO,
            snapshot_after_bytes: 1 << 12,
            ..Installation::new(log, topics, Secret::new([7; 32]), clock)
        };
        let registry = installation.registry();
        let balance = (0..LEDGERS).map(|own| one(&installation, own).balance()).collect();
        let (random, answered) = (Random(seed), BTreeMap::new());
        Plant { random, installation, registry, balance, commands: 0, answered }
    }

    fn append(&self, topic: Topic, partition: u32, message: &[u8]) {
        let Installation { log, topics, .. } = &self.installation;
        log.append(topics.name(topic), partition, start(), &[message]).unwrap();
    }

    /// Asks for something, now and then twice.
    fn ask(&mut self, name: &str, fields: Value) {
        self.commands += 1;
        let message = schemas::COMMAND.message(&CommandMessage {
            principal: PrincipalId::operator(),
            key: Some(format!("key-{}", self.commands).parse().unwrap()),
            origin: None,
            command: Command::read(name, fields).unwrap().unwrap(),
        });
        let times = 1 + u64::from(self.random.one_in(3));
        for _ in 0..times {
            self.append(Topic::Commands, 0, &message);
            self.work();
        }
    }

    /// Somebody works for a while, and now and then somebody dies and comes back.
    fn work(&mut self) {
        for _ in 0..self.random.below(5) {
            let who = self.random.below(1 + u64::from(LEDGERS)) as usize;
            let dies = self.random.one_in(15);
            match who.checked_sub(1) {
                None => {
                    if dies {
                        self.registry = self.installation.registry();
                    }
                    self.registry.turn(Duration::ZERO).unwrap();
                }
                Some(ledger) => {
                    if dies {
                        self.balance[ledger] = one(&self.installation, ledger as u32).balance();
                    }
                    self.balance[ledger].turn(Duration::ZERO).unwrap();
                }
            }
        }
    }

    /// Everybody works until nothing is left to do: a commit may take some looks to be seen.
    fn settle(&mut self) {
        for _ in 0..150 {
            self.registry.turn(Duration::ZERO).unwrap();
            for worker in &mut self.balance {
                worker.turn(Duration::ZERO).unwrap();
            }
        }
    }

    /// Gateways answer what they are asked; now and then twice, or after all.
    fn answer(&mut self, all: bool) {
        let mut wishes = Vec::new();
        let Installation { log, topics, .. } = &self.installation;
        let name = topics.name(Topic::PaymentWishes);
        for partition in 0..LEDGERS {
            read_to_end(&**log, name, partition, Next::START, &mut |message| {
                let read: PaymentWishes = schemas::PAYMENT_WISHES.read(message.value).unwrap();
                wishes.extend(read.wishes.into_iter().map(|wish| (partition, wish)));
                Ok(())
            })
            .unwrap();
        }
        for (partition, wish) in wishes {
            let links = wish.cause == PaymentCause::Preauthorisation;
            let known = self.answered.get(&wish.payment).map(|(_, answer)| *answer);
            let answer = match known {
                Some(PaymentAnswer::Declined) if self.random.one_in(8) => PaymentAnswer::Succeeded,
                Some(answer) if self.random.one_in(8) => answer,
                Some(_) => continue,
                None if links || self.random.one_in(2) => PaymentAnswer::Succeeded,
                None if all || self.random.one_in(2) => PaymentAnswer::Declined,
                None => continue,
            };
            let answered = PaymentAnswered {
                billing_account: wish.billing_account.clone(),
                payment: wish.payment.clone(),
                answer,
                reason: None,
                reference: None,
            };
            let message = LedgerMessage { at: start(), input: answered.into() };
            self.append(Topic::Ledger, partition, &schemas::LEDGER.message(&message));
            self.answered.insert(wish.payment.clone(), (wish, answer));
        }
    }

    fn ledgers(&self) -> impl Iterator<Item = &Ledger> {
        self.balance.iter().flat_map(|worker| worker.stations()).map(Balance::ledger)
    }

    fn wallet(&self, id: &WalletId) -> &Wallet {
        let mut found = self.ledgers().filter_map(|it| it.wallet(it.wallet_named(id)?));
        found.next().expect("a wallet")
    }
}

fn start() -> Timestamp {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

/// The installation as one of several workers has it.
fn one(installation: &Installation, own: u32) -> Installation {
    Installation { instance: own.to_string(), ..installation.clone() }
}

fn wallet_of(enterprise: &str) -> WalletId {
    format!("ba-{enterprise}").parse().unwrap()
}

fn live(seed: u64) -> Plant {
    let mut plant = Plant::new(seed);
    for enterprise in ENTERPRISES {
        let country = "US";
        plant.ask(
            "open_enterprise",
            json!({ "enterprise": enterprise, "name": "E", "country": country }),
        );
        plant.ask("open_account", json!({ "account": enterprise, "enterprise": enterprise, "email": "x@y.example", "mode": "postpaid" }));
        plant.settle();
        plant.ask("top_up", json!({ "billing_account": wallet_of(enterprise), "amount": CASH.to_string(), "currency": "USD", "method": "bank_transfer" }));
        plant.ask("link_payment_method", json!({ "billing_account": wallet_of(enterprise), "method": format!("card-{enterprise}"), "kind": "card", "token": "t" }));
    }
    plant.settle();
    plant.answer(true);
    plant.settle();
    let mut payers = Vec::new();
    for _ in 0..COMMANDS {
        let fresh = payers.is_empty() || plant.random.one_in(3);
        if fresh {
            let (from, to) = (*plant.random.pick(&ENTERPRISES), *plant.random.pick(&ENTERPRISES));
            let amount = (1 + plant.random.below(600)).to_string();
            let request = format!("r{}", payers.len());
            payers.push(to);
            plant.ask("request_payment", json!({ "request": request, "requester": wallet_of(from), "payer": to, "service": "s", "amount": amount }));
        } else {
            let number = plant.random.below(payers.len() as u64) as usize;
            let (request, card) = (format!("r{number}"), format!("card-{}", payers[number]));
            match plant.random.below(5) {
                0 => plant.ask("approve_payment_request", json!({ "request": request })),
                1 | 2 => plant
                    .ask("approve_payment_request", json!({ "request": request, "method": card })),
                3 => plant.ask("cancel_payment_request", json!({ "request": request })),
                _ => plant.ask("reject_payment_request", json!({ "request": request })),
            }
        }
        plant.answer(false);
        plant.work();
    }
    for _ in 0..3 {
        plant.settle();
        plant.answer(true);
    }
    plant.settle();
    plant
}

/// R10.4, R1.3: each request is the same on both sides, nothing is on its way any more, and everybody has what
/// he had, less what he paid, and what he was paid, and what his methods brought.
fn check(seed: u64, outcomes: &mut BTreeMap<RequestStatus, u64>) {
    let plant = live(seed);
    let status = |of: &str, direction: Direction| -> BTreeMap<String, (RequestStatus, Amount)> {
        let requests = plant.wallet(&wallet_of(of)).requests(direction).iter();
        requests.map(|it| (it.terms.request.to_string(), (it.status, it.terms.amount))).collect()
    };
    let mut asked = BTreeMap::new();
    let mut to_pay = BTreeMap::new();
    for enterprise in ENTERPRISES {
        let (own_asked, own_to_pay) =
            (status(enterprise, Direction::Asked), status(enterprise, Direction::ToPay));
        let paid = |all: &BTreeMap<String, (RequestStatus, Amount)>| {
            let paid = all.values().filter(|(status, _)| *status == RequestStatus::Paid);
            Amount::sum(paid.map(|(_, amount)| *amount)).unwrap()
        };
        let wallet = plant.wallet(&wallet_of(enterprise));
        let brought = plant.answered.values().filter(|(wish, answer)| {
            wish.billing_account == wallet.id
                && wish.cause == PaymentCause::PaymentRequest
                && *answer == PaymentAnswer::Succeeded
        });
        let brought = Amount::sum(brought.map(|(wish, _)| wish.amount)).unwrap();
        let expected = Amount::whole(CASH).plus(paid(&own_asked)).unwrap();
        let expected = expected.plus(brought).unwrap().minus(paid(&own_to_pay)).unwrap();
        assert_eq!((wallet.cash(), wallet.in_flight()), (expected, Amount::ZERO), "seed {seed}");
        asked.extend(own_asked);
        to_pay.extend(own_to_pay);
    }
    assert_eq!(asked, to_pay, "seed {seed}");
    for (status, _) in asked.values() {
        assert_ne!(*status, RequestStatus::Approved, "seed {seed}");
        *outcomes.entry(*status).or_default() += 1;
    }
    let report = audit::audit(&plant.installation, &|_, _, _| ()).unwrap();
    assert_eq!(report.differences(), 0, "seed {seed}: {:?}", report.found());
}

#[test]
fn r10_4_twenty_histories_of_requests_are_each_paid_once() {
    let mut outcomes = BTreeMap::new();
    (1..=20).for_each(|seed| check(seed, &mut outcomes));
    println!("{outcomes:?}");
    for status in [
        RequestStatus::Paid,
        RequestStatus::Failed,
        RequestStatus::Rejected,
        RequestStatus::Cancelled,
        RequestStatus::Pending,
    ] {
        assert!(outcomes.get(&status).is_some_and(|count| *count >= 10), "{status}: {outcomes:?}");
    }
}

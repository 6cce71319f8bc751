//! Who there is, how time goes by, and which settings hold: another world for every seed.

use serde_json::json;

use super::Simulation;
use crate::end_to_end::random::Random;

/// So many accounts see most of what happens.
const BUSY: usize = 8;
/// Up to so many accounts are all looked at after each step.
const ALL_WATCHED: usize = 100;

/// How long a history takes.
pub enum Pace {
    /// Some days, with one long pause in twenty.
    Dense,
    /// So many seconds from one step to the next, in the mean.
    Long { mean_secs: u64 },
}

impl Pace {
    pub fn pause(&self, random: &mut Random) -> u64 {
        match *self {
            Pace::Dense => match random.below(20) {
                0 => random.below(3 * 86_400),
                1..=5 => random.below(7_200),
                _ => random.below(900),
            },
            // Mostly short, so that much happens inside a cycle, and long jumps in between.
            Pace::Long { mean_secs } => match random.below(10) {
                0 => random.below(12 * mean_secs),
                1..=4 => random.below(mean_secs),
                _ => random.below(600),
            },
        }
    }
}

pub struct World {
    pub pace: Pace,
    pub enterprises: Vec<String>,
    /// All that have been opened.
    pub accounts: Vec<String>,
    /// Those that have been opened in the course of the history.
    pub opened: u64,
    /// References and amounts of bank transfers that named no account.
    pub remittances: Vec<(String, String)>,
    /// Those who ask beside the accounts: they may nothing at first.
    pub people: Vec<String>,
    /// How many payment methods there are: each serves one billing account.
    pub methods: u64,
    /// So many accounts are there from the beginning, beside five that always are.
    others: u64,
}

impl World {
    /// Some accounts, or some tens.
    pub fn some(random: &mut Random) -> World {
        let others = if random.one_in(4) { 15 + random.below(30) } else { 0 };
        let pace = match random.one_in(2) {
            true => Pace::Dense,
            false => Pace::Long { mean_secs: 2_500 + random.below(25_000) },
        };
        World::of(pace, if others > 0 { 4 } else { 2 }, others)
    }

    /// So many accounts in enterprises of fifty.
    pub fn large(accounts: u64, mean_secs: u64) -> World {
        World::of(Pace::Long { mean_secs }, accounts / 50, accounts)
    }

    fn of(pace: Pace, enterprises: u64, others: u64) -> World {
        World {
            pace,
            enterprises: (0..enterprises).map(|number| format!("e{number}")).collect(),
            accounts: Vec::new(),
            opened: 0,
            remittances: Vec::new(),
            people: ["ann", "ben", "cleo", "dan"].map(str::to_owned).to_vec(),
            methods: if others > 0 { 20 + others / 10 } else { 6 },
            others,
        }
    }

    /// Accounts to look at after a step: all, or where there are many, those that see most of what happens, and some
    /// others.
    pub fn watched(&self, random: &mut Random) -> Vec<String> {
        if self.accounts.len() <= ALL_WATCHED {
            return self.accounts.clone();
        }
        let busy = self.accounts.iter().take(BUSY).cloned();
        let some = (0..BUSY).map(|_| random.pick(&self.accounts).clone());
        busy.chain(some).collect()
    }
}

/// Some of the settings are others than usual, so that what takes weeks also happens in days.
pub fn some_settings(random: &mut Random) -> String {
    let lines = [
        "tax.rates = { SG = \"0.09\", DE = [{ from = \"2024-01-01\", rate = \"0.19\" }, { from = \"2026-03-16\", rate = \"0.21\" }] }",
        "payments.card_threshold = { USD = \"50\", JPY = \"300\" }",
        "recharge.percents = [\"90\", \"50\", \"10\"]",
        "topup.minimum = { USD = \"1\" }",
        "topup.test_every = \"3d\"",
        "overdue.after = \"1d\"",
        "overdue.bad_debt_after = \"3d\"",
        "suspension.buffer = { USD = \"5\", eu = \"50\" }",
        "alerts.low_balance_days = 2",
        "runway.alert_days = 2",
        "alerts.near_due_cycles = 24",
        "requests.expire_after = \"36h\"",
        "methods.cool_down = \"1d\"",
        "bills.cycle = \"day\"",
        "authorizations.expire_after = \"2h\"",
    ];
    let chosen: Vec<&str> = lines.into_iter().filter(|_| random.one_in(3)).collect();
    chosen.join("\n")
}

impl Simulation {
    pub(super) fn open(&mut self) {
        for (number, enterprise) in self.world.enterprises.clone().into_iter().enumerate() {
            let country = if number % 2 == 0 { "SG" } else { "DE" };
            let mut fields = json!({ "enterprise": enterprise, "name": "E", "country": country,
                "account_center": number % 2 == 0, "credit_total": "500" });
            if number % 3 == 0 {
                fields["management_account"] = json!("a");
            }
            self.command("open_enterprise", fields);
        }
        for (account, enterprise, currency, zone, kind) in [
            ("a", "e0", "USD", "UTC", "direct"),
            ("b", "e0", "USD", "Asia/Kolkata", "direct"),
            ("c", "e0", "JPY", "America/New_York", "direct"),
            ("other", "e1", "USD", "Europe/Berlin", "direct"),
            ("eco", "e0", "USD", "UTC", "ecosystem"),
        ] {
            let fields = json!({ "account": account, "enterprise": enterprise, "email": format!("{account}@y.example"),
                "currency": currency, "time_zone": zone, "mode": "postpaid", "kind": kind });
            if self.command("open_account", fields) {
                self.world.accounts.push(account.to_owned());
            }
        }
        for _ in 0..self.world.others {
            self.open_another();
        }
    }

    pub(super) fn open_another(&mut self) {
        self.world.opened += 1;
        let account = format!("n{}", self.world.opened);
        let zones = ["UTC", "Asia/Kolkata", "America/New_York", "Europe/Berlin"];
        let mut fields = json!({
            "account": account,
            "enterprise": self.enterprise(),
            "email": format!("{}@z.example", self.random.pick(&["n", "N", "m", "o", "p"])),
            "currency": self.random.pick(&["USD", "USD", "USD", "JPY"]),
            "time_zone": self.random.pick(&zones),
            "mode": self.random.pick(&["prepaid", "postpaid"]),
        });
        if self.random.one_in(10) {
            fields["kind"] = json!("ecosystem");
        }
        if self.random.one_in(3) {
            fields["region"] = json!(self.random.pick(&["eu", "us"]));
        }
        if self.random.one_in(12) {
            fields["partner"] = json!("p");
            fields["partner_pays"] = json!(true);
        }
        if self.command("open_account", fields) {
            self.world.accounts.push(account);
        }
    }

    /// One of the accounts; rarely one that nobody knows.
    pub(super) fn account(&mut self) -> String {
        if self.random.one_in(30) {
            return "nobody".to_owned();
        }
        // Where there are many, most of what happens still happens to a few.
        let many = self.world.accounts.len();
        let among = if many > BUSY && !self.random.one_in(3) { BUSY } else { many };
        self.random.pick(&self.world.accounts[..among]).clone()
    }

    pub(super) fn wallet(&mut self) -> String {
        format!("ba-{}", self.account())
    }

    pub(super) fn enterprise(&mut self) -> String {
        if self.random.one_in(30) {
            return "none".to_owned();
        }
        self.random.pick(&self.world.enterprises).clone()
    }

    /// Mostly the currency of a billing account.
    pub(super) fn currency_of(&mut self, wallet: &str) -> String {
        let balance = self.book_keeper.balance(wallet);
        match balance.and_then(|figures| figures.get("currency").cloned()) {
            Some(currency) if !self.random.one_in(12) => currency,
            _ => "USD".to_owned(),
        }
    }
}

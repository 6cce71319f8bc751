//! Who is in the demonstration, what they use, and what it costs.

use serde_json::{Value, json};

/// Prices of a small cloud.
pub(super) const PRICES: &str = include_str!("prices.toml");

/// Thresholds low enough that a visitor sees them crossed.
pub(super) const SETTINGS: &str = r#"
bills.grace = "15m"
payments.card_threshold = { USD = "60.00", EUR = "60.00", SGD = "80.00" }
topup.minimum = { USD = "20" }
tax.issuer_country = "SG"
tax.issuer_name = "Drawdown Cloud Pte. Ltd."
tax.issuer_address = "1 Example Quay, Singapore 018000"
tax.issuer_tax_id = "GST 200000000A"
tax.rates = { SG = "0.09", DE = "0.19", AU = "0.10", JP = "0.10" }
"#;

/// A company.
pub(super) struct Company {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) country: &'static str,
    pub(super) accounts: &'static [Customer],
}

/// One of its accounts.
pub(super) struct Customer {
    pub(super) id: &'static str,
    pub(super) mode: &'static str,
    /// What it pays in at first, in whole units of its currency, and again whenever it has run out for a
    /// while.
    pub(super) cash: u32,
    pub(super) card: bool,
    pub(super) credit_limit: u32,
    pub(super) low_balance: u32,
    /// Whether some of its usage is sent hours late.
    pub(super) is_late: bool,
    /// What it uses: the place of a meter in [`METERS`], and how much of it in percent of the usual.
    pub(super) uses: &'static [(usize, u32)],
}

/// Something that is measured.
pub(super) struct Metered {
    pub(super) product: &'static str,
    pub(super) meter: &'static str,
    pub(super) unit: &'static str,
    /// What is usually used in a minute, in millionths.
    pub(super) millionths: u64,
    /// Whether there are only whole ones, such as calls.
    pub(super) is_whole: bool,
}

const fn metered(
    product: &'static str,
    meter: &'static str,
    unit: &'static str,
    millionths: u64,
) -> Metered {
    Metered { product, meter, unit, millionths, is_whole: false }
}

const fn counted(
    product: &'static str,
    meter: &'static str,
    unit: &'static str,
    millionths: u64,
) -> Metered {
    Metered { is_whole: true, ..metered(product, meter, unit, millionths) }
}

pub(super) const METERS: &[Metered] = &[
    metered("compute", "vcpu_hours", "h", 1_900_000),
    metered("compute", "gpu_hours", "h", 45_000),
    metered("storage", "gib_hours", "GiB h", 52_000_000),
    metered("network", "egress_gib", "GiB", 430_000),
    counted("ai", "tokens_in", "tokens", 21_000_000_000),
    counted("ai", "tokens_out", "tokens", 4_300_000_000),
    counted("api", "calls", "calls", 900_000_000),
];

pub(super) const REGIONS: &[&str] = &["eu-1", "ap-1", "us-1"];

const fn customer(id: &'static str, uses: &'static [(usize, u32)]) -> Customer {
    Customer {
        id,
        mode: "postpaid",
        cash: 0,
        card: false,
        credit_limit: 0,
        low_balance: 0,
        is_late: false,
        uses,
    }
}

pub(super) const COMPANIES: &[Company] = &[
    Company {
        id: "aurora",
        name: "Aurora Labs",
        country: "US",
        accounts: &[
            Customer { card: true, ..customer("aurora", &[(0, 90), (1, 210), (4, 130), (5, 180)]) },
            Customer { card: true, ..customer("aurora-research", &[(1, 120), (2, 100)]) },
        ],
    },
    Company {
        id: "harbor",
        name: "Blue Harbor",
        country: "US",
        accounts: &[Customer {
            mode: "prepaid",
            cash: 112,
            low_balance: 100,
            ..customer("harbor", &[(0, 80), (3, 150), (6, 60)])
        }],
    },
    Company {
        id: "cedar",
        name: "Cedar Health",
        country: "DE",
        accounts: &[
            Customer {
                cash: 2_000,
                credit_limit: 3_000,
                low_balance: 800,
                ..customer("cedar", &[(0, 160), (2, 300), (3, 40)])
            },
            Customer { credit_limit: 500, ..customer("cedar-test", &[(0, 30), (6, 90)]) },
        ],
    },
    Company {
        id: "delta",
        name: "Delta Freight",
        country: "SG",
        accounts: &[Customer {
            mode: "prepaid",
            cash: 900,
            low_balance: 300,
            ..customer("delta", &[(0, 140), (3, 220), (6, 400)])
        }],
    },
    Company {
        id: "ember",
        name: "Ember Games",
        country: "JP",
        accounts: &[Customer {
            mode: "prepaid",
            cash: 60_000,
            low_balance: 20_000,
            ..customer("ember", &[(1, 60), (3, 500), (6, 700)])
        }],
    },
    Company {
        id: "fjord",
        name: "Fjord Analytics",
        country: "AU",
        accounts: &[Customer {
            cash: 400,
            credit_limit: 1_000,
            low_balance: 250,
            is_late: true,
            ..customer("fjord", &[(0, 60), (4, 220), (5, 120)])
        }],
    },
];

impl Company {
    /// The commands that open it and its accounts, in their order.
    pub(super) fn commands(&self) -> Vec<(&'static str, Value)> {
        let mut commands = vec![(
            "open_enterprise",
            json!({ "enterprise": self.id, "name": self.name, "country": self.country,
                "account_center": true, "management_account": self.id }),
        )];
        for customer in self.accounts {
            commands.extend(customer.commands(self));
        }
        commands
    }
}

impl Customer {
    fn commands(&self, company: &Company) -> Vec<(&'static str, Value)> {
        let wallet = self.wallet();
        let mut commands = vec![(
            "open_account",
            json!({ "account": self.id, "enterprise": company.id, "mode": self.mode,
                "email": format!("finance@{}.example", company.id) }),
        )];
        if self.card {
            commands.push((
                "link_payment_method",
                json!({ "billing_account": wallet, "method": format!("visa-{}", self.id), "kind": "card",
                    "token": "tok_ok", "brand": "visa", "expires": "2029-12" }),
            ));
        }
        if self.credit_limit > 0 {
            let limit = self.credit_limit.to_string();
            commands
                .push(("set_credit_limit", json!({ "billing_account": wallet, "limit": limit })));
            commands.push(("confirm_contract", json!({ "billing_account": wallet })));
        }
        if self.cash > 0 {
            commands.push(self.top_up(company));
        }
        if self.low_balance > 0 {
            let threshold = self.low_balance.to_string();
            commands.push((
                "configure",
                json!({ "billing_account": wallet,
                    "low_balance_alert": { "enabled": true, "threshold": threshold } }),
            ));
        }
        commands
    }

    pub(super) fn top_up(&self, company: &Company) -> (&'static str, Value) {
        let currency = match company.country {
            "DE" => "EUR",
            "SG" => "SGD",
            "JP" => "JPY",
            "AU" => "AUD",
            _ => "USD",
        };
        let fields = json!({ "billing_account": self.wallet(), "amount": self.cash.to_string(),
            "currency": currency, "method": "bank_transfer" });
        ("top_up", fields)
    }

    pub(super) fn wallet(&self) -> String {
        format!("ba-{}", self.id)
    }
}

//! How much memory things take, from what the process holds before and after.

use drawdown_domain::commands::{Asked, Command};
use drawdown_domain::ids::PrincipalId;
use drawdown_domain::ledger::{
    AccountNumber, Accrued, Fact, Journal, Ledger, Line, PricesArrived, PricesInForce, RegionNumber,
};
use drawdown_domain::money::Amount;
use drawdown_domain::rating::{self, MeterNumber, PriceBook};
use drawdown_domain::time::Timestamp;
use serde_json::json;

use anyhow::Context;

use crate::Scale;
use crate::site::STARTS_AT;
use crate::table::{Row, Table};
use crate::usage::{ACCOUNTS_PER_ENTERPRISE, PRICES, account_name};

const WALLETS: u32 = 500_000;

/// Nobody is told.
struct Silent;

impl Journal for Silent {
    fn fact(&mut self, _: &Ledger, _: &Fact) {}

    fn accrued(&mut self, _: &Ledger, _: &[Accrued], _: &Line) {}
}

/// Adds the rows for a ledger with many wallets.
pub(crate) fn measure(_: &Scale, table: &mut Table) -> anyhow::Result<()> {
    let start: Timestamp = STARTS_AT.parse().context("a time")?;
    let mut ledger = Ledger::new(1);
    ledger.pass(start, &mut Silent)?;
    let changes = PriceBook::default().changes(rating::parse(PRICES)?, start)?;
    ledger.take(PricesArrived { changes }.into(), &mut Silent)?;
    ledger.take(PricesInForce { loads: 1 }.into(), &mut Silent)?;
    let empty = resident_bytes();
    for account in 0..WALLETS {
        let enterprise = format!("e{}", account.div_euclid(ACCOUNTS_PER_ENTERPRISE));
        if account % ACCOUNTS_PER_ENTERPRISE == 0 {
            let fields = json!({ "enterprise": enterprise, "name": "Bench", "country": "US" });
            ask(&mut ledger, "open_enterprise", fields)?;
        }
        let fields = json!({ "account": account_name(account), "enterprise": enterprise,
            "email": "billing@bench.example", "currency": "USD", "mode": "postpaid" });
        ask(&mut ledger, "open_account", fields)?;
    }
    let opened = resident_bytes();
    for meter in 0..2 {
        for account in 0..WALLETS {
            let line = Line {
                usage_partition: 0,
                account: AccountNumber(account),
                meter: MeterNumber(meter),
                region: RegionNumber::NONE,
                used: start.minute(),
                quantity: Amount::whole(1),
                records: 1,
            };
            ledger.line(&line, &mut Silent)?;
        }
    }
    let used = resident_bytes();
    let wallet = opened.saturating_sub(empty) / u64::from(WALLETS);
    let month = used.saturating_sub(opened) / u64::from(WALLETS * 2);
    for (what, bytes, reach) in [
        ("BALANCE, a wallet and its account", wallet, "400 B"),
        ("BALANCE, a meter in a month, tab included", month, "64 B"),
    ] {
        table.push(Row::new("g7", what, format!("{bytes} B"), reach));
    }
    Ok(())
}

fn ask(ledger: &mut Ledger, name: &str, fields: serde_json::Value) -> anyhow::Result<()> {
    let command = Command::read(name, fields).context("no such command")??;
    let asked = Asked { number: 1, principal: PrincipalId::operator(), key: None, origin: None };
    ledger.command(&asked, &command, &mut Silent)?;
    Ok(())
}

fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0).saturating_mul(4096)
}

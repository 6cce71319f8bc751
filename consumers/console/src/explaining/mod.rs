//! Where an amount comes from (R13.4): an entry, payment, bill or invoice, back through bills, charges and price
//! versions to the usage records.
//!
//! It decides nothing: it reads what the topics said, as ClickHouse has it, adds up again on each level, and says
//! where that does not come to what stands above.

mod asking;
mod bills;
mod entries;
mod invoices;
mod names;
mod node;
mod payments;
mod usage;

use axum::http::StatusCode;
use drawdown_domain::ids::PrincipalId;
use drawdown_domain::money::Currency;
use drawdown_domain::time::Timestamp;

use crate::api::{Shared, rows_of};
use crate::permits::{Over, may_see, only_the_operator};
use crate::problem::Problem;
use crate::{Row, views};
use asking::Read;
use names::Named;
pub(crate) use names::can_be_explained;
pub(crate) use node::Node;

/// What is needed to look into an amount of one billing account.
struct Explaining {
    site: Shared,
    wallet: String,
    currency: Currency,
    /// How many usage records are listed of each part; all are counted.
    records_max: usize,
    /// Commands of others may have been decided at the same instant.
    sees_commands: bool,
    /// Payment methods and what they paid are not for everybody who may see bills.
    sees_payments: bool,
    /// The price book as it is, for the words of its prices.
    prices: Vec<Row>,
}

/// Explains what is called `id`, to somebody who may see it.
pub(crate) async fn explain(
    site: &Shared,
    who: &PrincipalId,
    id: &str,
    records_max: usize,
) -> Result<Node, Problem> {
    let named = Named::read(id).ok_or_else(|| Problem::not_found(names::unknown(id)))?;
    let found = match &named {
        Named::Invoice(number) => invoices::payer(site, number).await?,
        Named::Bill(wallet, _) | Named::Entry(wallet, _) | Named::Payment(wallet, _) => {
            Some((*wallet).to_owned())
        }
    };
    let view = named.view();
    // Whether there is one is nobody's business but theirs who may see it.
    let over = found.as_deref().map_or(Over::All, |wallet| Over::row(view, wallet));
    may_see(site, who, view, over).await?;
    let missing = || Problem::not_found(names::unknown(id));
    let wallet = found.ok_or_else(missing)?;
    let currency = asking::currency(site, &wallet).await?.ok_or_else(missing)?;
    let sees_payments = match may_see(site, who, "payments", Over::row("payments", &wallet)).await {
        Ok(()) => true,
        Err(refused) if refused.status() == StatusCode::FORBIDDEN => false,
        Err(why) => return Err(why),
    };
    let billing_account = wallet.clone();
    let sees_commands = only_the_operator(who, "commands").is_ok();
    let prices = views::named("prices");
    let prices = prices.ok_or_else(|| Problem::unavailable("there are no prices"))?;
    let prices = rows_of(site, prices).await?;
    let site = site.clone();
    let explaining =
        Explaining { site, wallet, currency, records_max, sees_commands, sees_payments, prices };
    let node = match named {
        Named::Bill(..) => explaining.bill(id).await?,
        Named::Entry(_, number) => explaining.entry(number).await?,
        Named::Payment(..) => explaining.payment(id).await?,
        Named::Invoice(number) => explaining.invoice(number).await?,
    };
    let node = node.ok_or_else(missing)?;
    Ok(node.fact("billing_account", billing_account).fact("currency", currency.code()))
}

impl Explaining {
    /// What a price says, where the book that is in force still has it: in words, and how its records make the
    /// month's quantity.
    fn price_in_words(&self, product: &str, meter: &str, region: &str, used: &str) -> PriceWords {
        let of_meter = |row: &&Row| {
            let is = |field: &str, value: &str| row.text(field).is_ok_and(|text| text == value);
            is("product", product) && is("meter", meter)
        };
        let of_meter: Vec<&Row> = self.prices.iter().filter(of_meter).collect();
        let aggregate = of_meter.first().and_then(|row| row.text("aggregate").ok());
        let used: Option<Timestamp> = used.parse().ok();
        let instant = |row: &Row, field: &str| row.optional(field)?.parse::<Timestamp>().ok();
        let holds = |row: &&&Row| {
            let from = instant(row, "holds_from").is_none_or(|from| Some(from) <= used);
            let until = instant(row, "holds_until").is_none_or(|until| used < Some(until));
            let currency = row.text("currency").is_ok_and(|code| code == self.currency.code());
            from && until && currency
        };
        let here = |row: &&&Row| row.optional("region").as_deref() == Some(region);
        let anywhere = |row: &&&Row| row.optional("region").is_none();
        let holding = || of_meter.iter().filter(holds);
        let price = holding().find(here).or_else(|| holding().find(anywhere));
        PriceWords { words: price.and_then(|row| row.text("price").ok()), aggregate }
    }
}

/// What is known of a price beside its number.
struct PriceWords {
    words: Option<String>,
    aggregate: Option<String>,
}

//! The wallet of a billing account: what it holds, how it moved, and the forms that pay in and set the alert.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use drawdown_domain::money::{Amount, Currency};

use super::account::{Account, kept, with_currency};
use super::money::{Rounding, decimals, is_negative, money, rounded};
use super::payments::linked;
use super::table::{Column, Kind, Table, column, currency, extra, text, time};
use super::{NoPage, everywhere, look_at, rows, shown};
use crate::Row;
use crate::api::Shared;

/// What of a balance the wallet shows: the first add up to what is available, the others are what is in them.
const ASSETS: [Asset; 8] = [
    asset("cash", "Cash"),
    asset("credit_limit", "Credit limit"),
    asset("credit_refund", "Credit refunds"),
    UNSETTLED,
    asset("cash_transferred_in", "Transferred in"),
    UNSETTLED_EARLIER,
    asset("transferable", "Transferable"),
    asset("in_flight", "In flight"),
];

/// The same where a partner pays.
const ASSETS_OF_PARTNER: [Asset; 4] =
    [asset("quota", "Quota"), asset("quota_consumed", "Quota used"), UNSETTLED, UNSETTLED_EARLIER];

const UNSETTLED: Asset = Asset {
    fields: "unsettled_current unsettled_previous",
    name: "Unsettled",
    rounding: Rounding::Up,
};
const UNSETTLED_EARLIER: Asset = Asset {
    fields: "unsettled_previous",
    name: "Unsettled of earlier months",
    rounding: Rounding::Up,
};

/// A figure of a balance.
#[derive(Clone, Copy, Debug)]
struct Asset {
    /// Which fields of the balance, with spaces between them, are added up.
    fields: &'static str,
    name: &'static str,
    rounding: Rounding,
}

/// What has no more places than its currency is not changed by rounding.
const fn asset(fields: &'static str, name: &'static str) -> Asset {
    Asset { fields, name, rounding: Rounding::Down }
}

impl Asset {
    fn of(self, balance: &Row) -> Figure {
        let amounts = self.fields.split(' ').filter_map(|field| text(balance, field).parse().ok());
        let sum = Amount::sum(amounts).unwrap_or_default();
        let shown = rounded(sum, currency(balance), self.rounding);
        Figure { fields: self.fields, name: self.name, is_negative: is_negative(&shown), shown }
    }
}

/// A figure as it is shown.
pub(super) struct Figure {
    pub(super) fields: &'static str,
    pub(super) name: &'static str,
    pub(super) shown: String,
    pub(super) is_negative: bool,
}

/// What stands at the head of a billing account's page.
pub(super) struct Wallet {
    pub(super) currency: String,
    pub(super) available: Figure,
    pub(super) runway: String,
    pub(super) assets: Vec<Figure>,
}

impl Wallet {
    pub(super) fn new(balance: &Row, left: Option<&Row>) -> Wallet {
        let is_of_partner = text(balance, "quota") != "0";
        let assets: &[Asset] = if is_of_partner { &ASSETS_OF_PARTNER } else { &ASSETS };
        Wallet {
            currency: text(balance, "currency"),
            available: asset("available", "Available credit").of(balance),
            runway: runway(balance, left),
            assets: assets.iter().map(|asset| asset.of(balance)).collect(),
        }
    }
}

/// How long what is available lasts, as a sentence.
fn runway(balance: &Row, left: Option<&Row>) -> String {
    let field = |name| left.map(|left| text(left, name)).unwrap_or_default();
    let (burn, days, date) = (field("burn_per_day"), field("days_left"), field("empty_on"));
    let available: Option<Amount> = text(balance, "available").parse().ok();
    let code = text(balance, "currency");
    let burns = format!("at {} {code} a day", money(&burn, currency(balance)));
    if available.is_some_and(|available| !available.is_positive()) && !burn.is_empty() {
        return format!("Nothing is left, {burns}");
    }
    match days.parse() {
        Ok(days) => format!("Lasts {} {burns}, until {}", lasts(days), day_or_minute(days, &date)),
        Err(_) => "No burn yet".to_owned(),
    }
}

/// A number of days, no more exact than it helps.
pub(super) fn lasts(days: Amount) -> String {
    let whole = days.whole_part();
    // A year has 365.25 days.
    let tenths_of_years = whole.saturating_mul(40).checked_div(1_461).unwrap_or_default();
    match whole {
        ..1 => "less than a day".to_owned(),
        1..30 if days == Amount::ONE => "1 day".to_owned(),
        1..30 => format!("{days} days"),
        30..731 => format!("{whole} days"),
        _ => format!("{}.{} years", tenths_of_years.div_euclid(10), tenths_of_years.rem_euclid(10)),
    }
}

/// The day on which something ends; what ends within two days ends at a time.
fn day_or_minute(days: Amount, at: &str) -> String {
    let at = time(at);
    let length = if days < Amount::whole(2) { 16 } else { 10 };
    at.get(..length).unwrap_or_default().to_owned()
}

const ENTRIES: &[Column] = &[
    column("at", "Time", Kind::Time),
    extra("asset", "Asset", Kind::Words),
    column("cause", "Cause", Kind::Words),
    column("amount", "Amount", Kind::Explained("entry")),
    extra("after", "After", Kind::Money),
    extra("remark", "Remark", Kind::Long),
];

const MONTHS: &[Column] = &[
    column("month", "Month", Kind::Text),
    column("money_in", "In", Kind::Money).with_currency(),
    column("money_out", "Out", Kind::Money).with_currency(),
];

/// What the forms of a wallet say beside their fields.
pub(super) struct Forms {
    pub(super) currency: String,
    /// How money can be paid in.
    pub(super) methods: Vec<String>,
    /// The smallest top-up, if there is one.
    pub(super) smallest: Option<String>,
    /// What an amount looks like.
    pub(super) pattern: &'static str,
    pub(super) title: &'static str,
    pub(super) top_up_example: &'static str,
    pub(super) threshold_example: &'static str,
    /// The low-balance alert as it is set.
    pub(super) alert_is_off: bool,
    pub(super) threshold: String,
}

impl Forms {
    fn new(code: &str, methods: Vec<String>, settings: &[Row], alert: Option<&Row>) -> Forms {
        let has_decimals = code.parse().map_or(2, decimals) > 0;
        let (pattern, title, top_up_example, threshold_example) = match has_decimals {
            true => {
                ("[0-9]+(\\.[0-9]{1,2})?", "digits and one point, such as 12.50", "100.00", "50.00")
            }
            false => ("[0-9]+", "digits alone, such as 5000", "10000", "5000"),
        };
        Forms {
            currency: code.to_owned(),
            methods,
            smallest: smallest(code, settings),
            pattern,
            title,
            top_up_example,
            threshold_example,
            alert_is_off: alert.is_some_and(|alert| alert.get("enabled") == Some(&false.into())),
            threshold: alert.map(|alert| text(alert, "threshold")).unwrap_or_default(),
        }
    }
}

/// The smallest top-up of a currency, by the setting that names it for several: `EUR 15, USD 20`.
fn smallest(code: &str, settings: &[Row]) -> Option<String> {
    let setting = settings.iter().find(|row| text(row, "setting") == "topup.minimum")?;
    let value = text(setting, "value");
    let amount = value.split(", ").find_map(|one| one.strip_prefix(code)?.strip_prefix(' '))?;
    Some(money(amount, code.parse::<Currency>().ok()))
}

pub(super) async fn wallet(
    State(site): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, NoPage> {
    look_at(&site, &headers, &id).await?;
    let mut page = Account::new(&site, &id, "Wallet").await?;
    let left = kept(&site, "runway", &id).await;
    let of = [("billing_account", id.as_str()), ("limit", "20")];
    let (entries, months, settings) = tokio::join!(
        rows(&site, &headers, "entries", &of),
        rows(&site, &headers, "money_by_month", &of),
        everywhere(&site, "settings"),
    );
    let entries = entries.map(|mut rows| {
        for row in &mut rows {
            let name = format!("{id}.e{}", text(row, "number"));
            row.insert("entry".to_owned(), name.into());
        }
        rows
    });
    let code = text(&page.balance, "currency");
    let export = format!("/v1/show/entries/{}?format=csv", crate::outside::escaped(&id));
    let (entries, months) = (with_currency(entries, &code), with_currency(months, &code));
    let of_entries = "Entries: cash, coupons and credit refunds";
    page.tables = vec![
        Table::new("entries", of_entries, "None of these has moved yet.", ENTRIES, entries)
            .on("entries")
            .exported(export),
        Table::new("months", "Money by month", "Nothing moved yet.", MONTHS, months).on("entries"),
    ];
    page.wallet = Some(Wallet::new(&page.balance, left.ok().as_ref()));
    page.names_payments = true;
    let methods = linked(&site, &id).await.unwrap_or_default();
    let usable = methods.iter().filter(|row| text(row, "state") == "active");
    let names = std::iter::once("bank_transfer".to_owned());
    let methods = names.chain(usable.map(|row| text(row, "method"))).collect();
    let own = kept(&site, "billing_account", &id).await.unwrap_or_default();
    let alert = own.get("low_balance_alert").and_then(serde_json::Value::as_object);
    page.forms = Some(Forms::new(&code, methods, &settings.unwrap_or_default(), alert));
    Ok(shown(&page))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::row;
    use super::*;

    #[test]
    fn the_figures_of_a_wallet_add_up() {
        let balance = row(json!({ "currency": "USD", "available": "60.5410", "cash": "67.19",
            "credit_limit": "0", "credit_refund": "0", "unsettled_current": "6.6441",
            "unsettled_previous": "0.0049", "quota": "0" }));
        let wallet = Wallet::new(&balance, None);
        let figures: Vec<&str> =
            wallet.assets.iter().take(4).map(|figure| figure.shown.as_str()).collect();
        assert_eq!(wallet.available.shown, "60.54");
        assert_eq!(figures, ["67.19", "0.00", "0.00", "6.65"]);
        assert!(!wallet.available.is_negative);
    }

    #[test]
    fn how_long_it_lasts_is_no_more_exact_than_it_helps() {
        let check = |days: &str, expected: &str| {
            assert_eq!(lasts(days.parse().unwrap()), expected);
        };
        check("0.36", "less than a day");
        check("1", "1 day");
        check("7.23", "7.23 days");
        check("93.75", "93 days");
        check("2893.75", "7.9 years");
    }

    #[test]
    fn the_smallest_top_up_is_that_of_the_currency() {
        let settings = [row(json!({ "setting": "topup.minimum", "value": "EUR 15, USD 20" }))];
        assert_eq!(smallest("USD", &settings).as_deref(), Some("20.00"));
        assert_eq!(smallest("JPY", &settings), None);
    }
}

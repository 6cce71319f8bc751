//! A page to send one usage record.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use drawdown_domain::money::Amount;
use drawdown_wire::usage::packing::{Packs, check};
use drawdown_wire::usage::{Malformed, from_json};
use serde::Deserialize;
use serde_json::json;

use super::table::text;
use super::{NoPage, everywhere, look, origin, shown};
use crate::api::{Shared, asker};
use crate::intake::NotTaken;
use crate::permits::only_the_operator;
use crate::problem::Problem;

#[derive(Template)]
#[template(path = "send.html")]
struct Send {
    here: &'static str,
    account: String,
    /// What the price book names.
    products: BTreeSet<String>,
    meters: BTreeSet<String>,
    origin: String,
    now: String,
}

#[derive(Deserialize)]
pub(super) struct Chosen {
    account: Option<String>,
}

pub(super) async fn form(
    State(site): State<Shared>,
    Query(chosen): Query<Chosen>,
    headers: HeaderMap,
) -> Result<Response, NoPage> {
    look(&site, &headers, "usage").await?;
    let prices = everywhere(&site, "prices").await.unwrap_or_default();
    let named = |field| prices.iter().map(|row| text(row, field)).collect();
    Ok(shown(&Send {
        products: named("product"),
        meters: named("meter"),
        here: "send",
        account: chosen.account.unwrap_or_default(),
        origin: origin(&headers),
        now: site.clock.now().to_string(),
    }))
}

#[derive(Deserialize)]
pub(super) struct Record {
    account: String,
    product: String,
    meter: String,
    quantity: String,
    region: Option<String>,
    id: Option<String>,
}

/// Sends the record of the form, used now.
pub(super) async fn usage(
    State(site): State<Shared>,
    headers: HeaderMap,
    Form(record): Form<Record>,
) -> Result<Response, Problem> {
    let who = asker(&site, &Method::POST, &headers).await?;
    only_the_operator(&who, "this form")?;
    record.quantity.parse::<Amount>().map_err(|why| {
        let why = format!("the quantity is no number: {:?} is {why}", record.quantity);
        Problem::malformed(why).with("field", "quantity")
    })?;
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let id = given(record.id).unwrap_or_else(|| site.ids.next());
    let record = json!({
        "source": "console", "id": id, "account": record.account, "product": record.product,
        "meter": record.meter, "quantity": record.quantity, "region": given(record.region),
        "time": site.clock.now(),
    });
    // Where in our own JSON it is wrong helps nobody.
    let malformed = |why: Malformed| {
        let why = why.to_string();
        Problem::malformed(why.split(" at line ").next().unwrap_or_default())
    };
    let bytes = from_json(record.to_string().as_bytes()).map_err(malformed)?;
    check(&bytes).map_err(malformed)?;
    let mut packs = Packs::new(site.topics.usage_partitions);
    let full = packs.push(&bytes).map_err(malformed)?;
    let packs = full.into_iter().chain(packs.finish()).collect();
    site.intake.take(packs).await.map_err(|error| match error {
        NotTaken::Full => Problem::busy("more usage waits than is taken at a time"),
        NotTaken::Unsure(why) => Problem::unavailable(why),
    })?;
    let detail = format!("On the log as {id}. If it cannot be used, it shows among the rejects.");
    let json = [(axum::http::header::CONTENT_TYPE, "application/json")];
    Ok((json, json!({ "detail": detail }).to_string()).into_response())
}

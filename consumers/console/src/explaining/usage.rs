//! Charges by meter, region and price version, and the usage records that they were made of.

use std::collections::BTreeMap;

use drawdown_domain::money::Amount;

use super::asking::{Read, ask, ask_one, short};
use super::node::Node;
use super::{Explaining, PriceWords};
use crate::Row;
use crate::lists::{INSTANT, Query, TEXT};
use crate::numbers::counted;
use crate::problem::Problem;

/// A time of use ahead of the clock counts as the minute of arrival (R2.4). Where `usage.max_ahead` allows more
/// minutes than these, records that are further ahead are not found.
const AHEAD_MINUTES_MAX: u32 = 5;
/// So many records that were taken back are listed of one meter.
const TAKEN_BACK_MAX: usize = 20;

/// Charges of one account and product.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    pub(super) account: String,
    pub(super) product: String,
    pub(super) of: Of,
}

/// Which charges of them.
#[derive(Clone, Debug)]
pub(super) enum Of {
    /// What one cycle's bills hold.
    Cycle { ends: String },
    /// What a line of an invoice holds: of the cycles that end behind `from`, until `until`.
    Line { from: String, until: String, meter: String, region: String, adjustment: bool },
}

impl Scope {
    /// The account and product, as a condition.
    fn whose(&self, wallet: &str, query: &mut Query) -> String {
        let wallet = query.bind(TEXT, wallet);
        let (account, product) = (query.bind(TEXT, &self.account), query.bind(TEXT, &self.product));
        format!("billing_account = {wallet} AND account = {account} AND product = {product}")
    }

    /// What all its charges and their usage records have in common beyond that, as a condition.
    fn narrower(&self, query: &mut Query) -> String {
        match &self.of {
            Of::Cycle { .. } => "true".to_owned(),
            Of::Line { meter, .. } => format!("meter = {}", query.bind(TEXT, meter)),
        }
    }

    /// Which charges of them, as a condition.
    fn which(&self, query: &mut Query) -> String {
        match &self.of {
            Of::Cycle { ends } => format!("cycle_end = {}", query.bind(INSTANT, ends)),
            Of::Line { from, until, meter, region, adjustment } => {
                let (from, until) = (query.bind(INSTANT, from), query.bind(INSTANT, until));
                let (meter, region) = (query.bind(TEXT, meter), query.bind(TEXT, region));
                let adjustment = if *adjustment { "adjustment" } else { "NOT adjustment" };
                format!(
                    "cycle_end > {from} AND cycle_end <= {until} AND meter = {meter} AND ifNull(region, '') = {region} AND {adjustment}"
                )
            }
        }
    }
}

/// Charges that share meter, region and price version.
struct Group {
    key: Key,
    charge: Amount,
    quantity: Amount,
    /// Without what was taken back.
    counted: Amount,
    records: i64,
    taken_back: i64,
    from: String,
    until: String,
}

/// Meter, region, price version, and whether it is an adjustment.
type Key = (String, String, i64, bool);

fn key(row: &Row) -> Result<Key, Problem> {
    let region = row.optional("region").unwrap_or_default();
    Ok((row.text("meter")?, region, row.number("price")?, row.flag("adjustment")?))
}

impl Group {
    fn read(row: &Row) -> Result<Group, Problem> {
        Ok(Group {
            key: key(row)?,
            charge: row.amount("charge")?,
            quantity: row.amount("quantity")?,
            counted: row.amount("counted")?,
            records: row.number("records")?,
            taken_back: row.number("taken_back")?,
            from: row.text("from")?,
            until: row.text("until")?,
        })
    }
}

/// The usage records that were found for a group.
struct Found {
    records: i64,
    quantity: Amount,
    listed: Vec<Row>,
}

impl Explaining {
    /// The charges of a scope, a node for each meter, region and price version, down to the usage records.
    pub(super) async fn charges(&self, scope: &Scope) -> Result<Vec<Node>, Problem> {
        let groups = self.groups(scope).await?;
        let span = |pick: fn(&Group) -> &String| groups.iter().map(pick);
        let from = span(|group| &group.from).min().cloned();
        let until = span(|group| &group.until).max().cloned();
        let Some((from, until)) = from.zip(until) else { return Ok(Vec::new()) };
        let found = self.found(scope, &from, &until).await?;
        let mut covered = self.covered(scope, &from, &until).await?;
        let mut taken_back = match groups.iter().any(|group| group.taken_back > 0) {
            true => self.taken_back(scope).await?,
            false => BTreeMap::new(),
        };
        let kept_from = self.kept_from().await?;
        let mut nodes = Vec::with_capacity(groups.len());
        for group in groups {
            let covered = covered.remove(&group.key).unwrap_or_default();
            let taken_back = taken_back.remove(&group.key).unwrap_or_default();
            let found = found.get(&group.key);
            nodes.push(self.group(scope, &group, found, covered, taken_back, kept_from.as_deref()));
        }
        Ok(nodes)
    }

    fn group(
        &self,
        scope: &Scope,
        group: &Group,
        found: Option<&Found>,
        covered: Vec<Covered>,
        taken_back: Vec<Node>,
        kept_from: Option<&str>,
    ) -> Node {
        let (meter, region, price, adjustment) = &group.key;
        let PriceWords { words, aggregate } =
            self.price_in_words(&scope.product, meter, region, &group.until);
        let place = if region.is_empty() { String::new() } else { format!(" in {region}") };
        let late = if *adjustment { ", after the bills of its cycle" } else { "" };
        let at = words.clone().unwrap_or_else(|| format!("price {price}"));
        let what = format!("charges for {meter}{place} at {at}{late}");
        let mut node = Node::new("charges", what)
            .amount(group.charge)
            .quantity(group.quantity)
            .records(group.records)
            .fact("meter", meter.as_str())
            .perhaps("region", Some(region.as_str()).filter(|region| !region.is_empty()))
            .fact("price_version", *price)
            .perhaps("price", words.clone())
            .perhaps("aggregate", aggregate.clone())
            .fact("adjustment", *adjustment)
            .fact("used_from", group.from.as_str())
            .fact("used_until", group.until.as_str());
        if words.is_none() {
            node = node.note("the price book in force has that price no more");
        }
        let by_benefits = Amount::sum(covered.iter().map(|covered| covered.quantity));
        let agrees = agreement(group, found, by_benefits.ok(), aggregate.as_deref());
        let usage = usage(group, found, agrees, kept_from);
        node.part(usage)
            .beside(covered.into_iter().map(Covered::node))
            .beside(taken_back)
            .adds_up(None)
    }

    async fn groups(&self, scope: &Scope) -> Result<Vec<Group>, Problem> {
        let rows = ask(&self.site, |query| {
            let (whose, which) = (scope.whose(&self.wallet, query), scope.which(query));
            format!(
                "SELECT meter, ifNull(region, '') AS region, price, adjustment, sum(charges.charge) AS charge, \
                 sum(charges.quantity) AS quantity, sumIf(charges.quantity, voids IS NULL) AS counted, \
                 sumIf(charges.records, voids IS NULL) AS records, countIf(voids IS NOT NULL) AS taken_back, \
                 min(used) AS `from`, max(used) AS `until` \
                 FROM charges WHERE {whose} AND {which} \
                 GROUP BY meter, region, price, adjustment ORDER BY meter, region, price, adjustment"
            )
        });
        rows.await?.iter().map(Group::read).collect()
    }

    /// The usage records of the scope: each stands between the offsets of a charge, in the minute that was
    /// charged; or ahead of it, and then the latest charged minute before it is that of its arrival (R2.4).
    async fn found(
        &self,
        scope: &Scope,
        from: &str,
        until: &str,
    ) -> Result<BTreeMap<Key, Found>, Problem> {
        let rows = ask(&self.site, |query| {
            let (account, product) =
                (query.bind(TEXT, &scope.account), query.bind(TEXT, &scope.product));
            let (from, until) = (query.bind(INSTANT, from), query.bind(INSTANT, until));
            let (whose, which) = (scope.whose(&self.wallet, query), scope.which(query));
            let narrower = scope.narrower(query);
            let minutes = AHEAD_MINUTES_MAX.saturating_add(1);
            let max = self.records_max.max(1);
            format!(
                "SELECT meter, region, of_price AS price, of_adjustment AS adjustment, count() AS records, \
                 sum(amount) AS quantity, CAST(groupArraySorted({max})(tuple(at, of_source, of_id, amount, _partition, _offset, _index)), \
                 'Array(Tuple(time DateTime64(6, \\'UTC\\'), source String, id String, quantity Decimal(38, 12), partition UInt32, offset Int64, index UInt32))') AS listed \
                 FROM (SELECT _partition, _offset, _index, meter, region, any(records.quantity) AS amount, \
                 any(records.source) AS of_source, any(records.id) AS of_id, any(records.time) AS at, \
                 argMin(lines.price, tuple(ahead, NOT is_here)) AS of_price, \
                 argMin(lines.adjustment, tuple(ahead, NOT is_here)) AS of_adjustment, \
                 argMin(is_here, tuple(ahead, NOT is_here)) AS of_here \
                 FROM (SELECT _partition, _offset, _index, source, id, time, quantity, meter, ifNull(region, '') AS region, \
                 arrayJoin(range({minutes})) AS ahead, toStartOfMinute(time) - toIntervalMinute(ahead) AS minute \
                 FROM usage WHERE account = {account} AND product = {product} AND {narrower} \
                 AND time >= {from} AND time < {until} + toIntervalMinute({minutes})) AS records \
                 INNER JOIN (SELECT usage_partition, first_offset, last_offset, meter, ifNull(region, '') AS region, price, \
                 adjustment, toStartOfMinute(used) AS minute, ({which}) AS is_here \
                 FROM charges WHERE {whose} AND {narrower} AND voids IS NULL AND used >= {from} \
                 AND used < {until} + toIntervalMinute({minutes})) AS lines \
                 ON records._partition = lines.usage_partition AND records.meter = lines.meter \
                 AND records.region = lines.region AND records.minute = lines.minute \
                 WHERE _offset BETWEEN first_offset AND last_offset \
                 GROUP BY _partition, _offset, _index, meter, region) \
                 WHERE of_here GROUP BY meter, region, price, adjustment"
            )
        });
        let mut found = BTreeMap::new();
        for row in rows.await? {
            let mut listed = row.rows("listed")?;
            listed.truncate(self.records_max);
            let (records, quantity) = (row.number("records")?, row.amount("quantity")?);
            found.insert(key(&row)?, Found { records, quantity, listed });
        }
        Ok(found)
    }

    /// What benefits covered of the records of a scope: it is said in the same messages as their charges.
    async fn covered(
        &self,
        scope: &Scope,
        from: &str,
        until: &str,
    ) -> Result<BTreeMap<Key, Vec<Covered>>, Problem> {
        let rows = ask(&self.site, |query| {
            let (from, until) = (query.bind(INSTANT, from), query.bind(INSTANT, until));
            let (whose, which) = (scope.whose(&self.wallet, query), scope.which(query));
            format!(
                "SELECT meter, region, price, adjustment, holder, benefit, kind, sum(parts.quantity) AS quantity, sum(parts.drawn) AS drawn \
                 FROM (SELECT _partition, _offset, meter, ifNull(region, '') AS region, used, holder, benefit, kind, quantity, drawn \
                 FROM covered WHERE {whose} AND used >= {from} AND used <= {until}) AS parts \
                 INNER JOIN (SELECT DISTINCT _partition, _offset, meter, ifNull(region, '') AS region, used, price, adjustment \
                 FROM charges WHERE {whose} AND {which} AND voids IS NULL) AS lines \
                 USING (_partition, _offset, meter, region, used) \
                 GROUP BY meter, region, price, adjustment, holder, benefit, kind ORDER BY holder, benefit"
            )
        });
        let mut covered: BTreeMap<Key, Vec<Covered>> = BTreeMap::new();
        for row in rows.await? {
            covered.entry(key(&row)?).or_default().push(Covered::read(&row)?);
        }
        Ok(covered)
    }

    /// The records that were taken back in the scope (R2.5).
    async fn taken_back(&self, scope: &Scope) -> Result<BTreeMap<Key, Vec<Node>>, Problem> {
        let rows = ask(&self.site, |query| {
            let (whose, which) = (scope.whose(&self.wallet, query), scope.which(query));
            let account = query.bind(TEXT, &scope.account);
            format!(
                "SELECT meter, region, price, adjustment, charge, voided.quantity AS quantity, used, at_partition, at_offset, at_index, \
                 records.source AS source, records.id AS id \
                 FROM (SELECT meter, ifNull(region, '') AS region, price, adjustment, charge, quantity, used, \
                 usage_partition AS at_partition, first_offset AS at_offset, assumeNotNull(voids) AS at_index \
                 FROM charges WHERE {whose} AND {which} AND voids IS NOT NULL \
                 ORDER BY used LIMIT {TAKEN_BACK_MAX} BY meter, region, price, adjustment) AS voided \
                 LEFT JOIN (SELECT _partition AS at_partition, _offset AS at_offset, _index AS at_index, source, id FROM usage \
                 WHERE account = {account} AND (_partition, _offset) IN \
                 (SELECT usage_partition, first_offset FROM charges WHERE {whose} AND {which} AND voids IS NOT NULL)) AS records \
                 USING (at_partition, at_offset, at_index) ORDER BY used, at_partition, at_offset, at_index"
            )
        });
        let mut taken_back: BTreeMap<Key, Vec<Node>> = BTreeMap::new();
        for row in rows.await? {
            let node = Node::new("taken_back", "a usage record that was taken back")
                .amount(row.amount("charge")?)
                .quantity(row.amount("quantity")?)
                .fact("used", row.text("used")?)
                .perhaps("source", row.optional("source"))
                .perhaps("id", row.optional("id"))
                .fact("partition", row.number("at_partition")?)
                .fact("offset", row.number("at_offset")?)
                .fact("index", row.number("at_index")?);
            taken_back.entry(key(&row)?).or_default().push(node);
        }
        Ok(taken_back)
    }

    /// From when on usage is kept; none: there is none.
    async fn kept_from(&self) -> Result<Option<String>, Problem> {
        let row = ask_one(&self.site, |_| {
            "SELECT toDateTime64(toStartOfMinute(min(time)), 6, 'UTC') AS kept, count() > 0 AS is_any FROM usage"
                .to_owned()
        });
        let Some(row) = row.await? else { return Ok(None) };
        Ok(if row.flag("is_any")? { Some(row.text("kept")?) } else { None })
    }
}

/// The node of the records of a group: how many were found, some of them, and whether that is all.
fn usage(group: &Group, found: Option<&Found>, agrees: Agreement, kept_from: Option<&str>) -> Node {
    let (count, quantity) =
        found.map_or((0, Amount::ZERO), |found| (found.records, found.quantity));
    let mut node =
        Node::new("usage", counted(count, "usage record")).records(count).quantity(quantity);
    let listed = found.map(|found| found.listed.as_slice()).unwrap_or_default();
    for row in listed {
        node = node.part(record(row));
    }
    let left = count.saturating_sub(i64::try_from(listed.len()).unwrap_or(i64::MAX));
    node = node.left_off(left);
    let is_gone = kept_from.is_none_or(|kept| group.from.as_str() < kept);
    let charged = counted(group.records, "record");
    let charged = format!("charged: {charged} with a quantity of {}", group.counted);
    match agrees {
        Agreement::Whole => node.adds_up(Some(true)),
        Agreement::ByValues => node
            .adds_up(Some(true))
            .note("they are as many as were charged; the quantity is what they changed the month's by, and not their sum"),
        Agreement::Short if is_gone => node.adds_up(None).note(match kept_from {
            Some(kept) => format!("{charged}; usage from before {} is no longer kept in ClickHouse", short(kept)),
            None => format!("{charged}; no usage is kept in ClickHouse"),
        }),
        Agreement::Short => {
            let note = format!("{charged}; what has just come is listed a moment later");
            node.adds_up(Some(false)).note(note)
        }
    }
}

/// How the records that were found stand to what was charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Agreement {
    /// As many, and of the same quantity.
    Whole,
    /// As many, where their quantities do not add up to what is charged (R3.3).
    ByValues,
    /// Others than were charged.
    Short,
}

fn agreement(
    group: &Group,
    found: Option<&Found>,
    covered: Option<Amount>,
    aggregate: Option<&str>,
) -> Agreement {
    let (records, quantity) =
        found.map_or((0, Amount::ZERO), |found| (found.records, found.quantity));
    let used = covered.and_then(|covered| group.counted.plus(covered).ok());
    if records != group.records {
        return Agreement::Short;
    }
    if used == Some(quantity) {
        return Agreement::Whole;
    }
    let is_sum = matches!(aggregate, Some("sum"));
    // A flat price counts records whatever they say.
    let is_count = used == Some(Amount::whole(records));
    if is_count || !is_sum { Agreement::ByValues } else { Agreement::Short }
}

fn record(row: &Row) -> Node {
    let (source, id) = (row.optional("source"), row.optional("id"));
    let what = format!("{} of {}", id.unwrap_or_default(), source.unwrap_or_default());
    let place = |field: &str| row.number(field).ok();
    let node = Node::new("record", what)
        .perhaps("source", row.optional("source"))
        .perhaps("id", row.optional("id"))
        .perhaps("time", row.optional("time"))
        .perhaps("partition", place("partition"))
        .perhaps("offset", place("offset"))
        .perhaps("index", place("index"));
    match row.amount("quantity") {
        Ok(quantity) => node.quantity(quantity),
        Err(_) => node,
    }
}

/// What a benefit covered.
struct Covered {
    holder: String,
    benefit: String,
    kind: String,
    quantity: Amount,
    drawn: Amount,
}

impl Covered {
    fn read(row: &Row) -> Result<Covered, Problem> {
        Ok(Covered {
            holder: row.text("holder")?,
            benefit: row.text("benefit")?,
            kind: row.text("kind")?,
            quantity: row.amount("quantity")?,
            drawn: row.amount("drawn")?,
        })
    }

    fn node(self) -> Node {
        let what = format!("not charged: covered by {} of {}", self.benefit, self.holder);
        Node::new("covered", what)
            .quantity(self.quantity)
            .fact("benefit", self.benefit)
            .fact("holder", self.holder)
            .fact("benefit_kind", self.kind)
            .fact("drawn", self.drawn.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        text.parse().unwrap()
    }

    #[test]
    fn r13_4_records_are_those_that_were_charged_or_it_is_said() {
        let group = |counted: &str, records| Group {
            key: ("m".to_owned(), String::new(), 1, false),
            charge: Amount::ZERO,
            quantity: amount(counted),
            counted: amount(counted),
            records,
            taken_back: 0,
            from: String::new(),
            until: String::new(),
        };
        let found = |quantity: &str, records| Found {
            records,
            quantity: amount(quantity),
            listed: Vec::new(),
        };
        let check = |counted: &str, covered: &str, quantity: &str, records, aggregate, expected| {
            let (group, found) = (group(counted, 3), found(quantity, records));
            let agreement = agreement(&group, Some(&found), Some(amount(covered)), aggregate);
            assert_eq!(agreement, expected, "{counted} {covered} {quantity} {records}");
        };
        check("7", "0", "7", 3, Some("sum"), Agreement::Whole);
        check("5", "2", "7", 3, Some("sum"), Agreement::Whole);
        check("7", "0", "7", 2, Some("sum"), Agreement::Short);
        check("7", "0", "8", 3, Some("sum"), Agreement::Short);
        check("3", "0", "8", 3, Some("sum"), Agreement::ByValues);
        check("3", "0", "8", 3, Some("max"), Agreement::ByValues);
        check("3", "0", "8", 2, Some("max"), Agreement::Short);
        let none = agreement(&group("7", 3), None, Some(Amount::ZERO), None);
        assert_eq!(none, Agreement::Short);
    }
}

//! How rows come to be in ClickHouse once.
//!
//! Each partition of a topic is cut into blocks of messages. Where a block begins and ends is written down in
//! the table `blocks` first, under a token of its first offset, and read back: whoever came first wins, so two
//! workers that hold each other for gone cut alike. Then its rows follow, one insert for each table and month,
//! each under a token of the block: repeated soon, it changes nothing. How long ClickHouse remembers tokens
//! counts in inserts, and a worker may have been frozen for any time; so whoever repeats a block asks first
//! whether its rows are there.
//!
//! **Invariant:** a block is claimed only once all rows of the one before it are in. So the newest block of a
//! partition is the only one that can be there in part.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use drawdown_domain::time::{Timestamp, Zone};
use drawdown_log::{Point, reach};
use drawdown_wire::topics::Topic;
use metrics::counter;

use crate::rows::{PartKey, Rows};
use crate::store::{Store, Trouble};

/// A block as ClickHouse has it written down: from where to where, and where what is read beside it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) beside: i64,
}

/// Since when nobody else can have done anything about a block; none: somebody may have.
pub(crate) type Sure = Option<Instant>;

/// After so long it is asked again whether the block is still ours to fill.
const SURE_FOR: Duration = Duration::from_secs(10);

/// A partition of a topic on its way into ClickHouse.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lane<'a> {
    pub(crate) store: &'a Store,
    pub(crate) topic: Topic,
    pub(crate) partition: u32,
    /// Who fills it, different for each process.
    pub(crate) filler: &'a str,
}

static CLAIMS: AtomicU64 = AtomicU64::new(0);

/// The newest block of each partition of a topic.
pub(crate) async fn newest(store: &Store, topic: Topic) -> Result<BTreeMap<u32, Claim>, Trouble> {
    let query = format!(
        "SELECT `partition`, first, last, beside FROM blocks WHERE topic = '{}' ORDER BY first DESC LIMIT 1 BY `partition`",
        topic.name()
    );
    let rows = store.rows::<(u32, i64, i64, i64)>(&query).await?;
    let claims = rows
        .into_iter()
        .map(|(partition, first, last, beside)| (partition, Claim { first, last, beside }));
    Ok(claims.collect())
}

impl Lane<'_> {
    /// Writes a block down, unless somebody has: then that one counts.
    pub(crate) async fn claim(
        &self,
        wanted: Claim,
        at: Timestamp,
    ) -> Result<(Claim, Sure), Trouble> {
        let Claim { first, last, beside } = wanted;
        let (topic, partition) = (self.topic.name(), self.partition);
        let by = format!("{}.{}", self.filler, CLAIMS.fetch_add(1, Ordering::Relaxed));
        let here = format!("topic = '{topic}' AND `partition` = {partition}");
        let statement = format!(
            "INSERT INTO blocks SELECT '{topic}', {partition}, {first}, {last}, {beside}, fromUnixTimestamp64Micro({}, 'UTC'), '{by}' WHERE (SELECT count() FROM blocks WHERE {here} AND first >= {first}) = 0",
            at.as_micros()
        );
        let claimed = Instant::now();
        self.store.insert_selected(&statement, &format!("{topic}/{partition}/{first}")).await?;
        reach(Point::BlockClaimed);
        let query = format!(
            "SELECT first, last, beside, claimed_by FROM blocks WHERE {here} ORDER BY first DESC LIMIT 1"
        );
        match self.store.rows::<(i64, i64, i64, String)>(&query).await?.into_iter().next() {
            Some((found, last, beside, claimed_by)) if found == first => {
                let sure = (claimed_by == by).then_some(claimed);
                Ok((Claim { first, last, beside }, sure))
            }
            Some(_) => Err(self.overtaken()),
            None => {
                Err(Trouble::Passing(format!("the block of {topic} at {first} is not there yet")))
            }
        }
    }

    fn overtaken(&self) -> Trouble {
        Trouble::Overtaken(format!("{} {}", self.topic.name(), self.partition))
    }

    /// Inserts the rows of a block, as far as they are not there.
    pub(crate) async fn fill(
        &self,
        claim: Claim,
        rows: Rows,
        mut sure: Sure,
    ) -> Result<u64, Trouble> {
        let mut inserted = 0;
        for (key, part) in rows.parts().map_err(Trouble::Permanent)? {
            if sure.is_none_or(|since| since.elapsed() > SURE_FOR) {
                sure = None;
                if self.is_there(claim, key, part.rows()).await? {
                    continue;
                }
            }
            let month = key.month;
            let token = format!(
                "{}/{}/{}/{}/{month}",
                key.table,
                self.topic.name(),
                self.partition,
                claim.first
            );
            let (count, format) = (part.rows(), part.format());
            reach(Point::Inserting);
            self.store.insert(key.table, format, &token, part.finish()).await?;
            reach(Point::Inserted);
            counter!("drawdown_analytics_rows_total", "table" => key.table).increment(count);
            inserted += count;
        }
        Ok(inserted)
    }

    /// Whether a table has the rows of a block and month already. That it has some of them is impossible.
    async fn is_there(&self, claim: Claim, key: PartKey, expected: u64) -> Result<bool, Trouble> {
        let newest = newest(self.store, self.topic).await?;
        if newest.get(&self.partition).is_some_and(|newest| newest.first > claim.first) {
            return Err(self.overtaken());
        }
        let PartKey { table, by, month } = key;
        let (from, until) = Zone::UTC.bounds_of(month);
        let (partition, Claim { first, last, .. }) = (self.partition, claim);
        let query = format!(
            "SELECT count() FROM `{table}` WHERE _partition = {partition} AND _offset BETWEEN {first} AND {last} AND `{by}` >= fromUnixTimestamp64Micro({}, 'UTC') AND `{by}` < fromUnixTimestamp64Micro({}, 'UTC')",
            from.as_micros(),
            until.as_micros()
        );
        let found = self.store.rows::<u64>(&query).await?.into_iter().next().unwrap_or(0);
        match found {
            0 => Ok(false),
            found if found == expected => Ok(true),
            found => Err(Trouble::Permanent(format!(
                "ClickHouse's table {table} has {found} of the {expected} rows of {} {partition} from {first} to {last} in {month}: somebody changed it, and `drawdown audit` says where",
                self.topic.name()
            ))),
        }
    }
}

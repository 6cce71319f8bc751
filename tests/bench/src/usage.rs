//! Usage to be measured with: the same bytes for everyone, and what they must cost.

use drawdown_domain::money::Amount;
use drawdown_domain::time::{Span, Timestamp};
use drawdown_log::Log;
use drawdown_wire::partition::partition_of;
use drawdown_wire::usage::{NewUsage, packed_message, put_record, single_message};

/// How records are spread over accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spread {
    Uniform,
    /// The k-th busiest account has a k-th of the busiest one's records.
    Zipf,
}

/// What is to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) records: u64,
    /// So many, beginning with this one.
    pub(crate) accounts: u32,
    pub(crate) first: u32,
    pub(crate) spread: Spread,
    /// Records in a message; one is the plain form.
    pub(crate) packed: usize,
    /// How long before now it was used.
    pub(crate) age: Span,
    pub(crate) seed: u64,
}

/// What was made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Made {
    pub(crate) records: u64,
    pub(crate) repeats: u64,
    pub(crate) bytes: u64,
    /// What it all costs, each record once.
    pub(crate) costs: Amount,
}

impl Made {
    pub(crate) fn and(&self, more: &Made) -> anyhow::Result<Made> {
        Ok(Made {
            records: self.records + more.records,
            repeats: self.repeats + more.repeats,
            bytes: self.bytes + more.bytes,
            costs: self.costs.plus(more.costs)?,
        })
    }
}

pub(crate) const PRICES: &str = r#"
price = [
  { product = "compute", meter = "vcpu_hours", currency = "USD", model = "graduated", tiers = [{ up_to = "100", unit_price = "0" }, { up_to = "1000", unit_price = "0.10" }, { unit_price = "0.05" }] },
  { product = "compute", meter = "calls", currency = "USD", model = "graduated", tiers = [{ up_to = "100", unit_price = "0" }, { up_to = "1000", unit_price = "0.10" }, { unit_price = "0.05" }] },
]
"#;

const METERS: [&str; 2] = ["vcpu_hours", "calls"];
pub(crate) const ACCOUNTS_PER_ENTERPRISE: u32 = 50;

/// The name of an account; what stands before the dot is its enterprise.
pub(crate) fn account_name(number: u32) -> String {
    format!("e{}.a{number}", number.div_euclid(ACCOUNTS_PER_ENTERPRISE))
}

/// A small generator of pseudo-random numbers: the same seed gives the same records.
#[derive(Clone, Copy, Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }
}

/// Draws accounts.
#[derive(Debug)]
struct Draw {
    accounts: u32,
    /// For Zipf: how much of all records the accounts up to each one have, scaled to 2^64.
    cumulative: Vec<u64>,
}

impl Draw {
    fn new(plan: &Plan) -> Draw {
        let mut cumulative = Vec::new();
        if plan.spread == Spread::Zipf {
            let total: f64 = (1..=plan.accounts).map(|rank| 1.0 / f64::from(rank)).sum();
            let mut sum = 0.0;
            for rank in 1..=plan.accounts {
                sum += 1.0 / f64::from(rank);
                cumulative.push((sum / total * 18_446_744_073_709_551_615.0) as u64);
            }
        }
        Draw { accounts: plan.accounts, cumulative }
    }

    fn account(&self, random: &mut Random) -> u32 {
        if self.cumulative.is_empty() {
            return random.below(self.accounts.into()) as u32;
        }
        let at = random.next();
        let rank = self.cumulative.partition_point(|share| *share < at) as u32;
        // Busy accounts lie anywhere, as in life: enterprises are not equally busy either.
        let rank = rank.min(self.accounts.saturating_sub(1));
        (u64::from(rank).wrapping_mul(2_654_435_761) % u64::from(self.accounts)) as u32
    }
}

#[derive(Clone, Copy)]
struct Drawn {
    id: u64,
    account: u32,
    meter: usize,
    thousandths: u64,
    micros: i64,
}

/// One in so many records is a repeat.
const REPEAT_ONE_IN: u64 = 20;
const REPEATS_REACH_BACK: usize = 50_000;
const MESSAGES_PER_APPEND: usize = 2_000;
const PACKED_PER_APPEND: usize = 100;

/// Makes records and hands their messages over, a batch for one partition at a time.
#[derive(Debug)]
pub(crate) struct Maker {
    plan: Plan,
    draw: Draw,
    random: Random,
    recent: Vec<Drawn>,
    quantities: Vec<[u64; 2]>,
    from: Timestamp,
    made: Made,
    ids: u64,
}

impl std::fmt::Debug for Drawn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "record {}", self.id)
    }
}

impl Maker {
    /// Accounts keep what earlier plans have made them use: `quantities`, in thousandths by meter.
    pub(crate) fn new(plan: Plan, from: Timestamp, quantities: Vec<[u64; 2]>) -> Maker {
        Maker {
            draw: Draw::new(&plan),
            random: Random(plan.seed),
            recent: Vec::new(),
            quantities,
            from,
            made: Made::default(),
            ids: plan.seed << 40,
            plan,
        }
    }

    fn draw(&mut self) -> Drawn {
        self.made.records += 1;
        if !self.recent.is_empty() && self.random.below(REPEAT_ONE_IN) == 0 {
            self.made.repeats += 1;
            let place = self.random.below(self.recent.len() as u64) as usize;
            return self.recent[place];
        }
        self.ids += 1;
        let account = self.plan.first + self.draw.account(&mut self.random);
        let meter = self.random.below(2) as usize;
        let thousandths = self.random.below(50_000);
        // Within a few minutes before it is sent, as usage is.
        let micros =
            self.from.minus(self.plan.age).as_micros() - self.random.below(240_000_000) as i64;
        let drawn = Drawn { id: self.ids, account, meter, thousandths, micros };
        self.quantities[account as usize][meter] += thousandths;
        if self.recent.len() < REPEATS_REACH_BACK {
            self.recent.push(drawn);
        } else {
            let place = self.random.below(REPEATS_REACH_BACK as u64) as usize;
            self.recent[place] = drawn;
        }
        drawn
    }

    /// Makes all records and hands them over in batches, each for one partition; says what they are and
    /// cost.
    pub(crate) fn make(
        &mut self,
        partitions: u32,
        mut hand_over: impl FnMut(Batch) -> anyhow::Result<()>,
    ) -> anyhow::Result<Made> {
        let before = self.costs()?;
        let mut lanes: Vec<Lane> = (0..partitions).map(|_| Lane::default()).collect();
        while self.made.records < self.plan.records {
            let drawn = self.draw();
            let account = account_name(drawn.account);
            let id = format!("{:x}", drawn.id);
            let partition = partition_of(account.as_bytes(), partitions);
            let Some(lane) = lanes.get_mut(partition as usize) else { continue };
            let usage = NewUsage {
                source: "gateway-7",
                id: &id,
                account: &account,
                product: "compute",
                meter: METERS[drawn.meter],
                quantity: Amount::from_raw(i128::from(drawn.thousandths) * 1_000_000_000),
                time: Timestamp::from_micros(drawn.micros),
                region: Some("eu-west-1"),
                unit: None,
                tags: &[("environment", "production"), ("team", "search")],
            };
            lane.take(&usage, self.plan.packed);
            let most = MESSAGES_PER_APPEND.div_ceil(self.plan.packed).max(PACKED_PER_APPEND);
            if lane.messages.len() >= most {
                self.made.bytes += lane.bytes();
                hand_over(Batch { partition, messages: std::mem::take(&mut lane.messages) })?;
            }
        }
        for (mut lane, partition) in lanes.into_iter().zip(0u32..) {
            lane.close();
            self.made.bytes += lane.bytes();
            if !lane.messages.is_empty() {
                hand_over(Batch { partition, messages: lane.messages })?;
            }
        }
        self.made.costs = self.costs()?.minus(before)?;
        Ok(self.made)
    }

    /// Appends all records to `topic`, and says what they are and cost.
    pub(crate) fn append_all(
        &mut self,
        log: &dyn Log,
        topic: &str,
        partitions: u32,
    ) -> anyhow::Result<Made> {
        let at = self.from;
        self.make(partitions, |batch| batch.append(log, topic, at))
    }

    pub(crate) fn into_quantities(self) -> Vec<[u64; 2]> {
        self.quantities
    }

    /// The price of each account's quantity, worked out without the pipeline's code.
    fn costs(&self) -> anyhow::Result<Amount> {
        let price = |thousandths: u64| -> i128 {
            let low = i128::from(thousandths.clamp(100_000, 1_000_000)) - 100_000;
            let high = i128::from(thousandths.max(1_000_000)) - 1_000_000;
            low * 100_000_000 + high * 50_000_000
        };
        let costs = self.quantities.iter().flatten().map(|quantity| price(*quantity)).sum();
        Ok(Amount::from_raw(costs))
    }
}

/// What waits to be sent to one partition.
#[derive(Default)]
struct Lane {
    messages: Vec<Vec<u8>>,
    packing: Vec<u8>,
    packed: usize,
}

impl Lane {
    fn take(&mut self, usage: &NewUsage<'_>, packed: usize) {
        if packed <= 1 {
            self.messages.push(single_message(usage));
            return;
        }
        put_record(&mut self.packing, usage);
        self.packed += 1;
        if self.packed == packed {
            self.close();
        }
    }

    fn close(&mut self) {
        if self.packed > 0 {
            self.messages.push(packed_message(self.packed, &self.packing));
            self.packing.clear();
            self.packed = 0;
        }
    }

    fn bytes(&self) -> u64 {
        self.messages.iter().map(|message| message.len() as u64).sum()
    }
}

/// Messages that are sent to a partition together.
#[derive(Debug)]
pub(crate) struct Batch {
    partition: u32,
    pub(crate) messages: Vec<Vec<u8>>,
}

impl Batch {
    pub(crate) fn append(&self, log: &dyn Log, topic: &str, at: Timestamp) -> anyhow::Result<()> {
        let messages: Vec<&[u8]> = self.messages.iter().map(Vec::as_slice).collect();
        log.append(topic, self.partition, at, &messages)?;
        Ok(())
    }
}

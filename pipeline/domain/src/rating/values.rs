//! What records are told apart by where they are not added up: the largest counts, or the last, or how many
//! different ones there are (R3.3).

use compact_str::CompactString;

use crate::money::Amount;
use crate::time::Timestamp;
use crate::{one_of, record};

record! {
    /// A quantity, of which the largest counts.
    #[derive(PartialOrd, Ord)]
    pub struct Largest {
        pub quantity: Amount,
    }
}

record! {
    /// When something was used, and by which record; the later, then the greater id, comes last.
    #[derive(PartialOrd, Ord)]
    pub struct Moment {
        pub time: Timestamp,
        pub id: CompactString,
    }
}

record! {
    /// A quantity, of which the last counts.
    #[derive(PartialOrd, Ord)]
    pub struct Latest {
        pub used: Box<Moment>,
        pub quantity: Amount,
    }
}

record! {
    /// The value of a tag, as a 128 bit hash under the installation's key: it is only ever compared.
    #[derive(PartialOrd, Ord)]
    pub struct Distinct {
        pub high: i64,
        pub low: i64,
    }
}

one_of! {
    /// What a record says to a month's quantity where records are not added up. A month has values of one
    /// kind only, and the last of them in this order is the one that counts, if one does.
    #[derive(PartialOrd, Ord)]
    pub enum Value { Largest, Latest, Distinct }
}

record! {
    /// So many records said this.
    pub struct ValueCount {
        pub value: Value,
        pub records: u32,
    }
}

//! What a step says, collected until it is committed.

use drawdown_log::Append;

/// The output of a station in one step: messages for others, and what has become known.
#[derive(Debug, Default)]
pub struct Output {
    pub(crate) appends: Vec<Append>,
    appended_bytes: usize,
    pub(crate) delta: Vec<u8>,
    pub(crate) urgent: bool,
}

impl Output {
    /// Says something on a topic.
    pub fn append(&mut self, topic: &str, partition: u32, value: Vec<u8>) {
        self.appended_bytes = self.appended_bytes.saturating_add(value.len());
        self.appends.push(Append { topic: topic.to_owned(), partition, value });
    }

    /// Where the station's changes of state go, from which it can be rebuilt.
    pub fn delta(&mut self) -> &mut Vec<u8> {
        &mut self.delta
    }

    /// Somebody waits for this step: it is committed at once.
    pub fn hurry(&mut self) {
        self.urgent = true;
    }

    /// The messages for others, and the delta.
    pub fn into_parts(self) -> (Vec<Append>, Vec<u8>) {
        (self.appends, self.delta)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.appended_bytes.saturating_add(self.delta.len())
    }
}

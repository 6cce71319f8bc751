//! Which topics there are, and the small file that says so together with the format's number.
//!
//! Every partition of every topic has one number, its lane, by which all else in this engine finds
//! it. Lanes are made up at each start; on disk a topic has a number that never changes, and is
//! never given to another.

use std::collections::{BTreeMap, HashMap};

use drawdown_domain::time::Span;

use super::layout::FORMAT;
use super::{Error, Topic};

/// The longest name of a topic or group.
pub(super) const NAME_BYTES_MAX: usize = 249;

const PARTITIONS_MAX: u32 = 65_536;
const TITLE: &str = "drawdown embedded log";

/// One partition of one topic, numbered over all topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Lane(pub(super) u32);

impl Lane {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    name: String,
    partitions: u32,
    /// How long messages are kept; none for ever.
    keep: Option<Span>,
    /// The lane of partition 0.
    lane_first: u32,
}

/// The topics, by their numbers on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Catalogue {
    topics: Vec<Known>,
    numbers: HashMap<String, u16>,
    lanes: u32,
}

impl Catalogue {
    fn add(&mut self, name: &str, partitions: u32) -> Result<(), Error> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(plain) {
            return Err(Error::Fatal(format!(
                "\"{name}\" is no topic's name: up to {NAME_BYTES_MAX} letters, digits, '.', '_' and '-' are"
            )));
        }
        if partitions == 0 || partitions > PARTITIONS_MAX {
            return Err(Error::Fatal(format!(
                "the topic {name} cannot have {partitions} partitions: 1 to {PARTITIONS_MAX} are allowed"
            )));
        }
        let number = u16::try_from(self.topics.len())
            .map_err(|_| Error::Fatal("there are too many topics".to_owned()))?;
        if self.numbers.insert(name.to_owned(), number).is_some() {
            return Err(Error::Fatal(format!("the topic {name} is named twice")));
        }
        let lane_first = self.lanes;
        self.lanes = lane_first.saturating_add(partitions);
        self.topics.push(Known { name: name.to_owned(), partitions, keep: None, lane_first });
        Ok(())
    }

    /// Takes up the topics that are configured. A known topic that is not named any more stays, and
    /// keeps what it holds. Returns whether there are new ones.
    pub(super) fn configure(&mut self, topics: &[Topic]) -> Result<bool, Error> {
        let known = self.topics.len();
        let mut named = BTreeMap::new();
        for topic in topics {
            if named.insert(&topic.name, ()).is_some() {
                return Err(Error::Fatal(format!("the topic {} is named twice", topic.name)));
            }
            let Some(number) = self.numbers.get(&topic.name).copied() else {
                self.add(&topic.name, topic.partitions)?;
                if let Some(added) = self.topics.last_mut() {
                    added.keep = topic.keep;
                }
                continue;
            };
            let known = &mut self.topics[usize::from(number)];
            if known.partitions != topic.partitions {
                return Err(Error::Fatal(format!(
                    "the topic {} has {} partitions and cannot be given {}: what is in it was dealt \
                     out by that number",
                    topic.name, known.partitions, topic.partitions
                )));
            }
            known.keep = topic.keep;
        }
        Ok(self.topics.len() > known)
    }

    pub(super) fn lanes(&self) -> u32 {
        self.lanes
    }

    /// The number on disk of a topic.
    pub(super) fn number(&self, topic: &str) -> Result<u16, Error> {
        let number = self.numbers.get(topic).copied();
        number.ok_or_else(|| Error::Fatal(format!("there is no topic {topic}")))
    }

    pub(super) fn partitions_of(&self, number: u16) -> u32 {
        self.topics.get(usize::from(number)).map_or(0, |known| known.partitions)
    }

    pub(super) fn find(&self, topic: &str, partition: u32) -> Result<Lane, Error> {
        let lane = self.lane(self.number(topic)?, partition);
        lane.ok_or_else(|| Error::Fatal(format!("there is no partition {partition} of {topic}")))
    }

    pub(super) fn lane(&self, number: u16, partition: u32) -> Option<Lane> {
        let known = self.topics.get(usize::from(number))?;
        (partition < known.partitions).then(|| Lane(known.lane_first.saturating_add(partition)))
    }

    /// The topic's number and the partition of a lane.
    pub(super) fn place(&self, lane: Lane) -> (u16, u32) {
        let after = self.topics.partition_point(|known| known.lane_first <= lane.0);
        let number = after.saturating_sub(1);
        let lane_first = self.topics.get(number).map_or(0, |known| known.lane_first);
        (u16::try_from(number).unwrap_or(u16::MAX), lane.0.saturating_sub(lane_first))
    }

    pub(super) fn keep(&self, lane: Lane) -> Option<Span> {
        self.topics.get(usize::from(self.place(lane).0)).and_then(|known| known.keep)
    }

    /// How people call a lane.
    pub(super) fn describe(&self, lane: Lane) -> String {
        let (number, partition) = self.place(lane);
        let name = self.topics.get(usize::from(number)).map_or("?", |known| &known.name);
        format!("{name}/{partition}")
    }

    /// The file that says which format this is and which topics have which numbers.
    pub(super) fn to_text(&self) -> String {
        let mut text = format!("{TITLE}\nformat {FORMAT}\n");
        for known in &self.topics {
            text.push_str(&format!("topic {} {}\n", known.name, known.partitions));
        }
        let checksum = crc32c::crc32c(text.as_bytes());
        text.push_str(&format!("checksum {checksum:08x}\n"));
        text
    }

    /// Reads that file. `file` is what errors call it.
    pub(super) fn from_text(text: &str, file: &str) -> Result<Catalogue, Error> {
        let damaged = || {
            Error::Fatal(format!("{file} is damaged: restore it from a backup of the directory"))
        };
        let number = text.strip_prefix(TITLE).and_then(|rest| rest.strip_prefix("\nformat "));
        let number = number.and_then(|rest| rest.lines().next()).ok_or_else(damaged)?;
        if number != FORMAT.to_string() {
            return Err(Error::Fatal(format!(
                "{file} says that this log is of format {number}, and this program writes format \
                 {FORMAT}: use the version that wrote it"
            )));
        }
        let (content, checksum) = text.rsplit_once("checksum ").ok_or_else(damaged)?;
        if checksum != format!("{:08x}\n", crc32c::crc32c(content.as_bytes())) {
            return Err(damaged());
        }
        let mut catalogue = Catalogue::default();
        for line in content.lines().skip(2) {
            let topic = line.strip_prefix("topic ").and_then(|line| line.rsplit_once(' '));
            let (name, partitions) = topic.ok_or_else(damaged)?;
            catalogue.add(name, partitions.parse().map_err(|_| damaged())?)?;
        }
        Ok(catalogue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str, partitions: u32) -> Topic {
        Topic { name: name.to_owned(), partitions, keep: None }
    }

    #[test]
    fn lanes_and_places_are_inverse() {
        let mut catalogue = Catalogue::default();
        assert!(catalogue.configure(&[topic("usage", 3), topic("ledger", 1)]).unwrap());
        assert!(catalogue.configure(&[topic("bills", 2), topic("usage", 3)]).unwrap());
        assert_eq!(catalogue.lanes(), 6);
        for lane in (0..6).map(Lane) {
            let (number, partition) = catalogue.place(lane);
            assert_eq!(catalogue.lane(number, partition), Some(lane));
        }
        assert_eq!(catalogue.describe(Lane(5)), "bills/1");
        assert_eq!(catalogue.find("ledger", 0).unwrap(), Lane(3));
        assert!(catalogue.find("ledger", 1).is_err());
    }

    #[test]
    fn the_file_comes_back_as_it_went() {
        let mut catalogue = Catalogue::default();
        catalogue.configure(&[topic("usage", 16), topic("state.of-x_1", 1)]).unwrap();
        let text = catalogue.to_text();
        assert_eq!(Catalogue::from_text(&text, "format").unwrap(), catalogue);
    }

    #[test]
    fn a_changed_file_is_refused() {
        let mut catalogue = Catalogue::default();
        catalogue.configure(&[topic("usage", 16)]).unwrap();
        let text = catalogue.to_text();
        for byte in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[byte] ^= 1;
            let changed = String::from_utf8(changed).unwrap();
            assert!(Catalogue::from_text(&changed, "format").is_err(), "{changed}");
        }
        let later = text.replace("format 1", "format 2");
        let refused = Catalogue::from_text(&later, "format").unwrap_err().to_string();
        assert!(refused.contains("format 2") && refused.contains("format 1"), "{refused}");
    }

    #[test]
    fn topics_are_refused_by_name() {
        for (name, partitions) in [("", 1), ("a b", 1), ("a\n", 1), ("a", 0), ("a", 70_000)] {
            let mut catalogue = Catalogue::default();
            assert!(catalogue.configure(&[topic(name, partitions)]).is_err(), "{name:?}");
        }
        let mut catalogue = Catalogue::default();
        assert!(catalogue.configure(&[topic("a", 1), topic("a", 1)]).is_err());
        catalogue.configure(&[topic("b", 1)]).unwrap();
        assert!(catalogue.configure(&[topic("b", 2)]).is_err());
    }
}

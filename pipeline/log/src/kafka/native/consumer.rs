//! A consumer in a group, which reads in batches.

use std::ffi::CStr;
use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use drawdown_domain::time::Timestamp;
use rdkafka::ClientConfig;
use rdkafka_sys as sys;

use super::{Client, Code, Places, Queue, milliseconds, name_of, offset_of, text_of};
use crate::{Error, Message, Next, Offset};

/// What the group says.
#[derive(Debug)]
pub(in crate::kafka) enum Rebalance {
    Assign(Vec<u32>),
    Revoke(Vec<u32>),
    Trouble(Error),
}

/// A consumer in a group, which reads in batches.
pub(in crate::kafka) struct Consumer {
    client: Arc<Client>,
    topic: String,
    events: Queue,
    data: Queue,
    batch: Vec<*mut sys::rd_kafka_message_t>,
    /// How many messages make a batch, as large as they have been lately.
    batch_messages: usize,
}

// SAFETY: the batch is empty between calls; everything else is Send.
unsafe impl Send for Consumer {}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Consumer({})", self.topic)
    }
}

const BATCH_MESSAGES_MAX: usize = 10_000;
const BATCH_BYTES: usize = 4 * 1024 * 1024;

impl Consumer {
    pub(in crate::kafka) fn subscribe(
        config: &ClientConfig,
        topic: &str,
    ) -> Result<Consumer, Error> {
        let events = sys::RD_KAFKA_EVENT_REBALANCE | sys::RD_KAFKA_EVENT_ERROR;
        let client =
            Arc::new(Client::new(sys::rd_kafka_type_t::RD_KAFKA_CONSUMER, config, events)?);
        // SAFETY: the client is a consumer; queues are checked before they are used.
        let (events, data) = unsafe {
            sys::rd_kafka_poll_set_consumer(client.ptr());
            let queue = |queue| {
                let queue =
                    NonNull::new(queue).ok_or_else(|| Error::Fatal("no queue".to_owned()))?;
                Ok::<_, Error>(Queue { queue, _client: client.clone() })
            };
            (
                queue(sys::rd_kafka_queue_get_consumer(client.ptr()))?,
                queue(sys::rd_kafka_queue_new(client.ptr()))?,
            )
        };
        let subscription = Places::new(topic, std::iter::once((u32::MAX, 0)))?;
        // SAFETY: both are valid; the list is copied.
        let code = unsafe { sys::rd_kafka_subscribe(client.ptr(), subscription.0.as_ptr()) };
        if code != Code::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(Error::Fatal(format!("cannot subscribe to {topic}: {}", text_of(code))));
        }
        Ok(Consumer {
            client,
            topic: topic.to_owned(),
            events,
            data,
            batch: Vec::new(),
            batch_messages: 100,
        })
    }

    /// What the group has to say, if anything comes within `wait`.
    pub(in crate::kafka) fn event(&mut self, wait: Duration) -> Option<Rebalance> {
        // SAFETY: the event is destroyed here, after all that is read of it.
        unsafe {
            let event = sys::rd_kafka_queue_poll(self.events.queue.as_ptr(), milliseconds(wait));
            if event.is_null() {
                return None;
            }
            let code = sys::rd_kafka_event_error(event);
            let found = match sys::rd_kafka_event_type(event) {
                sys::RD_KAFKA_EVENT_REBALANCE => {
                    let list = sys::rd_kafka_event_topic_partition_list(event);
                    let count = usize::try_from((*list).cnt).unwrap_or(0);
                    let elements = if count == 0 {
                        &[]
                    } else {
                        std::slice::from_raw_parts((*list).elems, count)
                    };
                    let partitions =
                        elements.iter().filter_map(|e| u32::try_from(e.partition).ok()).collect();
                    Some(match code {
                        Code::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Rebalance::Assign(partitions),
                        _ => Rebalance::Revoke(partitions),
                    })
                }
                sys::RD_KAFKA_EVENT_ERROR => {
                    trouble(code, &read_error(event)).map(Rebalance::Trouble)
                }
                sys::RD_KAFKA_EVENT_FETCH => Some(Rebalance::Trouble(Error::Uncommitted(
                    "messages came among the events".to_owned(),
                ))),
                _ => None,
            };
            sys::rd_kafka_event_destroy(event);
            found
        }
    }

    /// Begins to read partitions, each from its place. None may be read yet: one that is stopped and
    /// started again shows its messages among the events.
    pub(in crate::kafka) fn assign(
        &mut self,
        places: impl Iterator<Item = (u32, Next)>,
    ) -> Result<(), Error> {
        let places: Vec<(u32, i64)> = places.map(offset_of).collect();
        let topic = name_of(&self.topic)?;
        for (partition, _) in &places {
            let partition = i32::try_from(*partition).unwrap_or(i32::MAX);
            // SAFETY: the partition's queue is forwarded to ours, which lives as long as the client.
            unsafe {
                let queue =
                    sys::rd_kafka_queue_get_partition(self.client.ptr(), topic.as_ptr(), partition);
                if queue.is_null() {
                    return Err(Error::Fatal(format!("no queue for {} {partition}", self.topic)));
                }
                sys::rd_kafka_queue_forward(queue, self.data.queue.as_ptr());
                sys::rd_kafka_queue_destroy(queue);
            }
        }
        let list = Places::new(&self.topic, places.into_iter())?;
        // SAFETY: both are valid; the list is copied.
        let code = unsafe { sys::rd_kafka_assign(self.client.ptr(), list.0.as_ptr()) };
        match code {
            Code::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
            code => Err(Error::Passing(format!("cannot read {}: {}", self.topic, text_of(code)))),
        }
    }

    /// Goes on from other places in partitions that are being read.
    pub(in crate::kafka) fn seek(
        &mut self,
        places: impl Iterator<Item = (u32, Next)>,
        wait: Duration,
    ) -> Result<(), Error> {
        let list = Places::new(&self.topic, places.map(offset_of))?;
        // SAFETY: both are valid; the list is written to, and lives until the end.
        let error = unsafe {
            let list = list.0.as_ptr();
            sys::rd_kafka_seek_partitions(self.client.ptr(), list, milliseconds(wait))
        };
        if !error.is_null() {
            // SAFETY: the error is ours, and destroyed here once.
            let code = unsafe {
                let code = sys::rd_kafka_error_code(error);
                sys::rd_kafka_error_destroy(error);
                code
            };
            return Err(self.not_found(code));
        }
        // SAFETY: the list has so many elements.
        let elements = unsafe {
            let count = usize::try_from((*list.0.as_ptr()).cnt).unwrap_or(0);
            std::slice::from_raw_parts((*list.0.as_ptr()).elems, count)
        };
        match elements.iter().find(|e| e.err != Code::RD_KAFKA_RESP_ERR_NO_ERROR) {
            Some(element) => Err(self.not_found(element.err)),
            None => Ok(()),
        }
    }

    fn not_found(&self, code: Code) -> Error {
        Error::Passing(format!("cannot go back in {}: {}", self.topic, text_of(code)))
    }

    /// Stops reading all partitions.
    pub(in crate::kafka) fn unassign(&mut self) -> Result<(), Error> {
        // SAFETY: the client is a consumer.
        match unsafe { sys::rd_kafka_assign(self.client.ptr(), ptr::null()) } {
            Code::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
            code => {
                Err(Error::Passing(format!("cannot give up {}: {}", self.topic, text_of(code))))
            }
        }
    }

    /// Shows the messages that are there; if there are none, the first that come within `wait`.
    pub(in crate::kafka) fn messages(
        &mut self,
        wait: Duration,
        visit: &mut dyn FnMut(&[Message<'_>]),
    ) -> Result<(), Error> {
        let mut taken = Taken(std::mem::take(&mut self.batch));
        self.take_what_is_there(&mut taken);
        if taken.0.is_empty() && !wait.is_zero() {
            // A batch is waited for until it is full or the time is up, so the first is taken alone.
            let queue = self.data.queue.as_ptr();
            // SAFETY: the queue is valid; the message is ours from here on.
            let first = unsafe { sys::rd_kafka_consume_queue(queue, milliseconds(wait)) };
            if !first.is_null() {
                taken.0.push(first);
                self.take_what_is_there(&mut taken);
            }
        }
        let mut messages = Vec::with_capacity(taken.0.len());
        for message in &taken.0 {
            // SAFETY: each pointer is a message that lives until `taken` is dropped.
            match unsafe { message_of(*message) } {
                Ok(message) => messages.extend(message),
                Err(error) => return Err(error),
            }
        }
        if !messages.is_empty() {
            visit(&messages);
            let bytes: usize = messages.iter().map(|message| message.value.len()).sum();
            let mean = bytes.div_euclid(messages.len()).max(1);
            self.batch_messages = BATCH_BYTES.div_euclid(mean).clamp(1, BATCH_MESSAGES_MAX);
        }
        drop(messages);
        self.batch = taken.back();
        Ok(())
    }

    fn take_what_is_there(&self, taken: &mut Taken) {
        let before = taken.0.len();
        taken.0.reserve(self.batch_messages);
        let room = taken.0.spare_capacity_mut();
        // SAFETY: librdkafka writes up to as many pointers as there is room for, and says how many it wrote: so many
        // more are there.
        unsafe {
            let queue = self.data.queue.as_ptr();
            let (room, most) = (room.as_mut_ptr().cast(), self.batch_messages);
            let count = sys::rd_kafka_consume_batch_queue(queue, 0, room, most);
            taken.0.set_len(before.saturating_add(usize::try_from(count).unwrap_or(0)));
        }
    }

    /// A handle for the producer that commits this consumer's offsets.
    pub(in crate::kafka) fn group(&self) -> Group {
        Group { client: self.client.clone(), topic: self.topic.clone() }
    }
}

/// Messages taken from a queue, given back when dropped.
struct Taken(Vec<*mut sys::rd_kafka_message_t>);

impl Taken {
    fn back(mut self) -> Vec<*mut sys::rd_kafka_message_t> {
        self.destroy();
        std::mem::take(&mut self.0)
    }

    fn destroy(&mut self) {
        for message in self.0.drain(..) {
            // SAFETY: each was taken from the queue once and is destroyed once.
            unsafe { sys::rd_kafka_message_destroy(message) };
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.destroy();
    }
}

/// The message behind a pointer; none for an event that is no message.
///
/// # Safety
/// `message` must point to a message that outlives the result.
unsafe fn message_of<'a>(
    message: *const sys::rd_kafka_message_t,
) -> Result<Option<Message<'a>>, Error> {
    // SAFETY: promised by the caller; payload and length belong together.
    unsafe {
        let raw = &*message;
        if raw.err != Code::RD_KAFKA_RESP_ERR_NO_ERROR {
            let why = CStr::from_ptr(sys::rd_kafka_message_errstr(message))
                .to_string_lossy()
                .into_owned();
            return trouble(raw.err, &why).map_or(Ok(None), Err);
        }
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        let at = sys::rd_kafka_message_timestamp(message, &mut kind);
        let value = if raw.payload.is_null() {
            &[]
        } else {
            std::slice::from_raw_parts(raw.payload.cast::<u8>(), raw.len)
        };
        Ok(Some(Message {
            partition: u32::try_from(raw.partition).unwrap_or(u32::MAX),
            offset: Offset(raw.offset),
            at: Timestamp::from_micros(at.saturating_mul(1_000)),
            value,
        }))
    }
}

/// What an error of the consumer means for us; none if librdkafka goes on by itself.
fn trouble(code: Code, why: &str) -> Option<Error> {
    match code {
        Code::RD_KAFKA_RESP_ERR__FATAL | Code::RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID => {
            Some(Error::Fenced(why.to_owned()))
        }
        Code::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET
        | Code::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE => Some(Error::Fatal(format!(
            "{why}: what was committed has been deleted from the broker; check its retention"
        ))),
        Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
        | Code::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED
        | Code::RD_KAFKA_RESP_ERR__AUTHENTICATION
        | Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
        | Code::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC => Some(Error::Fatal(why.to_owned())),
        Code::RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED => Some(Error::Uncommitted(why.to_owned())),
        _ => {
            tracing::warn!(error = why, "kafka");
            None
        }
    }
}

/// The text of an error event.
///
/// # Safety
/// `event` must be a valid event.
unsafe fn read_error(event: *mut sys::rd_kafka_event_t) -> String {
    // SAFETY: promised by the caller; the text lives as long as the event.
    let text = unsafe { sys::rd_kafka_event_error_string(event) };
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as above.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// A consumer's group, as the producer needs it.
pub(in crate::kafka) struct Group {
    pub(super) client: Arc<Client>,
    pub(super) topic: String,
}

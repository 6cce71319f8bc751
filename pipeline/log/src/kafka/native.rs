//! librdkafka by its C functions, where the safe crate is too slow: consuming in batches, and
//! transactions without its pauses. Everything unsafe of this crate is here, behind types that
//! cannot be misused.
//!
//! What the safety rests on: every handle is created here, owned by one of these types and destroyed
//! once, after everything that was made from it; librdkafka's handles may be used from any thread.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_int, c_void};
use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka_sys as sys;
use sys::rd_kafka_resp_err_t as Code;

use drawdown_domain::time::Timestamp;

use crate::{Error, Message, Next, Offset};

fn milliseconds(wait: Duration) -> c_int {
    c_int::try_from(wait.as_millis()).unwrap_or(c_int::MAX)
}

fn text_of(code: Code) -> String {
    // SAFETY: librdkafka returns a static string for every code.
    let text = unsafe { CStr::from_ptr(sys::rd_kafka_err2str(code)) };
    text.to_string_lossy().into_owned()
}

fn name_of(topic: &str) -> Result<CString, Error> {
    CString::new(topic).map_err(|_| Error::Fatal(format!("{topic:?} is no topic's name")))
}

/// A client of librdkafka, and whether a connection of its broke, which outlives it.
struct Client(NonNull<sys::rd_kafka_t>, Arc<AtomicBool>);

// SAFETY: librdkafka's client handles are thread-safe.
unsafe impl Send for Client {}
// SAFETY: as above.
unsafe impl Sync for Client {}

impl Client {
    fn new(
        kind: sys::rd_kafka_type_t,
        config: &ClientConfig,
        events: c_int,
    ) -> Result<Client, Error> {
        let mut reason = [0; 512];
        // SAFETY: the configuration is valid, and librdkafka takes it over exactly if it returns a
        // client; it is made here from the pairs, because the safe crate keeps its own.
        unsafe {
            let conf = sys::rd_kafka_conf_new();
            for (key, value) in config.config_map() {
                let (key, value) = (name_of(key)?, name_of(value)?);
                let size = reason.len();
                let set = sys::rd_kafka_conf_set(
                    conf,
                    key.as_ptr(),
                    value.as_ptr(),
                    reason.as_mut_ptr(),
                    size,
                );
                if set != sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK {
                    sys::rd_kafka_conf_destroy(conf);
                    return Err(Error::Fatal(read(&reason)));
                }
            }
            sys::rd_kafka_conf_set_events(conf, events);
            let broke = Arc::new(AtomicBool::new(false));
            sys::rd_kafka_conf_set_opaque(conf, Arc::as_ptr(&broke).cast_mut().cast());
            sys::rd_kafka_conf_set_log_cb(conf, Some(log));
            let client = sys::rd_kafka_new(kind, conf, reason.as_mut_ptr(), reason.len());
            NonNull::new(client).map(|client| Client(client, broke)).ok_or_else(|| {
                sys::rd_kafka_conf_destroy(conf);
                Error::Fatal(read(&reason))
            })
        }
    }

    fn ptr(&self) -> *mut sys::rd_kafka_t {
        self.0.as_ptr()
    }
}

/// Passes on what a client has to say, and notes that a connection broke, of which it tells nowhere else.
///
/// # Safety
/// Called by librdkafka, from any thread, with a client whose flag outlives it.
unsafe extern "C" fn log(
    client: *const sys::rd_kafka_t,
    level: c_int,
    _facility: *const std::ffi::c_char,
    text: *const std::ffi::c_char,
) {
    // SAFETY: promised by librdkafka.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    match level {
        ..=4 => tracing::warn!(%text, "kafka"),
        _ => tracing::debug!(%text, "kafka"),
    }
    // Not a connection that never came about: a broker may have addresses that cannot be reached. And
    // one that was idle for long is closed by the broker without a word.
    if !client.is_null() && text.contains("in state UP") {
        // SAFETY: set when the client was made.
        let broke = unsafe { &*sys::rd_kafka_opaque(client).cast::<AtomicBool>() };
        broke.store(true, Ordering::Release);
    }
}

/// A client that is being destroyed.
struct Ending(NonNull<sys::rd_kafka_t>, Arc<AtomicBool>);

// SAFETY: librdkafka's client handles may be destroyed from any thread.
unsafe impl Send for Ending {}

impl Ending {
    fn destroy(self) {
        let flags = sys::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE;
        // SAFETY: this was the last owner; everything made from the client holds an Arc of it.
        unsafe { sys::rd_kafka_destroy_flags(self.0.as_ptr(), flags) };
        drop(self.1);
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let ending = Ending(self.0, self.1.clone());
        // Destroying waits for librdkafka's threads, which may hang on a broker that does not answer;
        // nobody needs to wait for that. Without a thread the client leaks, which a process that
        // cannot start one has no time to notice.
        let name = "kafka-destroy".to_owned();
        drop(std::thread::Builder::new().name(name).spawn(move || ending.destroy()));
    }
}

fn read(reason: &[std::ffi::c_char]) -> String {
    // SAFETY: librdkafka ends what it writes with a zero, and the buffer began as zeroes.
    unsafe { CStr::from_ptr(reason.as_ptr()) }.to_string_lossy().into_owned()
}

/// A queue of messages or events.
struct Queue {
    queue: NonNull<sys::rd_kafka_queue_t>,
    _client: Arc<Client>,
}

// SAFETY: librdkafka's queues are thread-safe.
unsafe impl Send for Queue {}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: made by librdkafka, destroyed once, before its client.
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) };
    }
}

/// A list of partitions with places.
struct Places(NonNull<sys::rd_kafka_topic_partition_list_t>);

impl Places {
    fn new(topic: &str, places: impl Iterator<Item = (u32, i64)>) -> Result<Places, Error> {
        let topic = name_of(topic)?;
        // SAFETY: the list is created here, and an added element is valid until the next is added.
        unsafe {
            let list = sys::rd_kafka_topic_partition_list_new(16);
            let list =
                Places(NonNull::new(list).ok_or_else(|| Error::Fatal("no memory".to_owned()))?);
            for (partition, offset) in places {
                let partition = i32::try_from(partition).unwrap_or(i32::MAX);
                let added = sys::rd_kafka_topic_partition_list_add(
                    list.0.as_ptr(),
                    topic.as_ptr(),
                    partition,
                );
                (*added).offset = offset;
            }
            Ok(list)
        }
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        // SAFETY: made by librdkafka, destroyed once.
        unsafe { sys::rd_kafka_topic_partition_list_destroy(self.0.as_ptr()) };
    }
}

/// A place as librdkafka has it.
fn offset_of((partition, next): (u32, Next)) -> (u32, i64) {
    let beginning = i64::from(sys::RD_KAFKA_OFFSET_BEGINNING);
    (partition, if next == Next::START { beginning } else { next.0 })
}

/// What the group says.
#[derive(Debug)]
pub(super) enum Rebalance {
    Assign(Vec<u32>),
    Revoke(Vec<u32>),
    Trouble(Error),
}

/// A consumer in a group, which reads in batches.
pub(super) struct Consumer {
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
    pub(super) fn subscribe(config: &ClientConfig, topic: &str) -> Result<Consumer, Error> {
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
    pub(super) fn event(&mut self, wait: Duration) -> Option<Rebalance> {
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
    pub(super) fn assign(
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
    pub(super) fn seek(
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
    pub(super) fn unassign(&mut self) -> Result<(), Error> {
        // SAFETY: the client is a consumer.
        match unsafe { sys::rd_kafka_assign(self.client.ptr(), ptr::null()) } {
            Code::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
            code => {
                Err(Error::Passing(format!("cannot give up {}: {}", self.topic, text_of(code))))
            }
        }
    }

    /// Shows the messages that are there; if there are none, the first that come within `wait`.
    pub(super) fn messages(
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
        taken.0.resize(before.saturating_add(self.batch_messages), ptr::null_mut());
        let room = taken.0.get_mut(before..).unwrap_or_default();
        // SAFETY: librdkafka writes up to as many pointers as there is room for.
        let count = unsafe {
            let queue = self.data.queue.as_ptr();
            sys::rd_kafka_consume_batch_queue(queue, 0, room.as_mut_ptr(), room.len())
        };
        taken.0.truncate(before.saturating_add(usize::try_from(count).unwrap_or(0)));
    }

    /// A handle for the producer that commits this consumer's offsets.
    pub(super) fn group(&self) -> Group {
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
pub(super) struct Group {
    client: Arc<Client>,
    topic: String,
}

/// A transactional producer. Made for one member; its calls block.
pub(super) struct Producer {
    client: Arc<Client>,
    topics: std::collections::BTreeMap<String, TopicHandle>,
}

struct TopicHandle {
    topic: NonNull<sys::rd_kafka_topic_t>,
    _client: Arc<Client>,
}

// SAFETY: librdkafka's topic handles are thread-safe.
unsafe impl Send for TopicHandle {}

impl Drop for TopicHandle {
    fn drop(&mut self) {
        // SAFETY: made by librdkafka, destroyed once, before its client.
        unsafe { sys::rd_kafka_topic_destroy(self.topic.as_ptr()) };
    }
}

impl Producer {
    pub(super) fn new(config: &ClientConfig) -> Result<Producer, Error> {
        let client = Client::new(sys::rd_kafka_type_t::RD_KAFKA_PRODUCER, config, 0)?;
        Ok(Producer { client: Arc::new(client), topics: Default::default() })
    }

    /// Whether a connection to a broker broke since this producer was made.
    pub(super) fn was_cut_off(&self) -> bool {
        self.client.1.load(Ordering::Acquire)
    }

    /// Fences former selves, and waits until what they left open is decided.
    pub(super) fn init(&self, wait: Duration) -> Result<(), Error> {
        // SAFETY: the client is a transactional producer.
        self.check(|client| unsafe { sys::rd_kafka_init_transactions(client, milliseconds(wait)) })
    }

    pub(super) fn begin(&self) -> Result<(), Error> {
        // SAFETY: as above.
        self.check(|client| unsafe { sys::rd_kafka_begin_transaction(client) })
    }

    pub(super) fn send(
        &mut self,
        topic: &str,
        partition: u32,
        value: &mut [u8],
    ) -> Result<(), Error> {
        let handle = self.topic(topic)?;
        let partition = i32::try_from(partition).unwrap_or(i32::MAX);
        loop {
            // SAFETY: the payload is copied before the call returns.
            let failed = unsafe {
                sys::rd_kafka_produce(
                    handle,
                    partition,
                    sys::RD_KAFKA_MSG_F_COPY as c_int,
                    value.as_mut_ptr().cast::<c_void>(),
                    value.len(),
                    ptr::null(),
                    0,
                    ptr::null_mut(),
                )
            };
            if failed == 0 {
                return Ok(());
            }
            // SAFETY: reads the last call's error of this thread.
            match unsafe { sys::rd_kafka_last_error() } {
                // SAFETY: the client is valid; its queue empties while it is polled.
                Code::RD_KAFKA_RESP_ERR__QUEUE_FULL => unsafe {
                    sys::rd_kafka_poll(self.client.ptr(), 5);
                },
                code => {
                    return Err(Error::Uncommitted(format!(
                        "cannot write to {topic}: {}",
                        text_of(code)
                    )));
                }
            }
        }
    }

    fn topic(&mut self, name: &str) -> Result<*mut sys::rd_kafka_topic_t, Error> {
        if let Some(known) = self.topics.get(name) {
            return Ok(known.topic.as_ptr());
        }
        let topic = name_of(name)?;
        // SAFETY: the client is valid, and the name is copied.
        let topic =
            unsafe { sys::rd_kafka_topic_new(self.client.ptr(), topic.as_ptr(), ptr::null_mut()) };
        let topic =
            NonNull::new(topic).ok_or_else(|| Error::Fatal(format!("no handle for {name}")))?;
        self.topics.insert(name.to_owned(), TopicHandle { topic, _client: self.client.clone() });
        Ok(topic.as_ptr())
    }

    pub(super) fn send_offsets(
        &self,
        group: &Group,
        read: impl Iterator<Item = (u32, Next)>,
        wait: Duration,
    ) -> Result<(), Error> {
        let places = Places::new(&group.topic, read.map(|(partition, next)| (partition, next.0)))?;
        // SAFETY: the consumer is alive; its metadata is destroyed after the call.
        unsafe {
            let metadata = sys::rd_kafka_consumer_group_metadata(group.client.ptr());
            if metadata.is_null() {
                return Err(Error::Uncommitted("the consumer has left its group".to_owned()));
            }
            let sent = self.check(|client| {
                sys::rd_kafka_send_offsets_to_transaction(
                    client,
                    places.0.as_ptr(),
                    metadata,
                    milliseconds(wait),
                )
            });
            sys::rd_kafka_consumer_group_metadata_destroy(metadata);
            sent
        }
    }

    /// Waits until everything that was sent has been taken.
    pub(super) fn flush(&self, wait: Duration) -> Result<(), Error> {
        // SAFETY: the client is a producer.
        match unsafe { sys::rd_kafka_flush(self.client.ptr(), milliseconds(wait)) } {
            Code::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
            code => Err(Error::Uncommitted(text_of(code))),
        }
    }

    pub(super) fn commit(&self, wait: Duration) -> Result<(), Error> {
        // SAFETY: the client is a transactional producer.
        self.check(|client| unsafe { sys::rd_kafka_commit_transaction(client, milliseconds(wait)) })
    }

    /// Ends a transaction that failed, so that readers need not wait until it times out.
    pub(super) fn abort(&self, wait: Duration) -> Result<(), Error> {
        // SAFETY: as above.
        self.check(|client| unsafe { sys::rd_kafka_abort_transaction(client, milliseconds(wait)) })
    }

    fn check(
        &self,
        call: impl FnOnce(*mut sys::rd_kafka_t) -> *mut sys::rd_kafka_error_t,
    ) -> Result<(), Error> {
        let error = call(self.client.ptr());
        if error.is_null() {
            return Ok(());
        }
        // SAFETY: the error is ours until it is destroyed here.
        let (why, code, fatal) = unsafe {
            let why =
                CStr::from_ptr(sys::rd_kafka_error_string(error)).to_string_lossy().into_owned();
            let code = sys::rd_kafka_error_code(error);
            let fatal = sys::rd_kafka_error_is_fatal(error) != 0;
            sys::rd_kafka_error_destroy(error);
            (why, code, fatal)
        };
        Err(match code {
            Code::RD_KAFKA_RESP_ERR__FENCED
            | Code::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH
            | Code::RD_KAFKA_RESP_ERR_PRODUCER_FENCED
            | Code::RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID => Error::Fenced(why),
            Code::RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED
            | Code::RD_KAFKA_RESP_ERR__AUTHENTICATION => Error::Fatal(why),
            _ if fatal => Error::Uncommitted(why),
            _ => Error::Uncommitted(why),
        })
    }
}

//! librdkafka by its C functions, where the safe crate is too slow: consuming in batches, and
//! transactions without its pauses. Everything unsafe of this crate is here and below, behind types
//! that cannot be misused.
//!
//! What the safety rests on: every handle is created here, owned by one of these types and destroyed
//! once, after everything that was made from it; librdkafka's handles may be used from any thread.

#![allow(unsafe_code)]

mod consumer;
mod producer;

use std::ffi::{CStr, CString, c_int};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka_sys as sys;
use sys::rd_kafka_resp_err_t as Code;

use crate::{Error, Next};

pub(super) use consumer::{Consumer, Group, Rebalance};
pub(super) use producer::Producer;

/// What is left of a millisecond is waited for, too: nobody is to ask again and again meanwhile.
fn milliseconds(wait: Duration) -> c_int {
    c_int::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(c_int::MAX)
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
    // That a transaction failed is returned to whoever made it and tells what comes of it.
    let told = text.contains("Current transaction failed");
    match level {
        ..=4 if !told => tracing::warn!(%text, "kafka"),
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

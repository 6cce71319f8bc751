//! A transactional producer, and what it can say of its transactions.

use std::ffi::{CStr, c_int, c_void};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka_sys as sys;

use super::consumer::Group;
use super::{Client, Code, Places, milliseconds, name_of, read, text_of};
use crate::{Error, Next};

/// A transactional producer. Made for one member; its calls block.
pub(in crate::kafka) struct Producer {
    client: Arc<Client>,
    topics: std::collections::BTreeMap<String, TopicHandle>,
    /// Topics that are not compressed.
    uncompressed: Vec<String>,
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
    pub(in crate::kafka) fn new(
        config: &ClientConfig,
        uncompressed: &[String],
    ) -> Result<Producer, Error> {
        let client = Client::new(sys::rd_kafka_type_t::RD_KAFKA_PRODUCER, config, 0)?;
        let uncompressed = uncompressed.to_vec();
        Ok(Producer { client: Arc::new(client), topics: Default::default(), uncompressed })
    }

    /// Whether a connection to a broker broke since this producer was made.
    pub(in crate::kafka) fn was_cut_off(&self) -> bool {
        self.client.1.load(Ordering::Acquire)
    }

    /// Fences former selves, and waits until what they left open is decided.
    pub(in crate::kafka) fn init(&self, wait: Duration) -> Result<(), Error> {
        // SAFETY: the client is a transactional producer.
        self.check(|client| unsafe { sys::rd_kafka_init_transactions(client, milliseconds(wait)) })
    }

    pub(in crate::kafka) fn begin(&self) -> Result<(), Error> {
        // SAFETY: as above.
        self.check(|client| unsafe { sys::rd_kafka_begin_transaction(client) })
    }

    pub(in crate::kafka) fn send(
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
        let config = match self.uncompressed.iter().any(|known| known == name) {
            true => self.without_compression()?,
            false => ptr::null_mut(),
        };
        // SAFETY: the client is valid, the name is copied, and the configuration taken over.
        let topic = unsafe { sys::rd_kafka_topic_new(self.client.ptr(), topic.as_ptr(), config) };
        let topic =
            NonNull::new(topic).ok_or_else(|| Error::Fatal(format!("no handle for {name}")))?;
        self.topics.insert(name.to_owned(), TopicHandle { topic, _client: self.client.clone() });
        Ok(topic.as_ptr())
    }

    /// What else holds for topics, without compression.
    fn without_compression(&self) -> Result<*mut sys::rd_kafka_topic_conf_t, Error> {
        let mut reason = [0; 512];
        // SAFETY: the client is valid; the copy of its configuration is ours, and destroyed if it is not
        // returned.
        unsafe {
            let config = sys::rd_kafka_default_topic_conf_dup(self.client.ptr());
            let (key, value) = (c"compression.codec".as_ptr(), c"none".as_ptr());
            let size = reason.len();
            match sys::rd_kafka_topic_conf_set(config, key, value, reason.as_mut_ptr(), size) {
                sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK => Ok(config),
                _ => {
                    sys::rd_kafka_topic_conf_destroy(config);
                    Err(Error::Fatal(read(&reason)))
                }
            }
        }
    }

    pub(in crate::kafka) fn send_offsets(
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
    pub(in crate::kafka) fn flush(&self, wait: Duration) -> Result<(), Error> {
        // SAFETY: the client is a producer.
        match unsafe { sys::rd_kafka_flush(self.client.ptr(), milliseconds(wait)) } {
            Code::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
            code => Err(Error::Uncommitted(text_of(code))),
        }
    }

    pub(in crate::kafka) fn commit(&self, wait: Duration) -> Result<(), Error> {
        // SAFETY: the client is a transactional producer.
        self.check(|client| unsafe { sys::rd_kafka_commit_transaction(client, milliseconds(wait)) })
    }

    /// Ends a transaction that failed, so that readers need not wait until it times out.
    pub(in crate::kafka) fn abort(&self, wait: Duration) -> Result<(), Error> {
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

//! A letter, and how it stands on the wire: the same bytes however often it is sent.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, UNIX_EPOCH};

use drawdown_domain::time::Timestamp;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment as Attached, Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};

/// A letter to one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Unique for ever, without brackets: `name@domain`.
    pub message_id: String,
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: String,
    pub at: Timestamp,
    pub attachments: Vec<Attachment>,
}

/// A file that goes with a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    pub name: String,
    /// Such as `application/pdf`.
    pub media_type: String,
    pub content: Vec<u8>,
}

/// Whom letters come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender(Mailbox);

/// A text is no address, or a letter cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotALetter(String);

impl Sender {
    /// An address, with a name before it or without: `Billing <billing@acme.example>`.
    pub fn parse(text: &str) -> Result<Sender, NotALetter> {
        text.parse().map(Sender).map_err(|error| NotALetter(format!("{text}: {error}")))
    }

    /// What stands behind the `@`.
    pub fn domain(&self) -> &str {
        self.0.email.domain()
    }

    pub(super) fn address(&self) -> &Address {
        &self.0.email
    }
}

/// A letter that is ready to be sent.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) to: Address,
    pub(super) bytes: Vec<u8>,
}

impl Letter {
    pub(super) fn recipient(&self) -> Result<Mailbox, NotALetter> {
        self.to.parse().map_err(|error| NotALetter(format!("{}: {error}", self.to)))
    }

    pub(super) fn written(&self, from: &Sender) -> Result<Written, NotALetter> {
        let not = |error: &dyn std::fmt::Display| NotALetter(format!("{}: {error}", self.to));
        let to = self.recipient()?;
        let address = to.email.clone();
        let micros = u64::try_from(self.at.as_micros()).unwrap_or(0);
        let mut message = Message::builder()
            .from(from.0.clone())
            .to(to)
            .subject(&self.subject)
            .message_id(Some(format!("<{}>", self.message_id)))
            .date(UNIX_EPOCH + Duration::from_micros(micros))
            .multipart(self.body()?)
            .map_err(|error| not(&error))?;
        // No answering machine is to answer.
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        message.headers_mut().insert_raw(HeaderValue::new(automatic, "auto-generated".to_owned()));
        Ok(Written { to: address, bytes: message.formatted() })
    }

    fn body(&self) -> Result<MultiPart, NotALetter> {
        let alternative = MultiPart::alternative()
            .boundary(self.boundary("alternative"))
            .singlepart(SinglePart::plain(self.text.clone()))
            .singlepart(SinglePart::html(self.html.clone()));
        if self.attachments.is_empty() {
            return Ok(alternative);
        }
        let mixed = MultiPart::mixed().boundary(self.boundary("mixed")).multipart(alternative);
        self.attachments.iter().try_fold(
            mixed,
            |parts, Attachment { name, media_type, content }| {
                let not = |error| NotALetter(format!("{name}: {media_type}: {error}"));
                let media_type = ContentType::parse(media_type).map_err(not)?;
                Ok(parts.singlepart(Attached::new(name.clone()).body(content.clone(), media_type)))
            },
        )
    }

    /// What parts of a message are kept apart by follows from its name, so that it is written the same
    /// each time.
    fn boundary(&self, part: &str) -> String {
        let mut hasher = DefaultHasher::new();
        (part, &self.message_id).hash(&mut hasher);
        format!("drawdown-{part}-{:016x}", hasher.finish())
    }
}

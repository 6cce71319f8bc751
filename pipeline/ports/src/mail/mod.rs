//! Mail: what is sent, and what can become of it.

mod captured;
mod letter;
mod smtp;

use std::fmt;
use std::pin::Pin;

pub use captured::Captured;
pub use letter::{Attachment, Letter, NotALetter, Sender};
pub use smtp::{Smtp, SmtpOptions, Tls};

/// What became of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The server has taken it, and answers for it from now on.
    Accepted,
    /// The server will not have it, whenever it is asked.
    Refused { why: String },
    /// The server would rather be asked later.
    Later { why: String },
    /// It may be with the server or not. Sent again it may arrive twice, under one Message-ID.
    Unknown { why: String },
    /// No server is there that would listen to us.
    Away { why: String },
}

pub type Sending<'a> = Pin<Box<dyn Future<Output = Delivery> + Send + 'a>>;

/// Something that takes letters.
pub trait Mailer: Send + Sync + fmt::Debug {
    fn send<'a>(&'a self, letter: &'a Letter) -> Sending<'a>;
}

//! A mail server, by SMTP.
//!
//! The dialogue is led command by command, because what an answer means depends on what it answers: a
//! server that refuses our greeting, our password or our sender has nothing against a letter.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use tokio::net::TcpStream;

use super::letter::Written;
use super::{Delivery, Letter, Mailer, Sender, Sending};

/// How the connection is kept from being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// It is not: for a server of this machine.
    None,
    /// Begun in the open and switched over; a server that cannot is not used.
    StartTls,
    /// From the first byte.
    Tls,
}

/// How a mail server is reached.
#[derive(Clone)]
pub struct SmtpOptions {
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    /// Who we are to the server, and the password; none: it takes mail from anybody.
    pub credentials: Option<(String, String)>,
    /// A certificate that is trusted beside the system's, as PEM.
    pub certificate: Option<Vec<u8>>,
    /// What we call ourselves.
    pub hello: String,
    pub from: Sender,
    /// A letter that is not sent by then is given up, and what became of it is not known.
    pub deadline: Duration,
    /// Connections that wait for the next letter; others are closed.
    pub idle_max: usize,
}

/// After so long a connection that waits is asked whether it still stands, and later closed: servers
/// close what is silent.
const ASKED_AFTER: Duration = Duration::from_secs(2);
const CLOSED_AFTER: Duration = Duration::from_secs(60);

/// The password stays out of it.
impl fmt::Debug for SmtpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SmtpOptions({}:{}, {:?})", self.host, self.port, self.tls)
    }
}

/// A mail server.
pub struct Smtp {
    options: SmtpOptions,
    hello: ClientId,
    tls: Option<TlsParameters>,
    /// Connections that wait for the next letter, and since when.
    idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Smtp({:?})", self.options)
    }
}

impl Smtp {
    pub fn new(options: SmtpOptions) -> Result<Smtp, Error> {
        let tls = match options.tls {
            Tls::None => None,
            Tls::StartTls | Tls::Tls => {
                let mut builder = TlsParameters::builder(options.host.clone());
                if let Some(pem) = &options.certificate {
                    builder = builder.add_root_certificate(Certificate::from_pem(pem)?);
                }
                Some(builder.build()?)
            }
        };
        let hello = ClientId::Domain(options.hello.clone());
        Ok(Smtp { options, hello, tls, idle: Mutex::default() })
    }

    async fn sent(&self, letter: &Letter) -> Delivery {
        let written = match letter.written(&self.options.from) {
            Ok(written) => written,
            Err(error) => return Delivery::Refused { why: error.to_string() },
        };
        let deadline = tokio::time::Instant::now() + self.options.deadline;
        let late = |what: &str| format!("{what} took more than {:?}", self.options.deadline);
        let connected = tokio::time::timeout_at(deadline, self.connection()).await;
        let mut connection = match connected {
            Ok(Ok(connection)) => connection,
            Ok(Err(why)) => return Delivery::Away { why },
            Err(_) => return Delivery::Away { why: late("connecting") },
        };
        // A connection is used again only if the dialogue came to its end. Else it is dropped, in
        // whatever state it is: its next letter would be read as part of this one.
        let dialogue = dialogue(&mut connection, self.options.from.address(), &written);
        match tokio::time::timeout_at(deadline, dialogue).await {
            Ok(Ok(())) => {
                self.put_back(connection);
                Delivery::Accepted
            }
            Ok(Err(delivery)) => delivery,
            Err(_) => Delivery::Unknown { why: late("sending") },
        }
    }

    /// A connection that is ready for a letter.
    async fn connection(&self) -> Result<AsyncSmtpConnection, String> {
        while let Some((mut connection, since)) = self.take_idle() {
            let silent = since.elapsed();
            let stands = silent < ASKED_AFTER
                || (silent < CLOSED_AFTER && connection.test_connected().await);
            if stands {
                return Ok(connection);
            }
        }
        let SmtpOptions { host, port, .. } = &self.options;
        let at = |error: &dyn std::error::Error| format!("{host}:{port}: {}", whole(error));
        let mut connection = self.connected().await.map_err(|error| at(&*error))?;
        if let Some((user, password)) = &self.options.credentials {
            let credentials = Credentials::new(user.clone(), password.clone());
            let known = connection.auth(DEFAULT_MECHANISMS, &credentials).await;
            known.map_err(|error| format!("{user} at {}", at(&error)))?;
        }
        Ok(connection)
    }

    async fn connected(
        &self,
    ) -> Result<AsyncSmtpConnection, Box<dyn std::error::Error + Send + Sync>> {
        let server = (self.options.host.as_str(), self.options.port);
        if let (Tls::Tls, Some(tls)) = (self.options.tls, &self.tls) {
            let (hello, tls) = (&self.hello, Some(tls.clone()));
            return Ok(AsyncSmtpConnection::connect_tokio1(server, None, hello, tls, None).await?);
        }
        let stream = TcpStream::connect(server).await?;
        // A letter ends with a small packet that would otherwise wait for the answer to the one before.
        stream.set_nodelay(true)?;
        let stream = Box::new(stream);
        let mut connection =
            AsyncSmtpConnection::connect_with_transport(stream, &self.hello).await?;
        if let (Tls::StartTls, Some(tls)) = (self.options.tls, &self.tls) {
            connection.starttls(tls.clone(), &self.hello).await?;
        }
        Ok(connection)
    }

    fn take_idle(&self) -> Option<(AsyncSmtpConnection, Instant)> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn put_back(&self, connection: AsyncSmtpConnection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.options.idle_max {
            idle.push((connection, Instant::now()));
        }
    }
}

impl Mailer for Smtp {
    fn send<'a>(&'a self, letter: &'a Letter) -> Sending<'a> {
        Box::pin(self.sent(letter))
    }
}

/// Hands a letter over.
async fn dialogue(
    connection: &mut AsyncSmtpConnection,
    from: &Address,
    written: &Written,
) -> Result<(), Delivery> {
    let mut parameters = Vec::new();
    let ascii: &str = written.to.as_ref();
    if !ascii.is_ascii() {
        if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            let why = format!("{}: the server takes ASCII addresses only", written.to);
            return Err(Delivery::Refused { why });
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    let mail = Mail::new(Some(from.clone()), parameters);
    // Not the letter is refused here, but we.
    connection.command(mail).await.map_err(|error| Delivery::Later { why: whole(&error) })?;
    let rcpt = Rcpt::new(written.to.clone(), Vec::new());
    connection.command(rcpt).await.map_err(|error| judged(&error))?;
    connection.command(Data).await.map_err(|error| judged(&error))?;
    connection.message(&written.bytes).await.map_err(|error| judged(&error))?;
    Ok(())
}

/// What an answer to a letter means.
fn judged(error: &Error) -> Delivery {
    let why = whole(error);
    if error.is_permanent() {
        Delivery::Refused { why }
    } else if error.is_transient() {
        Delivery::Later { why }
    } else {
        Delivery::Unknown { why }
    }
}

/// An error with all that caused it.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

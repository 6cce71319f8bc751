//! A real mail server (aiosmtpd) on the loopback interface, which does as it is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::json;
use tempfile::TempDir;

use crate::tally::{self, Component, Counts};
use crate::{free_port, python};

const VERSION: &str = "1.4.6";
const STARTS_WITHIN: Duration = Duration::from_secs(30);

/// What the server does with a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    Accept,
    /// Asks to be asked again: 451.
    Later,
    /// Will not have it: 550.
    Refuse,
    /// Accepts it, and breaks the connection in place of saying so.
    Lose,
    /// Accepts it, and says nothing any more.
    Hang,
}

/// How the server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    None,
    StartTls,
    Tls,
}

/// A mail as the server accepted it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Accepted {
    pub message_id: String,
    pub from: String,
    pub to: Vec<String>,
    pub subject: String,
    pub headers: std::collections::BTreeMap<String, String>,
    pub text: Option<String>,
    pub html: Option<String>,
    pub parts: Vec<Part>,
    pub encrypted: bool,
    pub authenticated: bool,
}

/// A part of a mail that has no parts itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Part {
    pub r#type: String,
    pub name: Option<String>,
    pub bytes: usize,
}

/// A running mail server, stopped when dropped.
#[derive(Debug)]
pub struct MailServer {
    folder: TempDir,
    port: u16,
    process: Option<Child>,
}

/// Who may send, where a server asks: a name and a password.
pub const CREDENTIALS: (&str, &str) = ("billing", "correct horse");

impl MailServer {
    /// A server that takes mail from anybody, in the open.
    pub fn start() -> anyhow::Result<MailServer> {
        MailServer::start_with(Security::None, false)
    }

    pub fn start_with(security: Security, authenticates: bool) -> anyhow::Result<MailServer> {
        let folder = TempDir::with_prefix("drawdown-smtp-")?;
        let port = free_port()?;
        let tls = match security {
            Security::None => "none",
            Security::StartTls => "starttls",
            Security::Tls => "tls",
        };
        let credentials = authenticates.then_some(CREDENTIALS);
        let settings = json!({ "port": port, "tls": tls, "credentials": credentials });
        fs::write(folder.path().join("settings.json"), settings.to_string())?;
        fs::write(folder.path().join("accepted.jsonl"), "")?;
        fs::write(folder.path().join("asked"), "")?;
        if security != Security::None {
            make_certificate(folder.path())?;
        }
        let mut server = MailServer { folder, port, process: None };
        server.behave(Behaviour::Accept)?;
        server.resume()?;
        Ok(server)
    }

    /// Where it listens. Whoever asks has met it.
    pub fn port(&self) -> u16 {
        tally::met(Component::Smtp, &self.port.to_string());
        self.port
    }

    fn mails(&self) -> anyhow::Result<Counts> {
        let (accepted, asked) = (self.accepted()?.len() as u64, self.asked()? as u64);
        Ok([("mails accepted", accepted), ("mails shown", asked)]
            .map(|(what, count)| (what.to_owned(), count))
            .into())
    }

    /// The certificate it shows, which nobody has signed but itself.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// Says what becomes of mails from now on.
    pub fn behave(&self, behaviour: Behaviour) -> anyhow::Result<()> {
        let text = match behaviour {
            Behaviour::Accept => "accept",
            Behaviour::Later => "later",
            Behaviour::Refuse => "refuse",
            Behaviour::Lose => "lose",
            Behaviour::Hang => "hang",
        };
        let (told, new) = (self.folder.path().join("behaviour"), self.folder.path().join("new"));
        fs::write(&new, text)?;
        Ok(fs::rename(new, told)?)
    }

    /// All mails it ever accepted, in their order.
    pub fn accepted(&self) -> anyhow::Result<Vec<Accepted>> {
        let text = fs::read_to_string(self.folder.path().join("accepted.jsonl"))?;
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// How many mails it was shown, whatever became of them.
    pub fn asked(&self) -> anyhow::Result<usize> {
        Ok(fs::read_to_string(self.folder.path().join("asked"))?.lines().count())
    }

    /// The server is away, as after a power cut.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut process) = self.process.take() {
            process.kill()?;
            process.wait()?;
        }
        Ok(())
    }

    /// Starts it again after [`MailServer::kill`], on the same port.
    pub fn resume(&mut self) -> anyhow::Result<()> {
        let up = self.folder.path().join("up");
        fs::remove_file(&up).or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })?;
        let said = self.folder.path().join("output.log");
        let output = fs::File::options().create(true).append(true).open(&said)?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("smtp/server.py");
        let child = Command::new(python("aiosmtpd", VERSION)?)
            .arg(script)
            .arg(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        self.process = Some(child);
        let deadline = Instant::now() + STARTS_WITHIN;
        while !up.exists() {
            let ended = self.process.as_mut().map(Child::try_wait).transpose()?.flatten();
            if ended.is_some() || Instant::now() > deadline {
                bail!("aiosmtpd {VERSION} does not start: {}", fs::read_to_string(&said)?);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        tally::counted(Component::Smtp, &self.port.to_string(), self.mails());
        // One that has ended already need not be ended.
        drop(self.kill());
    }
}

fn make_certificate(folder: &Path) -> anyhow::Result<()> {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj"])
        .args(["/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout"])
        .arg(folder.join("key.pem"))
        .arg("-out")
        .arg(folder.join("certificate.pem"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("openssl is missing; it makes the mail server's certificate")?;
    if !made.success() {
        bail!("openssl cannot make a certificate");
    }
    Ok(())
}

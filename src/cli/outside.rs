//! From the configuration to what our consumers meet outside.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use drawdown_alerts::Alerts;
use drawdown_documents::{FOLDERS, Fonts, Press};
use drawdown_invoices::Invoices;
use drawdown_payments::Payments;
use drawdown_ports::mail::{Captured, Mailer, Sender, Smtp, SmtpOptions, Tls};
use drawdown_ports::payments::{Gateway, Sandbox};
use drawdown_post::{Letters, Post, PostOptions};
use drawdown_runtime::errands::{Outside, OutsideOptions};

use super::Setup;
use super::setup::duration;

impl Setup {
    /// The gateway as the payments consumer meets it.
    pub fn payments(&self) -> anyhow::Result<Arc<Outside<Payments>>> {
        let section = self.config.payments();
        let gateway: Arc<dyn Gateway> = match section.gateway.as_str() {
            "sandbox" => {
                let book = &section.sandbox_book;
                let sandbox = Sandbox::with_book(Path::new(book));
                let sandbox = sandbox.with_context(|| format!("payments.sandbox_book {book}"))?;
                tracing::warn!(book, "the sandbox gateway is in use: no money is moved");
                Arc::new(sandbox)
            }
            other => bail!("payments.gateway is {other}; it can be sandbox"),
        };
        let options = OutsideOptions {
            consumer: "payments",
            deadline: duration(section.deadline),
            in_flight_max: section.in_flight_max,
            open_per_partition_max: section.open_per_partition_max,
        };
        let payments = Payments::new(self.topics.clone(), gateway);
        Outside::new(payments, options).context("no thread for payments")
    }

    /// Mail as the alerts consumer sends it.
    pub fn alerts(&self) -> anyhow::Result<Arc<Outside<Post<Alerts>>>> {
        self.post("alerts", Alerts)
    }

    /// Mail as the invoices consumer sends it.
    pub fn invoices(&self) -> anyhow::Result<Arc<Outside<Post<Invoices>>>> {
        self.post("invoices", Invoices::new(self.press()?))
    }

    /// What makes PDFs, for all of this process.
    pub fn press(&self) -> anyhow::Result<Press> {
        if let Some(press) = self.press.get() {
            return Ok(press.clone());
        }
        let given = self.config.documents().fonts.split(',').map(str::trim);
        let given: Vec<PathBuf> =
            given.filter(|name| !name.is_empty()).map(PathBuf::from).collect();
        let usual = || FOLDERS.map(PathBuf::from).to_vec();
        let folders = if given.is_empty() { usual() } else { given };
        let fonts = Fonts::find(&folders).context("there is nothing to make PDFs with")?;
        Ok(self.press.get_or_init(|| Press::new(fonts)).clone())
    }

    fn post<L: Letters>(
        &self,
        consumer: &'static str,
        letters: L,
    ) -> anyhow::Result<Arc<Outside<Post<L>>>> {
        let section = self.config.mail();
        let post = PostOptions {
            topics: self.topics.clone(),
            mailer: self.mailer()?,
            domain: self.sender()?.domain().to_owned(),
            give_up_after: section.give_up_after,
        };
        let options = OutsideOptions {
            consumer,
            // The mailer's own comes first, and knows what it was waiting for.
            deadline: duration(section.deadline).saturating_mul(2),
            in_flight_max: section.in_flight_max,
            open_per_partition_max: section.open_per_partition_max,
        };
        Outside::new(Post::new(letters, post), options)
            .with_context(|| format!("no thread for {consumer}"))
    }

    /// Whom mail comes from.
    pub fn sender(&self) -> anyhow::Result<Sender> {
        Sender::parse(&self.config.mail().from).context("mail.from")
    }

    /// What takes our mail.
    pub fn mailer(&self) -> anyhow::Result<Arc<dyn Mailer>> {
        let (section, from) = (self.config.mail(), self.sender()?);
        match section.delivery.as_str() {
            "captured" => {
                let folder = &section.folder;
                let captured = Captured::in_folder(from, Path::new(folder));
                let captured = captured.with_context(|| format!("mail.folder {folder}"))?;
                tracing::warn!(folder, "mail is captured (mail.delivery): nobody gets it");
                Ok(Arc::new(captured))
            }
            "smtp" => {
                let smtp = Smtp::new(self.smtp(from)?).context("mail.certificate")?;
                Ok(Arc::new(smtp))
            }
            other => bail!("mail.delivery is {other}; it can be smtp or captured"),
        }
    }

    fn smtp(&self, from: Sender) -> anyhow::Result<SmtpOptions> {
        let section = self.config.mail();
        let tls = match section.security.as_str() {
            "none" => Tls::None,
            "starttls" => Tls::StartTls,
            "tls" => Tls::Tls,
            other => bail!("mail.security is {other}; it can be starttls, tls or none"),
        };
        let (user, password) = (section.user.clone(), section.password.clone());
        let path = &section.certificate;
        let certificate = match path.as_str() {
            "" => None,
            path => Some(std::fs::read(path).with_context(|| format!("mail.certificate {path}"))?),
        };
        Ok(SmtpOptions {
            host: section.host.clone(),
            port: section.port,
            tls,
            credentials: (!user.is_empty()).then_some((user, password)),
            certificate,
            hello: from.domain().to_owned(),
            from,
            deadline: duration(section.deadline),
            idle_max: section.in_flight_max,
        })
    }
}

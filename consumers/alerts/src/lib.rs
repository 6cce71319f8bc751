//! ALERTS: tells people by mail what BALANCE wants them told (R8.5).
//!
//! It decides nobody's alert: who is told what, and when, was decided. A notice is one mail for each of
//! its recipients, and a mail keeps its Message-ID however often it is sent.

mod figures;
mod words;

use std::sync::Arc;

use askama::Template;
use drawdown_domain::notices::{Notice, NoticeKind};
use drawdown_domain::time::{Span, Timestamp};
use drawdown_ports::mail::{Delivery, Letter, Mailer};
use drawdown_runtime::Output;
use drawdown_runtime::errands::{Attempt, Ended, Errand, Tried, Wanted};
use drawdown_wire::messages::{Mail, MailState, Mails, Notices};
use drawdown_wire::schemas::{self, Unreadable};
use drawdown_wire::topics::{Topic, Topics};

use figures::Figures;

/// What alerts are told.
#[derive(Clone, Debug)]
pub struct AlertsOptions {
    pub topics: Topics,
    pub mailer: Arc<dyn Mailer>,
    /// What stands behind the `@` of a Message-ID.
    pub domain: String,
    /// A mail that no server has taken so long after its notice is given up.
    pub give_up_after: Span,
}

/// What people are told with.
#[derive(Debug)]
pub struct Alerts {
    options: AlertsOptions,
}

/// What became of a mail.
#[derive(Clone, Debug)]
pub struct Sent {
    mail: String,
    subject: String,
    state: MailState,
    detail: Option<String>,
}

/// A mail as a text.
#[derive(Template)]
#[template(path = "mail.txt")]
struct Text<'a> {
    figures: &'a Figures<'a>,
}

/// A mail as a page.
#[derive(Template)]
#[template(path = "mail.html")]
struct Html<'a> {
    figures: &'a Figures<'a>,
}

/// The letter that tells one recipient of a notice.
pub fn letter(notice: &Notice, recipient: &str, message_id: String) -> askama::Result<Letter> {
    let figures = Figures::of(notice, recipient);
    Ok(Letter {
        message_id,
        to: recipient.to_owned(),
        subject: words::subject(&figures),
        text: Text { figures: &figures }.render()?,
        html: Html { figures: &figures }.render()?,
        at: notice.at,
        attachments: Vec::new(),
    })
}

impl Alerts {
    pub fn new(options: AlertsOptions) -> Alerts {
        Alerts { options }
    }

    /// A mail that nobody has taken is tried again, until it is too old to be of use.
    fn once_more(&self, attempt: &Attempt<Notice>) -> bool {
        attempt.at < attempt.since.plus(self.options.give_up_after)
    }
}

impl Errand for Alerts {
    /// A notice with one recipient.
    type Wish = Notice;
    type Answer = Sent;

    fn wishes(&self, message: &[u8]) -> Result<Vec<Wanted<Notice>>, Unreadable> {
        let Notices { notices } = schemas::NOTICES.read(message)?;
        let mut wanted = Vec::new();
        for notice in notices {
            for (place, recipient) in notice.recipients.iter().enumerate() {
                // Whoever is named twice is told once.
                if notice.recipients.iter().take(place).any(|before| before == recipient) {
                    continue;
                }
                let wish = Notice { recipients: vec![recipient.clone()], ..notice.clone() };
                wanted.push(Wanted {
                    key: format!("{}.{place}", notice.notice),
                    at: notice.at,
                    message: schemas::NOTICES.message(&Notices { notices: vec![wish.clone()] }),
                    wish,
                });
            }
        }
        Ok(wanted)
    }

    async fn perform(&self, attempt: &Attempt<Notice>) -> Tried<Sent> {
        let mail = format!("{}@{}", attempt.key, self.options.domain);
        let recipient = attempt.wish.recipients.first().map_or("", |recipient| recipient.as_str());
        let letter = match letter(&attempt.wish, recipient, mail.clone()) {
            Ok(letter) => letter,
            Err(error) => return Tried::Again { why: error.to_string(), after: None },
        };
        let delivery = self.options.mailer.send(&letter).await;
        let done = |state, detail| {
            Tried::Done(Sent { mail: mail.clone(), subject: letter.subject.clone(), state, detail })
        };
        match delivery {
            Delivery::Accepted => done(MailState::Sent, None),
            Delivery::Refused { why } => done(MailState::Refused, Some(why)),
            Delivery::Later { why } | Delivery::Unknown { why } if self.once_more(attempt) => {
                Tried::Again { why, after: None }
            }
            Delivery::Away { why } if self.once_more(attempt) => Tried::Away { why },
            Delivery::Later { why } | Delivery::Unknown { why } | Delivery::Away { why } => {
                done(MailState::Failed, Some(why))
            }
        }
    }

    fn tell(
        &self,
        partition: u32,
        at: Timestamp,
        ended: &[Ended<Notice, Sent>],
        output: &mut Output,
    ) {
        let mail = |Ended { wish, answer, tries, .. }: &Ended<Notice, Sent>| Mail {
            mail: answer.mail.clone(),
            to: wish.recipients.first().cloned().unwrap_or_default(),
            kind: wish.kind,
            billing_account: wish.billing_account.clone(),
            subject: answer.subject.clone(),
            at,
            state: answer.state,
            tries: *tries,
            detail: answer.detail.clone(),
        };
        let mails = Mails { mails: ended.iter().map(mail).collect() };
        let topic = self.options.topics.name(Topic::Mails);
        output.append(topic, partition, schemas::MAILS.message(&mails));
    }
}

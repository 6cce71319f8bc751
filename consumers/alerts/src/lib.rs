//! ALERTS: tells people by mail what BALANCE wants them told (R8.5).
//!
//! It decides nobody's alert: who is told what, and when, was decided. A notice is one mail for each of
//! its recipients, and a mail keeps its Message-ID however often it is sent.

mod figures;
mod words;

use askama::Template;
use drawdown_domain::notices::{Notice, NoticeKind};
use drawdown_ports::mail::Letter;
use drawdown_post::{Addressed, Letters, each_once};
use drawdown_runtime::errands::Wanted;
use drawdown_wire::messages::Notices;
use drawdown_wire::schemas::{self, Unreadable};

use figures::{Figures, Limit};

/// What people are told.
#[derive(Clone, Copy, Debug)]
pub struct Alerts;

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

impl Letters for Alerts {
    /// A notice with one recipient.
    type Wish = Notice;

    fn wishes(&self, message: &[u8]) -> Result<Vec<Wanted<Notice>>, Unreadable> {
        let Notices { notices } = schemas::NOTICES.read(message)?;
        let mut wanted = Vec::new();
        for notice in notices {
            for (place, recipient) in each_once(&notice.recipients) {
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

    fn addressed(&self, notice: &Notice) -> Addressed {
        Addressed {
            to: notice.recipients.first().cloned().unwrap_or_default(),
            kind: notice.kind,
            billing_account: notice.billing_account.clone(),
        }
    }

    async fn write(&self, notice: &Notice, message_id: String) -> Result<Letter, String> {
        let recipient = notice.recipients.first().map_or("", |recipient| recipient.as_str());
        letter(notice, recipient, message_id).map_err(|error| error.to_string())
    }
}

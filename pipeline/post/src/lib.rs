//! Letters as errands: a wish is one letter to one person, which goes to the mail server until that has
//! taken it or will not, and what became of it stands on `mails`. ALERTS and INVOICES share it; what a
//! letter says is theirs.
//!
//! A letter keeps its Message-ID however often it is sent: the key of its wish, and our domain.

use std::sync::Arc;

use drawdown_domain::ids::{Text, WalletId};
use drawdown_domain::notices::NoticeKind;
use drawdown_domain::time::{Span, Timestamp};
use drawdown_ports::mail::{Delivery, Letter, Mailer};
use drawdown_runtime::Output;
use drawdown_runtime::errands::{Attempt, Ended, Errand, Tried, Wanted};
use drawdown_wire::messages::{Mail, MailState, Mails};
use drawdown_wire::schemas::{self, Unreadable};
use drawdown_wire::topics::{Topic, Topics};

/// Somebody who has letters to write.
pub trait Letters: Send + Sync + 'static {
    /// One letter to one person.
    type Wish: Clone + Send + Sync + 'static;

    /// The letters that a message of the input asks for.
    fn wishes(&self, message: &[u8]) -> Result<Vec<Wanted<Self::Wish>>, Unreadable>;

    /// For the list of mails.
    fn addressed(&self, wish: &Self::Wish) -> Addressed;

    /// Writes it. What fails is tried again.
    fn write(
        &self,
        wish: &Self::Wish,
        message_id: String,
    ) -> impl Future<Output = Result<Letter, String>> + Send;
}

/// To whom a letter goes, and about what.
#[derive(Clone, Debug)]
pub struct Addressed {
    pub to: Text,
    pub kind: NoticeKind,
    pub billing_account: WalletId,
}

/// How letters are sent.
#[derive(Clone, Debug)]
pub struct PostOptions {
    pub topics: Topics,
    pub mailer: Arc<dyn Mailer>,
    /// What stands behind the `@` of a Message-ID.
    pub domain: String,
    /// A letter that no server has taken so long after its wish is given up.
    pub give_up_after: Span,
}

/// Takes somebody's letters to the mail server.
#[derive(Debug)]
pub struct Post<L> {
    letters: L,
    options: PostOptions,
}

/// What became of a letter.
#[derive(Clone, Debug)]
pub struct Sent {
    mail: String,
    subject: String,
    state: MailState,
    detail: Option<String>,
}

/// The recipients to whom a letter goes, by their place: whoever is named twice gets one.
pub fn each_once(recipients: &[Text]) -> impl Iterator<Item = (usize, &Text)> {
    recipients.iter().enumerate().filter(|(place, recipient)| {
        !recipients.iter().take(*place).any(|before| before == *recipient)
    })
}

impl<L: Letters> Post<L> {
    pub fn new(letters: L, options: PostOptions) -> Post<L> {
        Post { letters, options }
    }

    /// What nobody has taken is tried again, until it is too old to be of use.
    fn once_more(&self, attempt: &Attempt<L::Wish>) -> bool {
        attempt.at < attempt.since.plus(self.options.give_up_after)
    }
}

impl<L: Letters> Errand for Post<L> {
    type Wish = L::Wish;
    type Answer = Sent;

    fn wishes(&self, message: &[u8]) -> Result<Vec<Wanted<L::Wish>>, Unreadable> {
        self.letters.wishes(message)
    }

    async fn perform(&self, attempt: &Attempt<L::Wish>) -> Tried<Sent> {
        let mail = format!("{}@{}", attempt.key, self.options.domain);
        let (subject, delivery) = match self.letters.write(&attempt.wish, mail.clone()).await {
            Ok(letter) => {
                let delivery = self.options.mailer.send(&letter).await;
                (letter.subject, delivery)
            }
            Err(why) => (String::new(), Delivery::Later { why }),
        };
        let done = |state, detail| Tried::Done(Sent { mail, subject, state, detail });
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
        ended: &[Ended<L::Wish, Sent>],
        output: &mut Output,
    ) {
        let mail = |Ended { wish, answer, tries, .. }: &Ended<L::Wish, Sent>| {
            let Addressed { to, kind, billing_account } = self.letters.addressed(wish);
            Mail {
                mail: answer.mail.clone(),
                to,
                kind,
                billing_account,
                subject: answer.subject.clone(),
                at,
                state: answer.state,
                tries: *tries,
                detail: answer.detail.clone(),
            }
        };
        let mails = Mails { mails: ended.iter().map(mail).collect() };
        let topic = self.options.topics.name(Topic::Mails);
        output.append(topic, partition, schemas::MAILS.message(&mails));
    }
}

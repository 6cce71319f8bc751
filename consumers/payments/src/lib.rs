//! PAYMENTS: asks gateways for the money that BALANCE wants, and says what they answered.
//!
//! It decides nothing about money. That an outcome is not known is no answer (R6.4): the gateway is asked
//! again, under the payment's own name, until it says what became of it.

use std::sync::Arc;

use drawdown_domain::ids::Text;
use drawdown_domain::payments::{PaymentAnswer, PaymentCause};
use drawdown_domain::time::Timestamp;
use drawdown_ports::payments::{Gateway, Order, Said};
use drawdown_runtime::Output;
use drawdown_runtime::errands::{Attempt, Ended, Errand, Tried, Wanted};
use drawdown_wire::messages::{LedgerMessage, PaymentAnswered, PaymentWish, PaymentWishes};
use drawdown_wire::schemas::{self, Unreadable};
use drawdown_wire::topics::{Topic, Topics};

/// What payments are performed with.
#[derive(Debug)]
pub struct Payments {
    topics: Topics,
    gateway: Arc<dyn Gateway>,
}

/// What a gateway said in the end.
#[derive(Clone, Debug)]
pub struct Answer {
    answer: PaymentAnswer,
    reason: Option<Text>,
    reference: Option<Text>,
}

impl Payments {
    pub fn new(topics: Topics, gateway: Arc<dyn Gateway>) -> Payments {
        Payments { topics, gateway }
    }
}

impl Errand for Payments {
    type Wish = PaymentWish;
    type Answer = Answer;

    fn wishes(&self, message: &[u8]) -> Result<Vec<Wanted<PaymentWish>>, Unreadable> {
        let PaymentWishes { wishes } = schemas::PAYMENT_WISHES.read(message)?;
        let wanted = |wish: PaymentWish| Wanted {
            key: wish.payment.clone(),
            at: wish.at,
            message: schemas::PAYMENT_WISHES.message(&PaymentWishes { wishes: vec![wish.clone()] }),
            wish,
        };
        Ok(wishes.into_iter().map(wanted).collect())
    }

    async fn perform(&self, attempt: &Attempt<PaymentWish>) -> Tried<Answer> {
        let Attempt { key, wish, since, at, .. } = attempt.clone();
        let PaymentWish { cause, method, kind, token, amount, currency, authenticated, .. } = wish;
        let order = Order { key, method, kind, token, amount, currency, authenticated, since, at };
        let said = match cause {
            PaymentCause::Preauthorisation => self.gateway.preauthorise(&order).await,
            PaymentCause::Test => self.gateway.charge_and_return(&order).await,
            PaymentCause::Threshold
            | PaymentCause::MonthEnd
            | PaymentCause::Retry
            | PaymentCause::Manual
            | PaymentCause::Recharge
            | PaymentCause::TopUp
            | PaymentCause::Order
            | PaymentCause::PaymentRequest => self.gateway.charge(&order).await,
        };
        let (answer, reason, reference) = match said {
            Said::Succeeded { reference } => (PaymentAnswer::Succeeded, None, Some(reference)),
            Said::Unauthenticated { reference } => {
                (PaymentAnswer::Unauthenticated, None, Some(reference))
            }
            Said::AwaitsApproval { approve_at, reference } => {
                (PaymentAnswer::AwaitsApproval, Some(approve_at), Some(reference))
            }
            Said::Declined { reason, reference } => {
                (PaymentAnswer::Declined, Some(reason), reference)
            }
            Said::AuthenticationRequired { go_on_at, reference } => {
                (PaymentAnswer::AuthenticationRequired, Some(go_on_at), reference)
            }
            Said::Unknown { why, again_after } => return Tried::Again { why, after: again_after },
            Said::Away { why } => return Tried::Away { why },
        };
        let text = |text: String| Text::fitting(&text);
        Tried::Done(Answer { answer, reason: reason.map(text), reference: reference.map(text) })
    }

    fn tell(
        &self,
        partition: u32,
        at: Timestamp,
        ended: &[Ended<PaymentWish, Answer>],
        output: &mut Output,
    ) {
        for Ended { wish, answer, .. } in ended {
            let Answer { answer, reason, reference } = answer.clone();
            let answered = PaymentAnswered {
                billing_account: wish.billing_account.clone(),
                payment: wish.payment.clone(),
                answer,
                reason,
                reference,
            };
            let message = LedgerMessage { at, input: answered.into() };
            let ledger = self.topics.name(Topic::Ledger);
            output.append(ledger, partition, schemas::LEDGER.message(&message));
        }
    }
}

//! Requests to pay: their names are unique, and whoever is asked is found by account or e-mail address
//! (R10.1). What becomes of them is for the ledgers of the two sides to say.

use super::{Admission, Claimed, Registry, RegistryFact};
use crate::commands::RequestPayment;
use crate::ids::{AccountId, EnterpriseId, RequestId, Text};
use crate::record;
use crate::refusal::Refusal;
use crate::requests::Addressee;

record! {
    /// A request, and the enterprises on its two sides.
    pub struct RequestRoute {
        pub request: RequestId,
        pub requester: EnterpriseId,
        pub payer: EnterpriseId,
    }
}

/// Whether a text could be an e-mail address. Whether mail arrives there only sending shows.
pub(super) fn is_address(text: &Text) -> bool {
    let fits =
        |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c == '@');
    text.as_str().split_once('@').is_some_and(|(mailbox, host)| fits(mailbox) && fits(host))
}

/// An address as it is compared: capital letters make no difference.
pub(super) fn compared(email: &Text) -> Text {
    Text::fitting(&email.as_str().to_lowercase())
}

impl Registry {
    pub(super) fn request_payment(
        &mut self,
        number: u64,
        command: &RequestPayment,
        facts: &mut dyn FnMut(&RegistryFact),
    ) -> Admission {
        let Some(requester) = self.wallets.get(&command.requester) else {
            return Admission::Refused(Refusal::NotFound, None);
        };
        if self.requests.contains_key(&command.request) {
            return Admission::Refused(Refusal::AlreadyExists, None);
        }
        let payer = match self.addressee(&command.payer) {
            Ok(payer) => payer,
            Err(refusal) => return Admission::Refused(refusal, None),
        };

        let enterprise = requester.enterprise.clone();
        let request = Some(Box::new(RequestRoute {
            request: command.request.clone(),
            requester: enterprise.clone(),
            payer: payer.enterprise.clone(),
        }));
        self.record(Claimed { request, ..Claimed::of(number, enterprise.clone()) }, facts);
        Admission::Ask(enterprise, payer)
    }

    /// Whom an account's name, or an e-mail address, stands for.
    fn addressee(&self, payer: &Text) -> Result<Addressee, Refusal> {
        let account = match payer.as_str().contains('@') {
            true => self.account_at(&compared(payer))?,
            false => payer.as_str().parse().map_err(|_| Refusal::NotFound)?,
        };
        let wallet = self.accounts.get(&account).ok_or(Refusal::NotFound)?;
        let serves = self.wallets.get(wallet).ok_or(Refusal::NotFound)?;
        Ok(Addressee {
            billing_account: wallet.clone(),
            enterprise: serves.enterprise.clone(),
            currency: serves.currency,
            account,
        })
    }

    /// The one account of an e-mail address.
    fn account_at(&self, email: &Text) -> Result<AccountId, Refusal> {
        let from = (email.clone(), None);
        let all = self.emails.range(from..).map(|((known, account), ())| (known, account));
        let mut accounts = all.take_while(|(known, _)| *known == email);
        let (_, account) = accounts.next().ok_or(Refusal::NotFound)?;
        match accounts.next() {
            Some(_) => Err(Refusal::PayerAmbiguous),
            None => account.clone().ok_or(Refusal::NotFound),
        }
    }
}

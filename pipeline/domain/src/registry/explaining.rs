//! What a refusal of the registry's concerns, by name. Asked right after it, which has changed nothing.

use super::{Asked, Registry};
use crate::commands::{Command, Subject};
use crate::ids::{MethodId, PrincipalId};
use crate::ledger::{place_of, unpayable};
use crate::refusal::Refusal;
use crate::rights;

impl Registry {
    /// None: the code alone says it.
    pub fn why(&self, asked: &Asked<'_>, refusal: Refusal) -> Option<String> {
        let command = asked.command;
        match refusal {
            Refusal::NotFound => self.missing(command),
            Refusal::AlreadyExists => self.taken(command),
            Refusal::KeyReused => {
                let used = self.keys.get(&asked.key?)?;
                Some(format!(
                    "the key was used for command {}, which asked for something else",
                    used.command
                ))
            }
            Refusal::NotPermitted if rights::is_for_the_operator(command) => Some(format!(
                "{} may not {}: it is for the {}",
                asked.principal,
                command.name(),
                PrincipalId::operator()
            )),
            Refusal::MethodInUse => match command {
                Command::LinkPaymentMethod(command) => self.in_use(&command.method),
                Command::FinishAuthentication(command) => self.in_use(&command.method),
                _ => None,
            },
            Refusal::InvalidAmount => {
                let Command::ReceiveRemittance(command) = command else { return None };
                let (amount, currency) = (command.amount, command.currency);
                let why = unpayable(amount, currency);
                Some(why.unwrap_or_else(|| format!("{amount} is not more than zero")))
            }
            Refusal::AlreadyClaimed => {
                let Command::ClaimRemittance(command) = command else { return None };
                Some(format!("the transfer {} is claimed", command.reference))
            }
            Refusal::PayerAmbiguous => {
                let Command::RequestPayment(command) = command else { return None };
                Some(format!("several accounts have the address {}; name one", command.payer))
            }
            _ => None,
        }
    }

    /// The first thing that a command names and that is nowhere.
    fn missing(&self, command: &Command) -> Option<String> {
        let is_known = match command.subject() {
            Subject::Everyone => true,
            Subject::Invoice(_) => false,
            subject => self.enterprise_of(subject).is_some(),
        };
        let place = place_of(command).filter(|_| !is_known);
        if let (Some(number), Subject::Invoice(_)) = (&place, command.subject()) {
            let days = self.settings.invoices.credit_within;
            return Some(format!("there is no {number} of the last {days}"));
        }
        if let Some(place) = place {
            return Some(format!("there is no {place}"));
        }
        if let Some(id) = command.other_wallet().filter(|id| !self.wallets.contains_key(*id)) {
            return Some(format!("there is no billing account {id}"));
        }
        if let Some(id) =
            command.other_enterprise().filter(|id| !self.enterprises.contains_key(*id))
        {
            return Some(format!("there is no enterprise {id}"));
        }
        if let Some(id) =
            command.other_accounts().iter().find(|id| !self.accounts.contains_key(*id))
        {
            return Some(format!("there is no account {id}"));
        }
        match command {
            Command::UnlinkPaymentMethod(command) => Some(format!(
                "{} has no payment method {}",
                command.billing_account, command.method
            )),
            Command::ClaimRemittance(command) => Some(format!(
                "no transfer {} of exactly {} waits",
                command.reference, command.amount
            )),
            Command::RequestPayment(command) => {
                Some(format!("no account is called {}, or has that address", command.payer))
            }
            _ => None,
        }
    }

    fn taken(&self, command: &Command) -> Option<String> {
        Some(match command {
            Command::OpenEnterprise(command) => {
                format!("there is an enterprise {}", command.enterprise)
            }
            Command::OpenAccount(command) if self.accounts.contains_key(&command.account) => {
                format!("there is an account {}", command.account)
            }
            Command::OpenAccount(command) => {
                let named = command.billing_account.as_ref().map(ToString::to_string);
                let own = named.unwrap_or_else(|| format!("ba-{}", command.account));
                format!("there is a billing account {own}; name another one")
            }
            Command::ReceiveRemittance(command) => {
                format!("a transfer {} was received before", command.reference)
            }
            Command::RequestPayment(command) => {
                format!("there is a payment request {}", command.request)
            }
            _ => return None,
        })
    }

    fn in_use(&self, method: &MethodId) -> Option<String> {
        Some(match self.methods.get(method)?.free_at {
            Some(free_at) => {
                format!(
                    "{method} served a billing account that was closed; it is free at {free_at}"
                )
            }
            None => format!("{method} serves another billing account"),
        })
    }
}

#[cfg(test)]
#[path = "explaining_tests.rs"]
mod tests;

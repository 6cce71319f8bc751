//! Why a command was refused, in a sentence with the figures concerned. Asked right after the refusal, which has
//! changed nothing; it decides nothing, and where it has nothing to add it is silent.

use super::Ledger;
use super::state::{Wallet, WalletNumber};
use crate::commands::{
    ADMINS_A_CALL_MAX, Asked, Command, GrantRole, RevokeKey, RevokeRole, SHARED_WITH_MAX, Subject,
};
use crate::ids::{BenefitId, MethodId, RequestId, Text, WalletId};
use crate::money::{Amount, Currency};
use crate::refusal::Refusal;
use crate::requests::Direction;

/// What a sentence is about: the billing account that a command concerns first.
struct About<'a> {
    number: WalletNumber,
    wallet: &'a Wallet,
}

impl About<'_> {
    fn money(&self, amount: Amount) -> String {
        format!("{amount} {}", self.wallet.currency.code())
    }

    fn method_missing(&self, method: &MethodId) -> String {
        let About { wallet, .. } = self;
        let linked = match self.methods().as_str() {
            "" => "none is linked".to_owned(),
            methods => format!("linked are {methods}"),
        };
        format!("{} has no payment method {method}; {linked}", wallet.id)
    }

    fn methods(&self) -> String {
        let paying = self.wallet.paying.as_deref();
        let methods = paying.map(|paying| paying.methods.as_slice()).unwrap_or_default();
        let named = methods.iter().map(|known| format!("{} ({})", known.method, known.state));
        named.collect::<Vec<_>>().join(", ")
    }
}

impl Ledger {
    /// None: the code alone says it.
    pub fn why(&self, asked: &Asked, command: &Command, refusal: Refusal) -> Option<String> {
        let about = self.about(command);
        let wallet = about.as_ref().map(|about| about.wallet);
        match refusal {
            Refusal::NotPermitted => {
                let place = place_of(command).map(|place| format!(" {place}")).unwrap_or_default();
                Some(format!(
                    "{} may not {}{place}; whoever administers it can grant a role",
                    asked.principal,
                    command.name()
                ))
            }
            Refusal::NotFound => self.missing(about.as_ref(), command),
            Refusal::InvalidAmount => invalid(command, wallet?.currency),
            Refusal::CurrencyMismatch => self.currencies(about.as_ref()?, command),
            Refusal::BelowMinimum => {
                let about = about?;
                let least = about.money(self.minimum_top_up(about.wallet.currency));
                Some(match amount_of(command) {
                    Some(amount) => {
                        format!("the smallest top-up is {least}; this is {}", about.money(amount))
                    }
                    None => format!("the smallest top-up is {least}"),
                })
            }
            Refusal::ExceedsTransferable => {
                let about = about?;
                let most = about.money(self.transferable(about.number).ok()?);
                Some(format!("{most} can leave {}", about.wallet.id))
            }
            Refusal::ExceedsRevocable => {
                let Command::RevokeTransfer(command) = command else { return None };
                let (about, to) = (about?, self.wallet_named(&command.to)?);
                let most = about.money(self.revocable(about.number, to).ok()??);
                Some(format!("{most} can be taken back from {}", command.to))
            }
            Refusal::ExceedsOutstanding => {
                let About { wallet, .. } = about.as_ref()?;
                let owed = about.as_ref()?.money(wallet.owed());
                Some(format!("the unpaid bills of {} come to {owed} in all", wallet.id))
            }
            Refusal::InsufficientFunds => {
                let about = about?;
                let available = about.money(self.available(about.wallet, about.number).ok()?);
                let cash = about.money(about.wallet.own_cash);
                let id = &about.wallet.id;
                Some(format!("{id} has {available} available, and {cash} of own cash"))
            }
            Refusal::LimitInUse => {
                let About { number, wallet } = *about.as_ref()?;
                let available = self.available(wallet, number).ok()?;
                let least = wallet.limit.minus(available).ok()?.max(Amount::ZERO);
                Some(format!(
                    "{} has a limit of {} and {} available: the limit can go down to {}",
                    wallet.id,
                    wallet.limit,
                    available,
                    about?.money(least)
                ))
            }
            Refusal::ExceedsEntityCredit => {
                let About { number, wallet } = *about.as_ref()?;
                let enterprise = self.enterprise(wallet.enterprise)?;
                let others = self.limits_of_others(wallet.enterprise, number).ok()?;
                Some(format!(
                    "all limits of {} may come to {}; the others come to {others}",
                    enterprise.id, enterprise.credit_total?
                ))
            }
            Refusal::MethodNotAllowed => self.not_taken(about.as_ref()?, command),
            Refusal::NoMethod => {
                let about = about?;
                Some(match about.methods().as_str() {
                    "" => format!("{} has no payment method: link one", about.wallet.id),
                    methods => format!("{} has {methods}", about.wallet.id),
                })
            }
            Refusal::PaymentInProgress => {
                let in_flight = wallet?.paying.as_deref()?.in_flight.as_ref()?;
                let amount = about?.money(in_flight.amount);
                Some(format!("{amount} are being charged to {}", in_flight.method))
            }
            Refusal::MethodInUse => Some("it has a payment in flight; wait for its result".into()),
            Refusal::Overdue => {
                let owed = about.as_ref()?.money(wallet?.owed());
                Some(format!("{} is overdue: {owed} of issued bills are unpaid", wallet?.id))
            }
            Refusal::NotPending => {
                let id = request_of(command)?;
                let status = self.request_status(id)?;
                Some(format!("the request {id} is {status}"))
            }
            Refusal::TooManyAccounts => Some(match command {
                Command::GrantAdmin(_) | Command::RevokeAdmin(_) => {
                    format!("one call may name {ADMINS_A_CALL_MAX} accounts")
                }
                _ => format!("it may be shared with {SHARED_WITH_MAX} accounts"),
            }),
            Refusal::AlreadyExists => Some(match command {
                Command::PlaceOrder(command) => format!("there is an order {}", command.order),
                Command::BuyBenefit(command) => format!("there is an order {}", command.benefit),
                Command::GrantCoupon(command) => format!("there is a coupon {}", command.coupon),
                Command::LinkPaymentMethod(command) => format!("{} is linked", command.method),
                Command::CreateKey(command) => self.key_taken(command)?,
                _ => return None,
            }),
            Refusal::InThePast => {
                let now = self.clock.now();
                let then = match command {
                    Command::ChangePayer(command) => command.effective_at?,
                    Command::BuyBenefit(command) => command.valid_from,
                    _ => return None,
                };
                Some(format!("{then} has passed: it is {now}"))
            }
            Refusal::CardExpired => {
                let Command::LinkPaymentMethod(command) = command else { return None };
                let now = self.clock.now();
                Some(format!("{} expires {}; it is {now}", command.method, command.expires?))
            }
            Refusal::DifferentEnterprise => {
                let (id, other) = (&wallet?.id, command.other_wallet()?);
                Some(format!("{id} and {other} belong to different enterprises"))
            }
            Refusal::TaxIdInvalid => {
                let (Command::OpenEnterprise(_) | Command::SetTaxId(_)) = command else {
                    return None;
                };
                let (tax_id, country) = self.tax_id_of(command)?;
                Some(format!("{tax_id} is no tax number of {country}"))
            }
            Refusal::NotEmpty => {
                let About { number, wallet } = *about.as_ref()?;
                let (cash, owed) = (wallet.cash(), wallet.owed());
                let code = wallet.currency.code();
                let lately = if self.paid_lately(number) { "; it paid for an account" } else { "" };
                Some(format!("{} holds {cash} {code} and owes {owed} {code}{lately}", wallet.id))
            }
            Refusal::NotForEcosystem => {
                Some(format!("{} settles with a partner", self.ecosystem(about?, command)))
            }
            Refusal::OverMonthlyCap | Refusal::OverAllocatedCredit => {
                let Command::Authorize(command) = command else { return None };
                let account = self.account(self.account_named(&command.account)?)?;
                let left = about?.money(self.allocation(account).ok()??.left);
                Some(format!("{} may spend {left} more", command.account))
            }
            Refusal::Frozen
            | Refusal::Deregistered
            | Refusal::PartnerPays
            | Refusal::CreditNotAvailable
            | Refusal::WriteOffRequired
            | Refusal::SettlementInProgress => {
                Some(format!("{}: {}", wallet?.id, refusal.help().trim()))
            }
            Refusal::Malformed => malformed(command),
            Refusal::KeyReused
            | Refusal::TooOld
            | Refusal::AlreadyClaimed
            | Refusal::PayerAmbiguous
            | Refusal::PreauthorisationFailed
            | Refusal::AuthenticationRequired
            | Refusal::NothingToRevoke
            | Refusal::AccountClosed
            | Refusal::AccountCenterOff
            | Refusal::OverRoleLimit
            | Refusal::Suspended
            | Refusal::SuperAdministrator
            | Refusal::RechargeFrozen => None,
        }
    }

    fn about(&self, command: &Command) -> Option<About<'_>> {
        let number = match command.subject() {
            Subject::Wallet(id) => self.wallet_named(id)?,
            Subject::Account(id) => {
                let account = self.account(self.account_named(id)?)?;
                account.payer_at(self.clock.now().minute()).0
            }
            Subject::RequestOf(id) => self.requests.of(id)?,
            Subject::RequestTo(id) => self.requests.to(id)?,
            Subject::Enterprise(_)
            | Subject::Scope(_)
            | Subject::Invoice(_)
            | Subject::Everyone => return None,
        };
        Some(About { number, wallet: self.wallet(number)? })
    }

    /// What a command names that is not there.
    fn missing(&self, about: Option<&About<'_>>, command: &Command) -> Option<String> {
        match command {
            Command::UnfreezeRecharge(command) => {
                return Some(format!("recharge is not frozen in {}", command.enterprise));
            }
            Command::RevokeRole(_) | Command::RevokeKey(_) => {
                return Some(format!("there is no {}", place_of(command)?));
            }
            _ => {}
        }
        let about = about?;
        let id = &about.wallet.id;
        let method = |method: &MethodId| {
            about.wallet.method(method).is_none().then(|| about.method_missing(method))
        };
        match command {
            Command::Pay(command) => {
                let unknown = |name: &&Text| about.wallet.bill_named(name).is_err();
                let bill = command.bills.iter().flatten().find(unknown);
                let bill = bill.map(|bill| format!("{bill} is no issued bill of {id}"));
                bill.or_else(|| command.method.as_ref().and_then(method))
            }
            Command::PlaceOrder(command) => match &command.account {
                Some(account) if self.account_named(account).is_none() => {
                    Some(format!("there is no account {account}"))
                }
                _ => command.method.as_ref().and_then(method),
            },
            Command::ApprovePaymentRequest(command) => command.method.as_ref().and_then(method),
            Command::PreferPaymentMethod(command) => method(&command.method),
            Command::UnlinkPaymentMethod(command) => method(&command.method),
            Command::FinishAuthentication(command) => {
                Some(format!("no link of {} waits for a proof", command.method))
            }
            Command::RefundOrder(command) => Some(format!(
                "{id} has no order {}; one of another system can be refunded to cash or credit",
                command.order
            )),
            Command::BuyBenefit(command) => Some(match &command.meter {
                Some(meter) if self.book.product_named(&command.product).is_some() => {
                    format!("the price book has no meter {meter} of {}", command.product)
                }
                _ => format!("the price book has no product {}", command.product),
            }),
            Command::ShareBenefit(command) => self.unshared(about, &command.benefit),
            Command::UnshareBenefit(command) => self.unshared(about, &command.benefit),
            Command::ConfirmContract(_) => {
                Some(format!("no credit limit of {id} waits for a contract"))
            }
            Command::UnfreezeBillingAccount(_) => Some(format!("{id} is not frozen")),
            Command::LiftBadDebt(_) => Some(format!("{id} has no bad debt")),
            Command::SetQuota(_) => Some(format!("{id} settles directly, and has no quota")),
            Command::RevokeAdmin(_) => {
                let known = about.wallet.administrators().iter();
                let known = known.filter_map(|number| Some(self.account(*number)?.id.to_string()));
                let known = known.collect::<Vec<_>>().join(", ");
                let known = if known.is_empty() { "nobody" } else { &known };
                Some(format!("{id} is administered by {known}"))
            }
            Command::AcceptInvitation(command) => {
                Some(format!("{} is not invited", command.account))
            }
            Command::EndMembership(command) => {
                Some(format!("the membership of {} has ended", command.account))
            }
            Command::VoidUsage(command) => Some(format!(
                "no record {} of {} that can be taken back is known for {}",
                command.id, command.source, command.account
            )),
            _ => None,
        }
    }

    fn unshared(&self, about: &About<'_>, benefit: &BenefitId) -> Option<String> {
        let id = &about.wallet.id;
        Some(match about.wallet.sharing_of(benefit) {
            Some(_) => format!("{benefit} is not shared with all who are named"),
            None => format!("{id} has neither a benefit nor a coupon {benefit}"),
        })
    }

    /// Which currencies do not fit.
    fn currencies(&self, about: &About<'_>, command: &Command) -> Option<String> {
        let (id, own) = (&about.wallet.id, about.wallet.currency);
        if let Command::TopUp(command) = command {
            return Some(format!("{id} is in {own}, the amount in {}", command.currency));
        }
        let other = self.wallet_named(command.other_wallet()?)?;
        let other = self.wallet(other)?;
        Some(format!("{id} is in {own}, {} in {}", other.id, other.currency))
    }

    /// Why a payment method cannot be used.
    fn not_taken(&self, about: &About<'_>, command: &Command) -> Option<String> {
        let (id, currency) = (&about.wallet.id, about.wallet.currency);
        match command {
            Command::TopUp(command) if about.wallet.method(&command.method).is_none() => {
                let missing = about.method_missing(&command.method);
                Some(format!("{missing}; bank_transfer needs none"))
            }
            Command::TopUp(command) if self.is_for_banks_only(currency, command.amount) => {
                let most = self.settings.topup.bank_only_above.get(&currency)?;
                Some(format!("more than {} comes by bank_transfer only", about.money(*most)))
            }
            Command::Configure(_) => {
                let most = self.settings.topup.bank_only_above.get(&currency)?;
                Some(format!("{id} is charged {} at most", about.money(*most)))
            }
            Command::TopUp(_) | Command::LinkPaymentMethod(_) => {
                let brands = self.settings.topup.card_brands.join(", ");
                Some(format!("cards of these brands are taken: {brands}"))
            }
            Command::RefundOrder(_) => Some("it was not paid on credit: refund to cash".to_owned()),
            _ => None,
        }
    }

    /// Which of the billing accounts that a command names settles with a partner.
    fn ecosystem(&self, about: About<'_>, command: &Command) -> WalletId {
        let other = command.other_wallet().and_then(|id| self.wallet(self.wallet_named(id)?));
        let other = other.filter(|_| !about.wallet.is_ecosystem());
        other.unwrap_or(about.wallet).id.clone()
    }

    fn request_status(&self, id: &RequestId) -> Option<&'static str> {
        let sides =
            [(self.requests.to(id), Direction::ToPay), (self.requests.of(id), Direction::Asked)];
        let found = sides.into_iter().find_map(|(number, side)| {
            let mut requests = self.wallet(number?)?.requests(side).iter();
            requests.find(|request| request.terms.request == *id)
        });
        found.map(|request| request.status.text())
    }

    fn tax_id_of(&self, command: &Command) -> Option<(String, String)> {
        match command {
            Command::OpenEnterprise(command) => {
                Some((command.tax_id.as_ref()?.to_string(), command.country.to_string()))
            }
            Command::SetTaxId(command) => {
                let number = self.enterprise_named(&command.enterprise)?;
                let country = self.enterprise(number)?.country;
                Some((command.tax_id.to_string(), country.to_string()))
            }
            _ => None,
        }
    }
}

/// What a command concerns, by its name.
pub(crate) fn place_of(command: &Command) -> Option<String> {
    Some(match command.subject() {
        Subject::Enterprise(id) => format!("enterprise {id}"),
        Subject::Account(id) => format!("account {id}"),
        Subject::Wallet(id) => format!("billing account {id}"),
        Subject::Scope(id) => match command {
            Command::GrantRole(GrantRole { role, principal, .. })
            | Command::RevokeRole(RevokeRole { role, principal, .. }) => {
                format!("{role} of {principal} over {id}")
            }
            Command::RevokeKey(RevokeKey { role, principal, .. }) => {
                format!("key of {principal} as {role} over {id}")
            }
            _ => format!("{id}"),
        },
        Subject::RequestOf(id) | Subject::RequestTo(id) => format!("payment request {id}"),
        Subject::Invoice(number) => format!("invoice {number}"),
        Subject::Everyone => return None,
    })
}

fn request_of(command: &Command) -> Option<&RequestId> {
    match command.subject() {
        Subject::RequestOf(id) | Subject::RequestTo(id) => Some(id),
        _ => None,
    }
}

/// The amount that a command is about.
fn amount_of(command: &Command) -> Option<Amount> {
    match command {
        Command::TopUp(command) => Some(command.amount),
        Command::Withdraw(command) => Some(command.amount),
        Command::Adjust(command) => Some(command.amount),
        Command::SetCreditLimit(command) => Some(command.limit),
        Command::GrantCoupon(command) => Some(command.amount),
        Command::PlaceOrder(command) => Some(command.amount),
        Command::BuyBenefit(command) => Some(command.price),
        Command::RefundOrder(command) => Some(command.amount),
        Command::SetQuota(command) => Some(command.quota),
        Command::Transfer(command) => Some(command.amount),
        Command::RevokeTransfer(command) => Some(command.amount),
        Command::RequestPayment(command) => Some(command.amount),
        Command::ClaimRemittance(command) => Some(command.amount),
        Command::Pay(command) => command.amount,
        Command::Authorize(command) => Some(command.amount),
        Command::Configure(command) => {
            command.auto_recharge.as_ref().map(|recharge| recharge.amount)
        }
        _ => None,
    }
}

/// What is wrong with an amount.
fn invalid(command: &Command, currency: Currency) -> Option<String> {
    let amount = amount_of(command)?;
    if let Some(why) = unpayable(amount, currency) {
        return Some(why);
    }
    match command {
        Command::TopUp(command) if command.test == Some(true) => {
            Some(format!("a test goes with {}, not {amount}", super::top_up::TESTED))
        }
        Command::SetCreditLimit(_) | Command::SetQuota(_) if amount.is_negative() => {
            Some(format!("{amount} is below zero"))
        }
        Command::RefundOrder(command) if amount.is_positive() => {
            Some(format!("{amount} is more than {} cost and was not given back yet", command.order))
        }
        _ if !amount.is_positive() => Some(format!("{amount} is not more than zero")),
        _ => None,
    }
}

/// Why nobody can name this amount in a command; none: he can.
pub(crate) fn unpayable(amount: Amount, currency: Currency) -> Option<String> {
    if !amount.fits(currency) {
        let unit = currency.minor_unit();
        return Some(format!("{amount} has too many decimals: {currency} is paid in {unit}"));
    }
    (!amount.is_payable(currency)).then(|| format!("{amount} {currency} is too large"))
}

/// What contradicts itself in a command whose fields could be read.
fn malformed(command: &Command) -> Option<String> {
    let why = match command {
        Command::Adjust(command) if command.reason.is_none() => "an adjustment needs a reason",
        Command::Transfer(command) if command.from == command.to => "from and to are the same",
        Command::RevokeTransfer(command) if command.from == command.to => {
            "from and to are the same"
        }
        Command::RenameBillingAccount(_) => "a name says something",
        Command::PlaceOrder(_) => "the name of an order that renews has at most 58 characters",
        Command::GrantCoupon(_) => "valid_until must lie behind valid_from",
        Command::OpenAccount(_) => "partner_pays needs a partner",
        _ => return None,
    };
    Some(why.to_owned())
}

#[cfg(test)]
#[path = "explaining_tests.rs"]
mod tests;

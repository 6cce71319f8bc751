//! The sandbox gateway: the token of a method decides what it answers (the contract, "Scenario files").

use crate::fields::Refusal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    Ok,
    Declined,
    Expired,
    ThreeDs,
    NoFunds,
    OkThenDeclined,
    DeclinedOnce,
    AuthenticationAtCharge,
    UnknownThenOk,
    UnknownThenDeclined,
    OkThenNoHold,
}

/// What the gateway says to a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Succeeded,
    Declined,
    /// The answer is lost; asked again one minute later it is known, and is this.
    Lost {
        succeeds: bool,
    },
}

impl Token {
    pub fn read(text: &str) -> Option<Token> {
        let token = match text {
            "tok_ok" => Token::Ok,
            "tok_declined" => Token::Declined,
            "tok_expired" => Token::Expired,
            "tok_3ds" => Token::ThreeDs,
            "tok_no_funds" => Token::NoFunds,
            "tok_ok_then_declined" => Token::OkThenDeclined,
            "tok_declined_once" => Token::DeclinedOnce,
            "tok_authentication_at_charge" => Token::AuthenticationAtCharge,
            "tok_unknown_then_ok" => Token::UnknownThenOk,
            "tok_unknown_then_declined" => Token::UnknownThenDeclined,
            "tok_ok_then_no_hold" => Token::OkThenNoHold,
            _ => return None,
        };
        Some(token)
    }

    /// What the pre-authorisation of a link says, with strong authentication given or not (R7.4).
    pub fn link(self, authenticated: bool) -> Result<(), Refusal> {
        match self {
            Token::Expired => Err("card_expired"),
            Token::Declined | Token::NoFunds => Err("preauthorisation_failed"),
            Token::ThreeDs if !authenticated => Err("authentication_required"),
            _ => Ok(()),
        }
    }

    /// Whether a later pre-authorisation can be held (R7.6).
    pub fn holds(self) -> bool {
        self != Token::OkThenNoHold
    }

    /// The answer to a charge, so many charges having gone before.
    pub fn charge(self, before: usize) -> Answer {
        match self {
            Token::OkThenDeclined | Token::AuthenticationAtCharge => Answer::Declined,
            Token::DeclinedOnce if before == 0 => Answer::Declined,
            Token::UnknownThenOk => Answer::Lost { succeeds: true },
            Token::UnknownThenDeclined => Answer::Lost { succeeds: false },
            _ => Answer::Succeeded,
        }
    }
}

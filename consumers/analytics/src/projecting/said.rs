//! What became of commands, what people were told, and the mails about it.

use drawdown_domain::registry::RemittanceRow;
use drawdown_domain::time::Timestamp;
use drawdown_wire::messages::{Mails, Notices, Outcomes, RemittanceNow};
use drawdown_wire::schemas::{self, Unreadable};
use serde::Serialize;

use crate::rows::{Lines, Place, Rows};

const COMMANDS: Lines = Lines { table: "commands", by: "at" };
const REMITTANCES: Lines = Lines { table: "remittances", by: "at" };
const NOTICES: Lines = Lines { table: "messages", by: "at" };
const MAIL: Lines = Lines { table: "mail", by: "at" };

#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    remittance: &'a RemittanceRow,
    at: Timestamp,
}

pub(super) fn outcomes(message: &[u8], place: Place, rows: &mut Rows) -> Result<(), Unreadable> {
    let Outcomes { outcomes, remittances } = schemas::OUTCOMES.read(message)?;
    for (outcome, index) in outcomes.iter().zip(0..) {
        rows.line(COMMANDS, outcome.at, place, index, outcome);
    }
    for (RemittanceNow { at, remittance }, index) in remittances.iter().zip(0..) {
        rows.line(REMITTANCES, *at, place, index, &Told { remittance, at: *at });
    }
    Ok(())
}

pub(super) fn notices(message: &[u8], place: Place, rows: &mut Rows) -> Result<(), Unreadable> {
    let Notices { notices } = schemas::NOTICES.read(message)?;
    for (notice, index) in notices.iter().zip(0..) {
        rows.line(NOTICES, notice.at, place, index, notice);
    }
    Ok(())
}

pub(super) fn mails(message: &[u8], place: Place, rows: &mut Rows) -> Result<(), Unreadable> {
    let Mails { mails } = schemas::MAILS.read(message)?;
    for (mail, index) in mails.iter().zip(0..) {
        rows.line(MAIL, mail.at, place, index, mail);
    }
    Ok(())
}

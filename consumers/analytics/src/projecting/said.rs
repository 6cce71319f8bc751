//! What became of commands, what people were told, and the mails about it.

use drawdown_wire::messages::{Mails, Notices, Outcomes};
use drawdown_wire::schemas::{self, Unreadable};

use crate::rows::{Lines, Place, Rows};

const COMMANDS: Lines = Lines { table: "commands", by: "at" };
const NOTICES: Lines = Lines { table: "messages", by: "at" };
const MAIL: Lines = Lines { table: "mail", by: "at" };

pub(super) fn outcomes(message: &[u8], place: Place, rows: &mut Rows) -> Result<(), Unreadable> {
    let Outcomes { outcomes } = schemas::OUTCOMES.read(message)?;
    for (outcome, index) in outcomes.iter().zip(0..) {
        rows.line(COMMANDS, outcome.at, place, index, outcome);
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

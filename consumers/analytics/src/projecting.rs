//! What each topic's messages become: one plain function a topic, from a message to rows.
//!
//! **Invariant:** the same message gives the same rows. Nothing here knows ClickHouse, the log or the time.

mod dealings;
mod money;
mod said;
mod usage;

use drawdown_wire::schemas::Unreadable;
use drawdown_wire::topics::Topic;

use crate::rows::{Place, Rows};

pub(crate) use usage::{Listed, counted};

/// Turns a message into rows.
pub(crate) type Project = fn(&[u8], Place, &mut Rows) -> Result<(), Unreadable>;

/// The topics that are read, but for usage, with what their messages become.
pub(crate) const PROJECTIONS: &[(Topic, Project)] = &[
    (Topic::Entries, money::entries),
    (Topic::Bills, money::bills),
    (Topic::Charges, money::charges),
    (Topic::Balances, money::balances),
    (Topic::Payments, dealings::payments),
    (Topic::Invoices, dealings::invoices),
    (Topic::Services, dealings::services),
    (Topic::Outcomes, said::outcomes),
    (Topic::Notices, said::notices),
    (Topic::Mails, said::mails),
    (Topic::Rejects, usage::rejects),
];

/// The projection of a topic; none: it is usage, or not read.
pub(crate) fn of(topic: Topic) -> Option<Project> {
    PROJECTIONS.iter().find(|(known, _)| *known == topic).map(|(_, project)| *project)
}

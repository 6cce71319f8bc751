//! With whom benefits and coupons are shared, and from when until when (R9.7).

use std::collections::BTreeSet;

/// At most so many accounts share a benefit, and are named in one call.
pub const SHARED_AT_MOST: usize = 100;

#[derive(Clone, Debug)]
pub struct Share {
    pub account: String,
    /// The organisation through which it is shared, if it is not shared by name.
    pub organisation: Option<String>,
    pub from: i64,
    pub until: i64,
}

#[derive(Clone, Debug, Default)]
pub struct Sharing {
    pub shares: Vec<Share>,
    pub organisations: BTreeSet<String>,
}

impl Sharing {
    pub fn serves(&self, account: &str, time: i64) -> bool {
        self.shares
            .iter()
            .any(|share| share.account == account && share.from <= time && time < share.until)
    }

    pub fn add(&mut self, account: &str, organisation: Option<&str>, from: i64) {
        self.shares.push(Share {
            account: account.to_string(),
            organisation: organisation.map(str::to_string),
            from,
            until: i64::MAX,
        });
    }

    pub fn end(&mut self, from: i64, ends: impl Fn(&Share) -> bool) {
        for share in self.shares.iter_mut().filter(|share| ends(share)) {
            share.until = share.until.min(from);
        }
    }

    pub fn is_by_name(&self, account: &str, from: i64) -> bool {
        self.shares.iter().any(|share| {
            share.account == account && share.organisation.is_none() && share.until > from
        })
    }

    /// Everybody it is shared with from then on.
    pub fn with(&self, from: i64) -> BTreeSet<String> {
        let goes_on = self.shares.iter().filter(|share| share.until > from);
        goes_on.map(|share| share.account.clone()).collect()
    }

    /// The members of an organisation are these from now on.
    pub fn set_members(
        &mut self,
        organisation: &str,
        members: &BTreeSet<String>,
        leaves: i64,
        joins: i64,
    ) {
        if !self.organisations.contains(organisation) {
            return;
        }
        let is_through = |share: &Share| share.organisation.as_deref() == Some(organisation);
        self.end(leaves, |share| is_through(share) && !members.contains(&share.account));
        for account in members {
            let is_in = self.shares.iter().any(|share| {
                is_through(share) && share.account == *account && share.until > leaves
            });
            if !is_in {
                self.add(account, Some(organisation), joins);
            }
        }
        if members.is_empty() {
            self.organisations.remove(organisation);
        }
    }
}

//! What owners are told (R6.4, R6.5, section 8).

use crate::BookKeeper;
use crate::views::Notice;

impl BookKeeper {
    pub(crate) fn tell(&mut self, wallet: usize, kind: &'static str) {
        let billing_account = self.wallets[wallet].name.clone();
        self.notices.push(Notice { billing_account, kind: kind.to_string(), at: self.now });
    }
}

//! Membership, opening and closing accounts, and the settlement of an enterprise.

use serde_json::json;

use super::Simulation;

impl Simulation {
    pub(super) fn some_membership(&mut self) {
        let name = *self.random.pick(&[
            "end_membership",
            "invite_account",
            "invite_account",
            "accept_invitation",
            "accept_invitation",
        ]);
        let mut fields = json!({ "account": self.account() });
        if self.random.one_in(4) {
            fields["enterprise"] = json!(self.enterprise());
        }
        self.command(name, fields);
    }

    pub(super) fn some_account(&mut self) {
        if self.random.one_in(2) && self.world.opened < 60 {
            self.open_another();
        } else if self.random.one_in(3) {
            let fields = json!({ "account": self.account() });
            self.command("close_account", fields);
        }
    }

    pub(super) fn settle(&mut self) {
        let fields = json!({ "enterprise": self.enterprise() });
        self.command("settle_enterprise", fields);
    }
}

//! Commands: the idempotency key and who executes what (R11.5).

use crate::BookKeeper;
use crate::calendar::DAY;
use crate::fields::{Fields, Refusal};
use crate::requests::State;
use crate::rights::{OPERATOR, OPERATORS};
use serde_json::Value;

/// How long a key is remembered (R11.5).
const KEY_KEPT: i64 = 35 * DAY;

/// What was answered under an idempotency key.
pub struct Answer {
    at: i64,
    name: String,
    fields: Value,
    result: Result<(), Refusal>,
}

impl BookKeeper {
    /// A command arrives. Everything due up to then happens first. A refused command changes nothing.
    pub fn command(
        &mut self,
        at: i64,
        principal: &str,
        key: Option<&str>,
        name: &str,
        fields: &Value,
    ) -> Result<(), String> {
        self.pass(at);
        let Some(key) = key else {
            return self.execute(principal, name, fields).map_err(str::to_string);
        };
        let remembered = (principal.to_string(), key.to_string());
        if let Some(answer) = self.answers.get(&remembered)
            && self.now - answer.at <= KEY_KEPT
        {
            if answer.name != name || answer.fields != *fields {
                return Err("key_reused".to_string());
            }
            return answer.result.map_err(str::to_string);
        }
        let result = self.execute(principal, name, fields);
        let answer =
            Answer { at: self.now, name: name.to_string(), fields: fields.clone(), result };
        self.answers.insert(remembered, answer);
        result.map_err(str::to_string)
    }

    fn execute(&mut self, principal: &str, name: &str, given: &Value) -> Result<(), Refusal> {
        self.asking = principal.to_string();
        let answer = self.execute_alone(name, given);
        self.asking = OPERATOR.to_string();
        self.look_after_everyone();
        self.judge_everyone();
        self.hear_what_was_asked();
        answer
    }

    fn execute_alone(&mut self, name: &str, given: &Value) -> Result<(), Refusal> {
        let Some(known) = known_fields(name) else { return Err("not_supported") };
        let fields = Fields::new(given, known)?;
        if OPERATORS.contains(&name) && self.asking != OPERATOR {
            return Err("not_permitted");
        }
        match name {
            "open_enterprise" => self.open_enterprise(&fields),
            "set_tax_id" => self.set_tax_id(&fields),
            "open_account" => self.open_account(&fields),
            "invite_account" => self.invite_account(&fields),
            "accept_invitation" => self.accept_invitation(&fields),
            "end_membership" => self.end_membership(&fields),
            "close_account" => self.close_account(&fields),
            "change_payer" => self.change_payer(&fields),
            "top_up" => self.top_up(&fields),
            "adjust" => self.adjust(&fields),
            "set_quota" => self.set_quota(&fields),
            "grant_coupon" => self.grant_coupon(&fields),
            "set_credit_limit" => self.set_credit_limit(&fields),
            "confirm_contract" => self.confirm_contract(&fields),
            "lift_bad_debt" => self.lift_bad_debt(&fields),
            "configure" => self.configure(&fields),
            "transfer" => self.transfer(&fields),
            "revoke_transfer" => self.revoke_transfer(&fields),
            "place_order" => self.place_order(&fields),
            "refund_order" => self.refund_order(&fields),
            "void_usage" => self.void_usage(&fields),
            "link_payment_method" => self.link_payment_method(&fields),
            "finish_authentication" => self.finish_authentication(&fields),
            "unlink_payment_method" => self.unlink_payment_method(&fields),
            "prefer_payment_method" => self.prefer_payment_method(&fields),
            "pay" => self.pay(&fields),
            "buy_benefit" => self.buy_benefit(&fields),
            "share_benefit" => self.share_benefit(&fields),
            "unshare_benefit" => self.unshare_benefit(&fields),
            "set_sharing_rule" => self.set_sharing_rule(&fields),
            "set_organisation" => self.set_organisation(&fields),
            "receive_remittance" => self.receive_remittance(&fields),
            "claim_remittance" => self.claim_remittance(&fields),
            "request_payment" => self.request_payment(&fields),
            "approve_payment_request" => self.approve_payment_request(&fields),
            "reject_payment_request" => self.end_request(&fields, State::Rejected),
            "cancel_payment_request" => self.end_request(&fields, State::Cancelled),
            "settle_enterprise" => self.settle_enterprise(&fields),
            "freeze_recharge" => self.freeze_recharge(&fields, true),
            "unfreeze_recharge" => self.freeze_recharge(&fields, false),
            "grant_admin" => self.set_admins(&fields, true),
            "revoke_admin" => self.set_admins(&fields, false),
            "grant_role" => self.grant_role(&fields),
            "revoke_role" => self.revoke_role(&fields),
            "create_key" => self.create_key(&fields),
            "revoke_key" => self.revoke_key(&fields),
            "allocate_spend" => self.allocate_spend(&fields),
            "authorize" => self.authorize(&fields),
            "rename_billing_account" => self.rename_billing_account(&fields),
            "freeze_billing_account" => self.freeze_billing_account(&fields),
            "unfreeze_billing_account" => self.unfreeze_billing_account(&fields),
            "deregister_billing_account" => self.deregister_billing_account(&fields),
            "withdraw" => self.withdraw(&fields),
            "credit_invoice" => self.credit_invoice(&fields),
            _ => Err("not_supported"),
        }
    }
}

/// The fields of each command, as the contract names them.
fn known_fields(command: &str) -> Option<&'static [&'static str]> {
    let fields: &[&str] = match command {
        "open_enterprise" => &[
            "enterprise",
            "name",
            "country",
            "tax_id",
            "language",
            "account_center",
            "management_account",
            "credit_total",
        ],
        "set_tax_id" => &["enterprise", "tax_id"],
        "open_account" => &[
            "account",
            "enterprise",
            "email",
            "currency",
            "time_zone",
            "billing_account",
            "mode",
            "region",
            "kind",
            "partner",
            "partner_pays",
        ],
        "close_account" => &["account"],
        "invite_account" | "accept_invitation" | "end_membership" => &["account", "enterprise"],
        "change_payer" => &["account", "billing_account", "effective_at"],
        "top_up" => &["billing_account", "amount", "currency", "method", "remark", "test"],
        "adjust" => &["billing_account", "amount", "reason"],
        "set_quota" => &["billing_account", "quota"],
        "grant_coupon" => &[
            "billing_account",
            "coupon",
            "amount",
            "cash",
            "products",
            "minimum",
            "valid_from",
            "valid_until",
        ],
        "set_credit_limit" => &["billing_account", "limit"],
        "confirm_contract" | "lift_bad_debt" => &["billing_account"],
        "configure" => &[
            "billing_account",
            "low_balance_alert",
            "auto_write_off",
            "write_off_previous",
            "delayed_suspension",
            "auto_pay_threshold",
            "auto_recharge",
            "settlement_currency",
            "bill_cycle",
            "billing_email",
            "recipients",
            "invoice_schedule",
        ],
        "transfer" | "revoke_transfer" => &["from", "to", "amount", "remark"],
        "place_order" => {
            &["billing_account", "order", "amount", "account", "product", "method", "renews"]
        }
        "refund_order" => &["billing_account", "order", "amount", "to"],
        "link_payment_method" => {
            &["billing_account", "method", "kind", "token", "brand", "expires"]
        }
        "finish_authentication" | "unlink_payment_method" | "prefer_payment_method" => {
            &["billing_account", "method"]
        }
        "settle_enterprise" | "freeze_recharge" | "unfreeze_recharge" => &["enterprise"],
        "rename_billing_account"
        | "freeze_billing_account"
        | "unfreeze_billing_account"
        | "deregister_billing_account" => &["billing_account", "name"],
        "grant_admin" | "revoke_admin" => &["billing_account", "accounts"],
        "grant_role" | "revoke_role" | "create_key" | "revoke_key" => {
            &["principal", "role", "scope", "top_up_limit"]
        }
        "allocate_spend" => &["account", "credit", "monthly_cap"],
        "authorize" => &["account", "amount", "authorization"],
        "receive_remittance" => &["reference", "amount", "currency", "remark"],
        "claim_remittance" => &["billing_account", "reference", "amount"],
        "request_payment" => {
            &["request", "requester", "payer", "service", "amount", "note", "resends"]
        }
        "approve_payment_request" | "reject_payment_request" | "cancel_payment_request" => {
            &["request", "method", "reason"]
        }
        "buy_benefit" => &[
            "billing_account",
            "benefit",
            "kind",
            "product",
            "meter",
            "quantity",
            "commitment",
            "discount",
            "price",
            "valid_from",
            "valid_until",
            "accounts",
            "organisation",
        ],
        "share_benefit" | "unshare_benefit" => {
            &["billing_account", "benefit", "accounts", "organisation"]
        }
        "set_sharing_rule" => &["billing_account", "accounts", "organisation"],
        "set_organisation" => &["enterprise", "organisation", "accounts"],
        "pay" => &["billing_account", "amount", "method", "bills"],
        "withdraw" => &["billing_account", "amount", "reason"],
        "void_usage" => &["account", "source", "id"],
        "credit_invoice" => &["invoice", "lines", "amount", "reason"],
        _ => return None,
    };
    Some(fields)
}

//! Cash between the billing accounts of one enterprise (R9.1, R9.2).

use super::super::desk_tests::check;

/// R9.1, R9.2: an amount that nobody could pay is refused before anything else is said of it, and what can be sent or
/// taken back is exact to the last cent.
#[test]
fn r9_1_what_is_sent_and_taken_back_can_be_paid() {
    check(
        "",
        "
        open_account account=a enterprise=e email=a@x.example currency=USD mode=postpaid
        open_account account=c enterprise=e email=c@x.example currency=USD mode=postpaid
        revoke_transfer from=ba-a to=ba-c amount=-5     -> invalid_amount
        revoke_transfer from=ba-a to=ba-c amount=5      -> nothing_to_revoke
        top_up billing_account=ba-a amount=20 currency=USD method=bank_transfer
        transfer from=ba-a to=ba-c amount=-5            -> invalid_amount
        transfer from=ba-a to=ba-c amount=0             -> invalid_amount
        transfer from=ba-a to=ba-c amount=0.001         -> invalid_amount
        transfer from=ba-a to=ba-c amount=20.01         -> exceeds_transferable
        transfer from=ba-a to=ba-c amount=20
        balance ba-c                    -> cash=20 cash_transferred_in=20
        revoke_transfer from=ba-a to=ba-c amount=-5     -> invalid_amount
        revoke_transfer from=ba-a to=ba-c amount=0      -> invalid_amount
        revoke_transfer from=ba-a to=ba-c amount=0.001  -> invalid_amount
        revoke_transfer from=ba-a to=ba-c amount=20.01  -> exceeds_revocable
        revoke_transfer from=ba-a to=ba-c amount=20
        balance ba-a                    -> cash=20 transferable=20
        balance ba-c                    -> cash=0
        ",
    );
}

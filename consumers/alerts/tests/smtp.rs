//! Notices to a real mail server that is slow, refuses, loses its answers or is away, with a worker that
//! is killed: what all letters must stand (tests/post).

#![allow(clippy::unwrap_used, clippy::expect_used)] // tests, all of it

mod notices;

use drawdown_alerts::Alerts;
use drawdown_domain::notices::NoticeKind;
use drawdown_post_tests::Sends;
use drawdown_wire::messages::Notices;
use drawdown_wire::schemas;
use drawdown_wire::topics::Topic;

use notices::notice;

struct Told;

impl Sends for Told {
    type Letters = Alerts;
    const CONSUMER: &'static str = "alerts";
    const INPUT: Topic = Topic::Notices;
    const STATE: Topic = Topic::AlertsState;

    fn letters() -> Alerts {
        Alerts
    }

    fn wish(number: usize, recipients: &[&str]) -> (String, Vec<u8>) {
        let name = format!("n-{number}");
        let notices = vec![notice(&name, NoticeKind::LowBalance, recipients)];
        (name, schemas::NOTICES.message(&Notices { notices }))
    }
}

#[test]
#[ignore = "is started by the other tests"]
fn child() {
    drawdown_post_tests::child::<Told>();
}

#[test]
fn r8_5_every_recipient_gets_one_mail_and_what_was_sent_is_listed() {
    drawdown_post_tests::every_recipient_gets_one_mail_and_what_was_sent_is_listed::<Told>();
}

#[test]
fn a_server_that_asks_to_be_asked_later_or_is_away_loses_nothing() {
    drawdown_post_tests::a_server_that_asks_to_be_asked_later_or_is_away_loses_nothing::<Told>();
}

#[test]
fn what_a_server_refuses_is_listed_as_refused_and_not_tried_again() {
    drawdown_post_tests::what_a_server_refuses_is_listed_as_refused_and_not_tried_again::<Told>();
}

#[test]
fn a_lost_250_repeats_that_mail_and_no_other() {
    drawdown_post_tests::a_lost_250_repeats_that_mail_and_no_other::<Told>();
}

#[test]
fn a_kill_repeats_at_most_what_was_under_way() {
    drawdown_post_tests::a_kill_repeats_at_most_what_was_under_way::<Told>();
}

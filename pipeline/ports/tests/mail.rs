//! Mail to a real server, and mail that is captured.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // tests, all of it

use std::time::{Duration, Instant};

use drawdown_components::{Behaviour, CREDENTIALS, MailServer, Security};
use drawdown_domain::time::Timestamp;
use drawdown_ports::mail::{
    Attachment, Captured, Delivery, Letter, Mailer, Sender, Smtp, SmtpOptions, Tls,
};

fn letter(name: &str) -> Letter {
    Letter {
        message_id: format!("{name}@billing.example"),
        to: "Ann Ö. <ann@acme.example>".to_owned(),
        subject: "Guthaben läuft aus – 余额".to_owned(),
        text: "Grüße\n.\n..two dots\n".to_owned(),
        html: "<p>Grüße</p>".to_owned(),
        at: "2026-03-01T00:00:00Z".parse::<Timestamp>().unwrap(),
        attachments: Vec::new(),
    }
}

fn from() -> Sender {
    Sender::parse("Billing <billing@billing.example>").unwrap()
}

fn options(server: &MailServer) -> SmtpOptions {
    SmtpOptions {
        host: "localhost".to_owned(),
        port: server.port(),
        tls: Tls::None,
        credentials: None,
        certificate: None,
        hello: "billing.example".to_owned(),
        from: from(),
        deadline: Duration::from_secs(20),
        idle_max: 4,
    }
}

fn wait<T>(sending: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(sending)
}

fn check_security(security: Security, tls: Tls, authenticates: bool) {
    let server = MailServer::start_with(security, authenticates).unwrap();
    let credentials = authenticates.then(|| (CREDENTIALS.0.to_owned(), CREDENTIALS.1.to_owned()));
    let certificate =
        (security != Security::None).then(|| std::fs::read(server.certificate()).unwrap());
    let smtp =
        Smtp::new(SmtpOptions { tls, credentials, certificate, ..options(&server) }).unwrap();
    assert_eq!(wait(smtp.send(&letter("a"))), Delivery::Accepted, "{security:?}");
    let accepted = server.accepted().unwrap();
    let [mail] = accepted.as_slice() else { panic!("{accepted:?}") };
    assert_eq!(mail.message_id, "a@billing.example");
    assert_eq!(
        (mail.from.as_str(), mail.to.as_slice()),
        ("billing@billing.example", &["ann@acme.example".to_owned()][..])
    );
    assert_eq!(mail.subject, "Guthaben läuft aus – 余额");
    assert_eq!(mail.text.as_deref(), Some("Grüße\r\n.\r\n..two dots\r\n"));
    assert_eq!(mail.html.as_deref().map(str::trim_end), Some("<p>Grüße</p>"));
    assert_eq!(mail.headers["Auto-Submitted"], "auto-generated");
    assert_eq!(mail.headers["Date"], "Sun, 01 Mar 2026 00:00:00 +0000");
    assert_eq!((mail.encrypted, mail.authenticated), (tls != Tls::None, authenticates));
}

#[test]
fn a_letter_arrives_as_it_was_written_however_the_server_is_reached() {
    check_security(Security::None, Tls::None, false);
    check_security(Security::None, Tls::None, true);
    check_security(Security::StartTls, Tls::StartTls, true);
    check_security(Security::Tls, Tls::Tls, true);
}

#[test]
fn files_go_with_a_letter() {
    let server = MailServer::start().unwrap();
    let content: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let attachment = Attachment {
        name: "invoice 2026-1.pdf".to_owned(),
        media_type: "application/pdf".to_owned(),
        content,
    };
    let letter = Letter { attachments: vec![attachment], ..letter("a") };
    assert_eq!(wait(Smtp::new(options(&server)).unwrap().send(&letter)), Delivery::Accepted);
    let accepted = server.accepted().unwrap();
    let parts: Vec<_> = accepted[0]
        .parts
        .iter()
        .map(|part| (part.r#type.as_str(), part.name.as_deref(), part.bytes > 99_999))
        .collect();
    let expected = [
        ("text/plain", None, false),
        ("text/html", None, false),
        ("application/pdf", Some("invoice 2026-1.pdf"), true),
    ];
    assert_eq!(parts, expected);
}

#[test]
fn what_a_server_says_is_told_apart() {
    let mut server = MailServer::start().unwrap();
    let smtp = Smtp::new(SmtpOptions { deadline: Duration::from_millis(700), ..options(&server) })
        .unwrap();
    // Connections belong to the runtime they were made on.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let send = |name: &str| runtime.block_on(smtp.send(&letter(name)));
    let said = |delivery: &Delivery| match delivery {
        Delivery::Accepted => ("accepted", String::new()),
        Delivery::Refused { why } => ("refused", why.clone()),
        Delivery::Later { why } => ("later", why.clone()),
        Delivery::Unknown { why } => ("unknown", why.clone()),
        Delivery::Away { why } => ("away", why.clone()),
    };
    for (behaviour, expected, why) in [
        (Behaviour::Later, "later", "ask again later"),
        (Behaviour::Refuse, "refused", "nobody of that name"),
        (Behaviour::Lose, "unknown", ""),
        (Behaviour::Hang, "unknown", "sending took more than 700ms"),
        (Behaviour::Accept, "accepted", ""),
    ] {
        server.behave(behaviour).unwrap();
        let delivery = send(&format!("{behaviour:?}"));
        let (found, text) = said(&delivery);
        assert_eq!(found, expected, "{behaviour:?}: {delivery:?}");
        assert!(text.contains(why), "{behaviour:?}: {delivery:?}");
    }
    let accepted: Vec<String> =
        server.accepted().unwrap().into_iter().map(|mail| mail.message_id).collect();
    assert_eq!(accepted, ["Lose", "Hang", "Accept"].map(|name| format!("{name}@billing.example")));
    let nobody = Letter { to: "nobody".to_owned(), ..letter("nobody") };
    assert_eq!(said(&runtime.block_on(smtp.send(&nobody))).0, "refused");
    server.kill().unwrap();
    // The first may find out on a connection that waited.
    assert!(["later", "away"].contains(&said(&send("gone")).0));
    let (found, why) = said(&send("away"));
    assert!(found == "away" && why.contains("localhost:"), "{found} {why}");
}

#[test]
fn a_server_that_does_not_know_us_refuses_no_letter() {
    let server = MailServer::start_with(Security::StartTls, true).unwrap();
    let certificate = Some(std::fs::read(server.certificate()).unwrap());
    let known = SmtpOptions { tls: Tls::StartTls, certificate, ..options(&server) };
    let away = |options: SmtpOptions, says: &str| {
        let delivery = wait(Smtp::new(options).unwrap().send(&letter("a")));
        let Delivery::Away { why } = &delivery else { panic!("{delivery:?}") };
        assert!(why.contains(says) && !why.contains("wrong password"), "{why}");
    };
    let wrong = Some(("billing".to_owned(), "wrong password".to_owned()));
    away(SmtpOptions { credentials: wrong, ..known.clone() }, "billing at localhost");
    away(SmtpOptions { certificate: None, ..known.clone() }, "certificate");
    // Without a name it listens, and takes nothing.
    let delivery = wait(Smtp::new(known).unwrap().send(&letter("a")));
    assert!(matches!(delivery, Delivery::Later { .. }), "{delivery:?}");
    assert_eq!(server.accepted().unwrap(), []);
}

#[test]
fn connections_are_used_again_and_letters_do_not_wait_for_each_other() {
    let mut server = MailServer::start().unwrap();
    let smtp = Smtp::new(options(&server)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let began = Instant::now();
        for number in 0..50 {
            assert_eq!(smtp.send(&letter(&number.to_string())).await, Delivery::Accepted);
        }
        let took = began.elapsed();
        println!("50 letters on one connection in {took:?}");
        // Held back for an acknowledgement each would take 40 ms.
        assert!(took < Duration::from_millis(1_500), "{took:?}");
        // The server starts anew: what waited for it is of no use, and one letter at most finds out.
        server.kill().unwrap();
        server.resume().unwrap();
        let first = smtp.send(&letter("after")).await;
        let second = smtp.send(&letter("after that")).await;
        assert!(
            first != Delivery::Accepted || second == Delivery::Accepted,
            "{first:?} {second:?}"
        );
        assert_eq!(second, Delivery::Accepted);
    });
}

#[test]
fn captured_letters_are_files_that_any_mail_program_opens() {
    let folder = tempfile::tempdir().unwrap();
    let captured = Captured::in_folder(from(), &folder.path().join("mail")).unwrap();
    for name in ["b", "a", "b", "../../escape"] {
        assert_eq!(wait(captured.send(&letter(name))), Delivery::Accepted);
    }
    let later = Letter { at: "2026-03-02T00:00:00.25Z".parse().unwrap(), ..letter("0") };
    assert_eq!(wait(captured.send(&later)), Delivery::Accepted);
    let files = Captured::files(&folder.path().join("mail")).unwrap();
    let names: Vec<_> =
        files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
    let expected = [
        "20260301T000000Z-.._.._escape.eml",
        "20260301T000000Z-a.eml",
        "20260301T000000Z-b.eml",
        "20260302T000000Z-0.eml",
    ];
    assert_eq!(names, expected);
    let text = std::fs::read_to_string(&files[1]).unwrap();
    assert!(
        text.contains("Message-ID: <a@billing.example>\r\n") && text.contains("text/html"),
        "{text}"
    );
    // Written again it is the same, byte for byte.
    wait(captured.send(&letter("a")));
    assert_eq!(std::fs::read_to_string(&files[1]).unwrap(), text);
    let nobody = Letter { to: "nobody".to_owned(), ..letter("nobody") };
    assert!(matches!(wait(captured.send(&nobody)), Delivery::Refused { .. }));
}

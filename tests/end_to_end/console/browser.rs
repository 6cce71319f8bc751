//! The pages in a real browser. What they looked like stays under `target/browser`, with the browser's traces
//! (`npx playwright show-trace`).

use std::path::Path;

use drawdown_components::drive;
use drawdown_domain::time::Span;
use serde_json::json;

use super::rig::Rig;

/// Usage of the last days, so that there is something to see.
fn used(rig: &Rig, account: &str, quantities: &[u32]) {
    let now = rig.clock.now();
    let mut lines = String::new();
    for (day, quantity) in (0_u16..).zip(quantities) {
        for hour in 0..4_i64 {
            let at = now.minus(Span::days(day)).minus(Span::micros(hour * 3_600_000_000));
            let record = json!({ "source": "meter", "id": format!("{day}-{hour}"), "account": account,
                "product": "compute", "meter": "vcpu_hours", "quantity": quantity.to_string(), "time": at });
            lines.push_str(&format!("{record}\n"));
        }
    }
    let answer = rig.client.post("/v1/usage", &[("content-type", "application/x-ndjson")], &lines);
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[test]
fn every_page_works_live_by_keyboard_and_on_a_phone() {
    let rig = Rig::new();
    rig.priced();
    for (account, cash) in
        [("acme", "950.00"), ("globex", "40.00"), ("initech", "12800.50"), ("umbrella", "310.25")]
    {
        rig.opened(account, cash);
    }
    used(&rig, "acme", &[30, 22, 41, 35, 18, 12, 38, 44, 29, 33]);
    used(&rig, "globex", &[14, 9, 11]);
    used(&rig, "initech", &[80, 75, 91, 66]);
    rig.done("adjust", &json!({ "billing_account": "ba-acme", "amount": "-12.40", "reason": "Correction of February" }));
    let letter = concat!(
        "From: drawdown <billing@drawdown.example>\r\nTo: finance@acme.example\r\nSubject: Your balance is low\r\n",
        "Date: Fri, 20 Nov 2026 12:00:00 +0000\r\nContent-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\n",
        "Content-Type: text/plain; charset=utf-8\r\n\r\nAvailable credit of ba-acme is 99.00 USD, below 100.00 USD.\r\n--x\r\n",
        "Content-Type: text/html; charset=utf-8\r\n\r\n<h1 style=\"font-family:sans-serif\">Your balance is low</h1>",
        "<p>Available credit of ba-acme is <b>99.00 USD</b>.</p>\r\n--x--\r\n"
    );
    std::fs::write(rig.folder.path().join("mails/1.eml"), letter).unwrap();
    rig.await_row("balance", "ba-initech", |row| {
        row["unsettled_current"] != "0" || row["cash"] != "12800.5"
    });
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let origin = format!("http://127.0.0.1:{}", rig.client.port);
    let script = root.join("tests/end_to_end/console/pages.cjs");
    let said = drive(&script, &[&origin, "ba-acme"], &root.join("target/browser/pages")).unwrap();
    assert!(said.contains("39 pages"), "{said}");
}

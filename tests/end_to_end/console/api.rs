//! The API from outside: what a customer's program meets.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use drawdown_console::{Source, VIEWS};
use drawdown_documents::e_invoice;
use drawdown_domain::commands::Command;
use drawdown_domain::time::Span;
use drawdown_wire::messages::Invoices;
use drawdown_wire::schemas;
use serde_json::{Value, json};

use super::client::Answer;
use super::invoices;
use super::rig::{Rig, WITHIN};

fn problem(answer: &Answer, status: u16, code: &str) -> Value {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let problem = answer.json();
    assert_eq!(problem["code"], code, "{problem}");
    assert_eq!(problem["status"], status);
    for field in ["type", "title", "detail"] {
        assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {problem}");
    }
    problem
}

#[test]
fn commands_are_decided_refused_and_repeated() {
    let rig = Rig::new();
    rig.opened("acme", "100.00");
    let client = rig.client;
    assert_eq!(rig.row("balance", "ba-acme")["cash"], "100", "a read sees the last command");

    let top_up = json!({ "billing_account": "ba-acme", "amount": "50.00", "currency": "USD", "method": "bank_transfer" });
    let first = client.command("top_up", "R11.5", &top_up);
    assert_eq!(
        (first.status, first.header("idempotency-key")),
        (200, Some("R11.5")),
        "{}",
        first.body
    );
    assert!(first.header("drawdown-position").is_some() && first.header("x-request-id").is_some());
    let again = client.command("top_up", "R11.5", &top_up).json();
    assert_eq!(again["repeats"], first.json()["command"], "R11.5");
    assert_eq!(again["at"], first.json()["at"], "R11.5: the first answer");
    assert_eq!(rig.row("balance", "ba-acme")["cash"], "150", "R11.5: nothing else");
    let mut other = top_up.clone();
    other["amount"] = "60.00".into();
    problem(&client.command("top_up", "R11.5", &other), 409, "key_reused");

    other["currency"] = "EUR".into();
    let refused = problem(&client.command("top_up", "r1", &other), 422, "currency_mismatch");
    assert!(
        refused["help"].as_str().is_some_and(|help| help.contains("another currency")),
        "{refused}"
    );
    let repeated = problem(&client.command("top_up", "r1", &other), 422, "currency_mismatch");
    assert!(repeated["repeats"].is_number(), "R11.5: a refusal is an answer too: {repeated}");
    other["billing_account"] = "ba-nobody".into();
    problem(&client.command("top_up", "r2", &other), 404, "not_found");
    other["amount"] = 5.into();
    assert_eq!(
        problem(&client.command("top_up", "r3", &other), 400, "malformed")["field"],
        "amount"
    );
    other.as_object_mut().unwrap().remove("amount");
    assert_eq!(
        problem(&client.command("top_up", "r4", &other), 400, "malformed")["field"],
        "amount"
    );
    problem(&client.command("fly", "r5", &json!({})), 404, "not_found");

    let form =
        "billing_account=ba-acme&low_balance_alert.enabled=on&low_balance_alert.threshold=25.00";
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let done = client.post("/v1/do/configure", &kind, form);
    assert_eq!(done.status, 200, "{}", done.body);
    assert!(done.header("idempotency-key").is_some_and(|key| key.starts_with("made-")));
    assert_eq!(done.header("drawdown-idempotency-key"), Some("generated"));
    let number = done.json()["command"].to_string();
    assert_eq!(rig.row("commands", &number)["name"], "configure");
}

#[test]
fn nobody_asks_without_a_key_and_no_foreign_page_asks_in_a_visitors_name() {
    let rig = Rig::new();
    let fields = b"{}";
    for headers in [
        vec![],
        vec![("authorization", "Bearer wrong")],
        vec![("sec-fetch-site", "cross-site"), ("origin", "http://evil.example")],
    ] {
        let answer = rig.client.send("POST", "/v1/do/close_account", &headers, fields);
        problem(&answer, 401, "not_authenticated");
        let usage = rig.client.send("POST", "/v1/usage", &headers, fields);
        problem(&usage, 401, "not_authenticated");
    }
    let page = rig.client.send("GET", "/", &[("sec-fetch-site", "none")], b"");
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(rig.client.send("GET", "/", &[], b"").header("location"), Some("/login"));
}

fn event(rig: &Rig, id: &str) -> Value {
    json!({ "specversion": "1.0", "type": "usage", "source": "test", "id": id, "subject": "acme",
        "time": rig.clock.now(), "data": { "product": "compute", "meter": "vcpu_hours", "quantity": "2" } })
}

#[test]
fn usage_is_taken_in_every_form_and_counted_once() {
    let rig = Rig::new();
    rig.priced();
    rig.opened("acme", "100.00");
    let send = |headers: &[(&str, &str)], body: &str| rig.client.post("/v1/usage", headers, body);
    let accepted = |answer: &Answer, accepted: u64, malformed: u64| {
        assert_eq!(answer.status, 200, "{}", answer.body);
        let body = answer.json();
        assert_eq!(
            (&body["accepted"], &body["malformed_count"]),
            (&json!(accepted), &json!(malformed))
        );
    };
    let structured = [("content-type", "application/cloudevents+json; charset=utf-8")];
    accepted(&send(&structured, &event(&rig, "1").to_string()), 1, 0);
    let batch = [("content-type", "application/cloudevents-batch+json")];
    let mut bad = event(&rig, "3");
    bad["data"]["quantity"] = "much".into();
    let answer = send(&batch, &json!([event(&rig, "1"), bad, event(&rig, "2")]).to_string());
    accepted(&answer, 2, 1);
    assert_eq!(answer.json()["malformed"][0]["index"], 1, "{}", answer.body);
    let now = rig.clock.now().to_string();
    let binary = [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-type", "usage"),
        ("ce-source", "test"),
        ("ce-id", "4"),
        ("ce-time", &now),
        ("ce-subject", "acme"),
    ];
    accepted(&send(&binary, &event(&rig, "4")["data"].to_string()), 1, 0);
    let line = |id: &str| {
        json!({ "source": "test", "id": id, "account": "acme", "product": "compute",
            "meter": "vcpu_hours", "quantity": "2", "time": now, "tags": { "b": "2", "a": "1" } })
    };
    let lines = format!("{}\n\nnonsense\n{}\n", line("5"), line("6"));
    let answer = send(&[("content-type", "application/x-ndjson")], &lines);
    accepted(&answer, 2, 1);
    assert_eq!(answer.json()["malformed"][0]["line"], 3, "{}", answer.body);

    let row = rig.await_row("balance", "ba-acme", |row| {
        row["unsettled_current"] != "0" && row["available"] == "95"
    });
    assert_eq!(
        row["unsettled_current"], "5",
        "five records of 2 at 0.50 each, R2.2: the first once"
    );

    let all_bad = send(&structured, "{\"specversion\":\"1.0\"}");
    assert!(problem(&all_bad, 400, "malformed")["malformed"][0]["why"].is_string());
    problem(&send(&[("content-type", "text/csv")], "a,b"), 415, "unsupported_media_type");
}

#[test]
fn usage_beyond_the_queue_is_refused_whole() {
    let rig = Rig::with(|options| options.usage_queue_bytes_max = 64);
    let kind = [("content-type", "application/cloudevents-batch+json")];
    let answer = rig.client.post(
        "/v1/usage",
        &kind,
        &json!([event(&rig, "1"), event(&rig, "2")]).to_string(),
    );
    problem(&answer, 429, "busy");
    assert!(answer.header("retry-after").is_some_and(|after| after.parse::<u32>().is_ok()));
    let large = Rig::with(|options| options.usage_body_bytes_max = 100);
    let answer = large.client.post("/v1/usage", &kind, &"x".repeat(1_000));
    assert_eq!(answer.status, 413, "{}", answer.body);
}

#[test]
fn a_balance_is_watched_as_it_changes() {
    let rig = Rig::new();
    rig.opened("acme", "100.00");
    let mut lines = rig.client.stream("/v1/stream/balance/ba-acme", "demo");
    let mut cash = || loop {
        let line = lines.next().expect("the stream goes on");
        if let Some(row) = line.strip_prefix("data: ").or_else(|| line.strip_prefix("data:")) {
            return serde_json::from_str::<Value>(row).unwrap()["cash"]
                .as_str()
                .unwrap()
                .to_owned();
        }
    };
    assert_eq!(cash(), "100", "first the row as it is");
    rig.done("top_up", &json!({ "billing_account": "ba-acme", "amount": "25.00", "currency": "USD", "method": "bank_transfer" }));
    let deadline = Instant::now() + WITHIN;
    while cash() != "125" {
        assert!(Instant::now() < deadline);
    }
    problem(&rig.client.get("/v1/stream/balance/nobody"), 404, "not_found");
    problem(&rig.client.get("/v1/stream/prices/ba-acme"), 404, "not_found");
    // The server stops, and says so to who watches.
    drop(rig);
    let rest: Vec<String> = lines.collect();
    assert!(
        rest.iter().any(|line| line.starts_with("event: end") || line.starts_with("event:end")),
        "{rest:?}"
    );
}

/// R13.3: and so are all lists, as CSV and as Parquet.
#[test]
fn lists_are_paged_filtered_and_exported() {
    let rig = Rig::new();
    rig.opened("acme", "100.00");
    for number in 1..=5 {
        rig.done("adjust", &json!({ "billing_account": "ba-acme", "amount": number.to_string(), "reason": format!("n{number}") }));
    }
    rig.await_rows("/v1/show/entries/ba-acme", 6);
    let mut seen = BTreeSet::new();
    let mut path = "/v1/show/entries/ba-acme?limit=2".to_owned();
    for _ in 0..3 {
        let page = rig.client.get(&path).json();
        for row in page["rows"].as_array().unwrap() {
            assert!(seen.insert(row["number"].as_u64().unwrap()), "{row} came twice");
        }
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/show/entries/ba-acme?limit=2&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, (1..=6).collect());
    let page = rig.client.get("/v1/show/entries?cause=adjustment&number=3").json();
    assert_eq!(page["rows"].as_array().unwrap().len(), 1, "{page}");
    let csv = rig.client.get("/v1/show/entries/ba-acme?format=csv");
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(csv.body.matches("\"adjustment\"").count(), 5, "R13.3: {}", csv.body);
    let parquet = rig.client.get("/v1/show/entries/ba-acme?format=parquet");
    assert_eq!(parquet.header("content-type"), Some("application/vnd.apache.parquet"));
    // What a Parquet file begins and ends with.
    assert_eq!(parquet.body.matches("PAR1").count(), 2, "R13.3");
    for (query, field) in [("limit=0", "limit"), ("cursor=zz", "cursor"), ("format=pdf", "format")]
    {
        let answer = rig.client.get(&format!("/v1/show/entries?{query}"));
        assert_eq!(problem(&answer, 400, "malformed")["field"], field);
    }
    problem(&rig.client.get("/v1/show/entries?colour=red"), 400, "malformed");
    problem(&rig.client.get("/v1/show/nothing"), 404, "not_found");
    problem(&rig.client.get("/v1/show/balance/nobody"), 404, "not_found");
}

#[test]
fn every_command_and_view_of_the_description_is_there() {
    let rig = Rig::new();
    let description = rig.client.get("/openapi.json").json();
    let paths: BTreeSet<&str> =
        description["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    for name in Command::NAMES {
        assert!(paths.contains(&*format!("/v1/do/{name}")), "{name}");
        // It is known: without fields it is malformed, not missing.
        problem(&rig.client.command(name, "k", &json!({})), 400, "malformed");
    }
    for view in VIEWS {
        let of = if view.source == Source::Everywhere { "" } else { "/{id}" };
        assert!(paths.contains(&*format!("/v1/show/{}{of}", view.name)), "{}", view.name);
        match view.source {
            Source::Ledger => {
                let answer = rig.client.get(&format!("/v1/show/{}/nobody", view.name));
                let said = problem(&answer, 404, "not_found");
                assert!(
                    said["detail"].as_str().unwrap().contains("nobody"),
                    "no such view: {said}"
                );
            }
            Source::List(_) | Source::Everywhere => {
                let answer = rig.client.get(&format!("/v1/show/{}", view.name));
                assert_eq!(answer.status, 200, "{}: {}", view.name, answer.body);
            }
        }
    }
}

/// R7.3: what waits unclaimed, and who has claimed what, as the registry has it.
#[test]
fn r7_3_remittances_are_listed() {
    let rig = Rig::new();
    rig.opened("acme", "100.00");
    for reference in ["INV 7", "INV 8"] {
        let remittance = json!({ "reference": reference, "amount": "30.00", "currency": "USD" });
        rig.done("receive_remittance", &remittance);
    }
    let claim = json!({ "billing_account": "ba-acme", "reference": "INV 7", "amount": "30.00" });
    rig.done("claim_remittance", &claim);
    // The registry hears of it a little after whoever claimed it.
    rig.await_rows("/v1/show/remittances?status=claimed", 1);
    let rows = rig.client.get("/v1/show/remittances").json();
    let shown = |row: &Value| {
        [&row["reference"], &row["status"], &row["billing_account"], &row["amount"]]
            .map(Clone::clone)
    };
    let shown: Vec<_> = rows["rows"].as_array().unwrap().iter().map(shown).collect();
    let expected = [
        [json!("INV 7"), json!("claimed"), json!("ba-acme"), json!("30")],
        [json!("INV 8"), json!("unclaimed"), Value::Null, json!("30")],
    ];
    assert_eq!(shown, expected, "{rows}");
    let own = [("authorization", "Bearer acme-key")];
    assert_eq!(rig.client.send("GET", "/v1/show/remittances", &own, b"").status, 403);
    // So does ClickHouse, with what was before.
    rig.await_lists();
    let standing = rig.sql("SELECT reference, status, billing_account, amount FROM remittances_now ORDER BY reference FORMAT TSV");
    assert!(
        standing.contains("INV 7\tclaimed\tba-acme\t30\nINV 8\tunclaimed\t\\N\t30\n"),
        "{standing}"
    );
    let each = rig.sql(
        "SELECT status FROM remittances WHERE reference = 'INV 7' ORDER BY _offset FORMAT TSV",
    );
    assert!(each.contains("unclaimed\nin_flight\nclaimed\n"), "{each}");
}

#[test]
fn a_command_that_is_not_decided_in_time_says_where_to_look() {
    let rig = Rig::with(|options| options.command_answered_within = Duration::ZERO);
    let fields = json!({ "enterprise": "acme", "name": "Acme", "country": "SG" });
    let held = rig.turns.write().unwrap();
    let answer = rig.client.command("open_enterprise", "late", &fields);
    drop(held);
    assert_eq!(answer.status, 202, "{}", answer.body);
    let place = answer.header("location").unwrap().to_owned();
    let deadline = Instant::now() + WITHIN;
    loop {
        let found = rig.client.get(&place);
        if found.status == 200 {
            assert_eq!(found.json()["name"], "open_enterprise");
            assert!(found.json()["refused"].is_null());
            break;
        }
        problem(&found, 404, "not_found");
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn r12_7_an_issued_invoice_is_a_pdf_for_whoever_may_see_it() {
    let rig = Rig::new();
    let issued = vec![invoices::invoice("Acme Söhne", "DE")];
    let message = schemas::INVOICES.message(&Invoices { invoices: issued });
    rig.log.append("invoices", 0, rig.clock.now(), &[&message]).unwrap();
    // The list is there soon, and filled soon after.
    let deadline = Instant::now() + WITHIN;
    let answer = loop {
        let answer = rig.client.get("/v1/invoices/SG-2026-000042.pdf");
        if answer.status == 200 {
            break answer;
        }
        let soon = matches!(answer.status, 404 | 503);
        assert!(soon && Instant::now() < deadline, "{}", answer.body);
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(answer.body.starts_with("%PDF-1.7"), "{}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/pdf"));
    let xml = rig.client.get("/v1/invoices/SG-2026-000042.xml");
    assert_eq!((xml.status, xml.header("content-type")), (200, Some("application/xml")));
    assert_eq!(xml.body, e_invoice(&invoices::invoice("Acme Söhne", "DE")).unwrap());
    for path in [
        "/v1/invoices/SG-2026-000002.pdf",
        "/v1/invoices/SG-2026-000002.xml",
        "/v1/invoices/..%2Fsecret.pdf",
        "/v1/invoices/x.txt",
    ] {
        problem(&rig.client.get(path), 404, "not_found");
    }
    for path in ["/v1/invoices/SG-2026-000042.pdf", "/v1/invoices/SG-2026-000042.xml"] {
        let stranger = rig.client.send("GET", path, &[], b"");
        problem(&stranger, 401, "not_authenticated");
    }
    rig.opened("acme", "100.00");
    let page = rig.client.get("/accounts/ba-acme/invoices");
    assert!(page.body.contains("href=\"/v1/invoices/SG-2026-000042.pdf\""), "{}", page.body);
}

#[test]
fn letters_are_files_of_their_folder_and_nothing_else() {
    let rig = Rig::new();
    std::fs::write(rig.folder.path().join("secret.pdf"), b"secret").unwrap();
    let at = rig.clock.now().minus(Span::days(1));
    let letter = format!(
        "From: a@b.example\r\nTo: c@d.example\r\nSubject: Low <b>balance</b>\r\nDate: {at}\r\nContent-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nLow.\r\n--x\r\nContent-Type: text/html\r\n\r\n<h1>Low</h1><script>alert(1)</script>\r\n--x--\r\n"
    );
    std::fs::write(rig.folder.path().join("mails/1.eml"), letter).unwrap();
    let page = rig.client.get("/mail/1.eml");
    assert!(
        page.body.contains("Low &#60;b&#62;balance") || page.body.contains("Low &lt;b&gt;balance"),
        "{}",
        page.body
    );
    assert!(page.body.contains("<iframe sandbox=\"allow-same-origin\" "), "{}", page.body);
    let html = rig.client.get("/mail/1.eml/html");
    assert!(html.body.contains("<h1>Low</h1>"));
    assert!(html.header("content-security-policy").unwrap().contains("sandbox"));
    assert_eq!(rig.client.get("/mail/..%2Fsecret.pdf").status, 404);
}

//! What others than the operator may ask for, see and send by the API (R11.1).

use serde_json::{Value, json};

use super::client::Answer;
use super::rig::Rig;

/// Asks with the key of a principal.
fn ask(rig: &Rig, who: &str, verb: &str, path: &str, body: &Value) -> Answer {
    let key = format!("Bearer {who}-key");
    let headers = [
        ("authorization", key.as_str()),
        ("content-type", "application/json"),
        ("user-agent", "books/1.0"),
    ];
    rig.client.send(verb, path, &headers, body.to_string().as_bytes())
}

#[track_caller]
fn check(rig: &Rig, who: &str, verb: &str, path: &str, body: &Value, status: u16) -> Answer {
    let answer = ask(rig, who, verb, path, body);
    assert_eq!(answer.status, status, "{who} {verb} {path} {body}: {}", answer.body);
    if status == 403 {
        assert_eq!(answer.json()["code"], "not_permitted", "{}", answer.body);
    }
    answer
}

fn opened() -> Rig {
    let rig = Rig::new();
    rig.priced();
    rig.opened("acme", "100.00");
    rig.opened("other", "100.00");
    for (principal, role, scope) in [
        ("books", "finance_admin", "ba-acme"),
        ("eyes", "billing_viewer", "ba-acme"),
        ("feed", "platform", "acme"),
    ] {
        rig.done("grant_role", &json!({ "principal": principal, "role": role, "scope": scope }));
    }
    rig
}

#[test]
fn r11_1_commands_need_a_right_and_are_recorded_with_where_they_came_from() {
    let rig = opened();
    let top_up = |wallet: &str| json!({ "billing_account": wallet, "amount": "50", "currency": "USD", "method": "bank_transfer" });
    let post = |who: &str, name: &str, fields: Value, status: u16| {
        check(&rig, who, "POST", &format!("/v1/do/{name}"), &fields, status)
    };
    let done = post("books", "top_up", top_up("ba-acme"), 200).json();
    post("books", "top_up", top_up("ba-other"), 403);
    post("eyes", "top_up", top_up("ba-acme"), 403);
    post("acme", "top_up", top_up("ba-acme"), 200);
    let refused = post("acme", "load_settings", json!({ "document": "" }), 403).json();

    // R11.4: who, when, from where, outcome; refused ones too.
    let row = rig.row("commands", &done["command"].to_string());
    assert_eq!(
        (&row["principal"], &row["origin"], &row["refused"]),
        (&json!("books"), &json!("127.0.0.1 books/1.0"), &Value::Null)
    );
    let row = rig.row("commands", &refused["command"].to_string());
    assert_eq!((&row["principal"], &row["refused"]), (&json!("acme"), &json!("not_permitted")));
    // Everybody sees what became of his own, and of nobody else's.
    let own = format!("/v1/show/commands/{}", done["command"]);
    check(&rig, "books", "GET", &own, &Value::Null, 200);
    check(&rig, "eyes", "GET", &own, &Value::Null, 403);
    let list = "/v1/show/commands?principal=books";
    rig.await_rows(list, 2);
    let rows = check(&rig, "books", "GET", list, &Value::Null, 200).json();
    assert_eq!(rows["rows"].as_array().map(Vec::len), Some(2), "{rows}");
    check(&rig, "eyes", "GET", list, &Value::Null, 403);
}

#[test]
fn r11_1_what_is_seen_needs_a_right_until_it_is_revoked() {
    let rig = opened();
    let see =
        |who: &str, path: &str, status: u16| check(&rig, who, "GET", path, &Value::Null, status);
    for path in [
        "/v1/show/balance/ba-acme",
        "/v1/show/due/ba-acme",
        "/v1/show/entries/ba-acme",
        "/v1/show/entries?billing_account=ba-acme",
    ] {
        see("acme", path, 200);
        see("books", path, 200);
        see("eyes", path, 200);
        see("feed", path, 403);
        see("other", path, 403);
    }
    // Not payment methods, not settings, not what concerns all.
    for path in ["/v1/show/billing_account/ba-acme", "/v1/show/payments/ba-acme"] {
        see("books", path, 200);
        see("eyes", path, 403);
    }
    for (who, status) in [("books", 200), ("eyes", 403)] {
        assert_eq!(
            ask(&rig, who, "GET", "/accounts/ba-acme", &Value::Null).status,
            status,
            "{who}"
        );
        for page in ["/mail", "/rejects"] {
            assert_eq!(ask(&rig, who, "GET", page, &Value::Null).status, 403, "{who} {page}");
        }
    }
    see("eyes", "/v1/show/balances", 403);
    see("acme", "/v1/show/entries", 403);
    see("acme", "/v1/show/enterprise/acme", 403);
    see("acme", "/v1/show/account/acme", 200);
    see("other", "/v1/show/account/acme", 403);
    see("feed", "/v1/show/service/acme", 200);
    see("eyes", "/v1/show/balance/ba-nobody", 403);
    see("eyes", "/v1/stream/payments/ba-acme", 403);

    rig.done(
        "revoke_role",
        &json!({ "principal": "eyes", "role": "billing_viewer", "scope": "ba-acme" }),
    );
    see("eyes", "/v1/show/balance/ba-acme", 403);
}

/// Asks with a key as it is.
fn with(rig: &Rig, secret: &str, verb: &str, path: &str, body: &Value) -> Answer {
    let key = format!("Bearer {secret}");
    let headers = [("authorization", key.as_str()), ("content-type", "application/json")];
    rig.client.send(verb, path, &headers, body.to_string().as_bytes())
}

/// R11.1: a key opens what its role allows from its making to its revocation; nobody sees it twice.
#[test]
fn r11_1_a_key_that_was_made_opens_until_it_is_revoked() {
    let rig = opened();
    let key = json!({ "principal": "ci", "role": "billing_viewer", "scope": "ba-acme" });
    let headers = [
        ("authorization", "Bearer acme-key"),
        ("content-type", "application/json"),
        ("idempotency-key", "k"),
    ];
    let create = || {
        rig.client.send("POST", "/v1/do/create_key", &headers, key.to_string().as_bytes()).json()
    };
    let made = create();
    let secret = made["secret"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    assert!(secret.starts_with("ba-acme~"), "{secret}");
    let sees = |path: &str, status: u16| {
        let answer = with(&rig, &secret, "GET", path, &Value::Null);
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
    };
    sees("/v1/show/balance/ba-acme", 200);
    sees("/v1/show/billing_account/ba-acme", 403);
    sees("/v1/show/balance/ba-other", 403);
    // R11.5: who lost the answer gets it again, and no second key.
    let again = create();
    assert_eq!((&again["secret"], &again["repeats"]), (&made["secret"], &made["command"]));
    check(&rig, "books", "POST", "/v1/do/create_key", &key, 403);
    // R11.4: what is recorded does not say it.
    let row = rig.row("commands", &made["command"].to_string());
    assert!(!row.to_string().contains(&secret), "{row}");
    let enterprise = rig.row("enterprise", "acme").to_string();
    assert!(enterprise.contains("\"ci\"") && !enterprise.contains(&secret), "{enterprise}");
    for wrong in [format!("{secret}0"), secret.replace("ba-acme~", "ba-other~"), "ba-acme~".into()]
    {
        let path = "/v1/show/balance/ba-acme";
        assert_eq!(with(&rig, &wrong, "GET", path, &Value::Null).status, 401, "{wrong}");
    }
    // What the configuration names is nobody's to take.
    let taken = json!({ "principal": "eyes", "role": "auditor", "scope": "ba-other" });
    let refused = ask(&rig, "other", "POST", "/v1/do/create_key", &taken);
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (409, &json!("already_exists")),
        "{}",
        refused.body
    );

    let mut watched = rig.client.stream("/v1/stream/balance/ba-acme", &secret);
    let mut told = || watched.find(|line| line.starts_with("event:") || line.starts_with("data:"));
    assert_eq!(told().as_deref(), Some("event: balance"));
    assert!(told().is_some_and(|row| row.contains("\"cash\":\"100\"")));
    rig.done("revoke_key", &key);
    sees("/v1/show/balance/ba-acme", 401);
    // Nor does who watched already hear of what happens now.
    let fields = json!({ "billing_account": "ba-acme", "amount": "25.00", "currency": "USD", "method": "bank_transfer" });
    rig.done("top_up", &fields);
    while let Some(line) = told().filter(|line| line != "event: end") {
        assert!(!line.contains("\"cash\":\"125\""), "{line}");
    }
    assert!(told().is_some_and(|why| why.contains("nobody holds the key")));
}

#[test]
fn r11_1_usage_is_sent_by_whoever_may() {
    let rig = opened();
    let event = |id: &str, account: &str| {
        json!({ "specversion": "1.0", "type": "usage", "source": "test", "id": id, "subject": account,
            "time": rig.clock.now(), "data": { "product": "compute", "meter": "vcpu_hours", "quantity": "2" } })
    };
    check(&rig, "feed", "POST", "/v1/usage", &event("u1", "acme"), 200);
    check(&rig, "feed", "POST", "/v1/usage", &event("u2", "other"), 403);
    check(&rig, "eyes", "POST", "/v1/usage", &event("u3", "acme"), 403);
    rig.await_row("balance", "ba-acme", |row| row["unsettled_current"] == "1");
    assert_eq!(rig.row("balance", "ba-other")["unsettled_current"], "0");
}

//! `drawdown explain`.

use serde_json::Value;

use super::canned::Canned;
use super::{drawdown, opened, said, told, well};
use crate::end_to_end::console::explaining::rehearsed;
use crate::end_to_end::console::rig::Rig;

#[test]
fn r13_4_a_bill_is_a_tree_down_to_its_records_with_sums() {
    let rig = rehearsed("r1-2-rounding-never-drifts.toml");
    let tree = well(&rig, "explain ba-acme.2");
    let lines: Vec<&str> = tree.lines().collect();
    assert_eq!(
        lines[0],
        "bill ba-acme.2, compute of acme, of the cycle until 2026-03-01T02:00:00Z: 0.01 USD",
        "{tree}"
    );
    assert_eq!(
        lines[1], "  charges for hours at 0.004 each: 0.004 (quantity 1, 1 record)",
        "{tree}"
    );
    assert_eq!(lines[2], "    1 usage record (quantity 1)", "{tree}");
    assert!(
        lines[3].starts_with("      u2 of s (quantity 1) 2026-03-01T01:10:00Z, usage "),
        "{tree}"
    );
    assert_eq!(lines[4], "      = it adds up", "{tree}");
    assert!(lines[5].starts_with("  rounding: ") && lines[5].ends_with(": 0.006"), "{tree}");
    assert_eq!(lines[6], "  = 0.01, it adds up", "{tree}");
    assert!(tree.ends_with(" sums checked, and all come out\n"), "{tree}");
    let short = well(&rig, "explain ba-acme.2 --records 0");
    let counts = "    1 usage record (quantity 1)\n      = it adds up\n";
    assert!(!short.contains("u2 of s") && short.contains(counts), "{short}");
    let json: Value = serde_json::from_str(&well(&rig, "explain ba-acme.2 --json")).unwrap();
    assert_eq!((&json["explained"]["amount"], &json["sums_wrong"]), (&"0.01".into(), &0.into()));

    rig.sql("ALTER TABLE usage DELETE WHERE id = 'u2' SETTINGS mutations_sync = 1");
    let (tree, wrong) =
        said(&drawdown(rig.client.port, &["explain", "ba-acme.2"]).output().unwrap(), 1);
    assert!(tree.contains("= IT DOES NOT ADD UP"), "{tree}");
    assert!(
        wrong.contains("drawdown: 1 of ") && wrong.contains("sums of ba-acme.2 do not come out"),
        "{wrong}"
    );
}

#[test]
fn an_entry_says_what_asked_for_it_and_what_is_unknown_is_named() {
    let rig = Rig::new();
    opened(&rig);
    rig.await_lists();
    let tree = well(&rig, "explain ba-acme.e1");
    assert!(
        tree.starts_with(
            "entry ba-acme.e1, top_up: cash own, 0 before, 100 after: 100 USD\n  = it adds up\n"
        ),
        "{tree}"
    );
    assert!(tree.contains("\n  beside it:\n    top_up, command "), "{tree}");
    let unknown = told(&rig, "explain ba-acme.1", 1);
    assert!(
        unknown.contains("not_found: ") && unknown.contains("is called ba-acme.1;"),
        "{unknown}"
    );
    assert!(told(&rig, "explain ba-acme.1 --records 5000", 2).contains("--records"));
    assert!(well(&rig, "explain --help").contains("drawdown explain ba-acme.7"));
}

#[test]
fn an_answer_of_another_version_is_named() {
    let canned = Canned::new(&[("200 OK", "{}")]);
    let (_, err) = said(&drawdown(canned.port, &["explain", "b/1"]).output().unwrap(), 1);
    assert!(err.contains("is --server of this version?"), "{err}");
    assert!(canned.asked()[0].starts_with("GET /v1/explain/b%2F1?records=10 HTTP/1.1"));
}

//! The tables and views on the real engine: made once, held to their files, and fit for what is read of them.

use drawdown_analytics::{MIGRATIONS, Migration, Store, StoreOptions, Trouble, claim, migrate};
use drawdown_console::{ClickHouse, Lists, NoList, OwnLists, Row, Source, VIEWS, Wanted};

use super::engine;

/// What analysts ask for, beside the tables.
const VIEWS_FOR_ANALYSTS: [&str; 20] = [
    "bills",
    "payments_now",
    "paid_directly",
    "refunds",
    "invoices_now",
    "money_by_month",
    "usage_standing",
    "spend",
    "spend_by",
    "spend_by_day",
    "spend_by_tag",
    "spend_by_month",
    "balance_now",
    "burn",
    "runway",
    "top_accounts",
    "meter_by_hour",
    "cash_flow",
    "receivables_by_age",
    "focus",
];

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn lists(options: &StoreOptions) -> ClickHouse {
    ClickHouse {
        address: options.url.trim_start_matches("http://").to_owned(),
        database: options.database.clone(),
        user: options.user.clone(),
        password: options.password.clone(),
        deadline: options.deadline,
    }
}

/// The rows of a list of the console's, each as its values of some fields.
async fn listed(
    lists: &dyn Lists,
    name: &str,
    fields: &[&str],
) -> Result<Vec<Vec<String>>, NoList> {
    let view = VIEWS.iter().find(|view| view.name == name).unwrap();
    let Source::List(list) = &view.source else { panic!("{name} is no list") };
    let wanted = Wanted { rows_max: 20, ..Wanted::default() };
    let rows: Vec<Row> = lists.rows(view, list, &wanted).await?;
    let text = |row: &Row, field: &str| match &row[field] {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Ok(rows.iter().map(|row| fields.iter().map(|field| text(row, field)).collect()).collect())
}

#[test]
fn every_list_of_the_console_and_every_view_can_be_read() {
    let options = engine::database();
    let (store, lists) = (Store::new(options.clone()), lists(&options));
    block_on(async {
        migrate(&store, MIGRATIONS).await.unwrap();
        for view in VIEWS {
            let Source::List(list) = &view.source else { continue };
            let wanted = Wanted { rows_max: 5, ..Wanted::default() };
            let rows = lists.rows(view, list, &wanted).await;
            assert_eq!(rows, Ok(Vec::new()), "{}", view.name);
        }
        for view in VIEWS_FOR_ANALYSTS {
            let query = format!("SELECT count() FROM (SELECT * FROM {view})");
            assert_eq!(store.rows::<u64>(&query).await, Ok(vec![0]), "{view}");
        }
    });
}

/// An hour whose 10 hours cost 3.00 in two charges (a price changed), beside calls of which each counts alike, and an
/// hour with a record that was taken back.
const TAGGED: &str = "INSERT INTO usage (account, source, id, product, meter, quantity, time, tags, _partition, _offset, _index) VALUES
 ('a', 's', '1', 'compute', 'hours', 6, '2026-03-02 10:05:00', {'team': 'red', 'env': 'test'}, 0, 1, 0),
 ('a', 's', '2', 'compute', 'hours', 3, '2026-03-02 10:06:00', {'team': 'blue'}, 0, 1, 1),
 ('a', 's', '3', 'compute', 'hours', 1, '2026-03-02 10:59:00', {}, 0, 2, 0),
 ('a', 's', '4', 'compute', 'calls', 7, '2026-03-02 10:00:00', {'team': 'red'}, 0, 3, 0),
 ('a', 's', '5', 'compute', 'calls', 0, '2026-03-02 10:01:00', {'team': 'blue'}, 0, 4, 0),
 ('a', 's', '6', 'compute', 'hours', 5, '2026-03-02 11:00:00', {'team': 'red'}, 0, 5, 0),
 ('a', 's', '7', 'compute', 'hours', 5, '2026-03-02 11:00:00', {'team': 'red'}, 0, 6, 0);
INSERT INTO charges (account, billing_account, product, meter, used, quantity, charge, records, usage_partition, first_offset, last_offset, voids) VALUES
 ('a', 'ba', 'compute', 'hours', '2026-03-02 10:05:00', 9, 2.70, 2, 0, 1, 1, NULL),
 ('a', 'ba', 'compute', 'hours', '2026-03-02 10:59:00', 1, 0.30, 1, 0, 2, 2, NULL),
 ('a', 'ba', 'compute', 'calls', '2026-03-02 10:00:00', 2, 0.10, 2, 0, 3, 4, NULL),
 ('a', 'ba', 'compute', 'hours', '2026-03-02 11:00:00', 10, 1.50, 2, 0, 5, 6, NULL),
 ('a', 'ba', 'compute', 'hours', '2026-03-02 11:00:00', -5, -0.75, -1, 0, 5, 5, 0);
";

/// R13.1: what a team spent, though charges are those of many records.
#[test]
fn r13_1_spend_is_told_by_tags() {
    let store = Store::new(engine::database());
    let rows = [MIGRATIONS, &[Migration { number: 3, name: "0003_rows", text: TAGGED }]].concat();
    block_on(async {
        migrate(&store, &rows).await.unwrap();
        let query = "SELECT tag, value, toString(charge), records FROM spend_by_tag WHERE billing_account = 'ba' AND month = '2026-03' ORDER BY tag, value";
        let found = store.rows::<(String, String, String, u64)>(query).await.unwrap();
        let found: Vec<_> = found.iter().map(|(t, v, c, n)| (&**t, &**v, &**c, *n)).collect();
        // Red: 6 of 10 of 3.00, one of two calls of 0.10, and what is left of the second hour.
        let expected =
            [("env", "test", "1.8", 1), ("team", "blue", "0.95", 2), ("team", "red", "2.6", 3)];
        assert_eq!(found, expected);
    });
}

#[test]
fn migrations_are_run_once_and_refused_by_name_if_changed_or_later() {
    let store = Store::new(engine::database());
    let made = |number, name, text| Migration { number, name, text };
    let first = made(1, "0001_one", "CREATE TABLE one (a UInt8) ENGINE = MergeTree ORDER BY a;\n");
    let second = made(2, "0002_two", "INSERT INTO one VALUES (2);\nINSERT INTO one VALUES (3);\n");
    block_on(async {
        migrate(&store, &[first]).await.unwrap();
        for _ in 0..2 {
            migrate(&store, &[first, second]).await.unwrap();
        }
        let sum = store.rows::<u64>("SELECT sum(a) FROM one").await;
        assert_eq!(sum, Ok(vec![5]), "the second file was run once");
        let changed = made(2, "0002_two", "INSERT INTO one VALUES (4);\n");
        for (migrations, name) in [(&[first, changed][..], "0002_two"), (&[first], "0002_two")] {
            let refused = migrate(&store, migrations).await;
            let Err(Trouble::Permanent(why)) = refused else { panic!("{refused:?}") };
            assert!(why.contains(name), "{why}");
        }
    });
}

#[test]
fn a_database_belongs_to_one_installation() {
    let options = engine::database();
    let (store, lists) = (Store::new(options.clone()), lists(&options));
    let (ours, theirs) = (
        OwnLists::new(lists.clone(), "ours".to_owned()),
        OwnLists::new(lists, "theirs".to_owned()),
    );
    block_on(async {
        let Err(NoList::Away(why)) = listed(&ours, "bills", &["bill"]).await else { panic!() };
        assert!(why.contains("not filled yet") && why.contains("worker analytics"), "{why}");
        for _ in 0..2 {
            claim(&store, "ours").await.unwrap();
            migrate(&store, MIGRATIONS).await.unwrap();
        }
        let refused = claim(&store, "theirs").await;
        let Err(Trouble::Permanent(why)) = refused else { panic!("{refused:?}") };
        let says = [&options.database, "another installation", "clickhouse.database", "drop"];
        assert!(says.iter().all(|text| why.contains(text)), "{why}");
        assert_eq!(listed(&ours, "bills", &["bill"]).await, Ok(Vec::new()));
        let Err(NoList::Away(why)) = listed(&theirs, "bills", &["bill"]).await else { panic!() };
        let says = [&options.database, "another installation", "clickhouse.database"];
        assert!(says.iter().all(|text| why.contains(text)), "{why}");
    });
}

/// A card paid 70 of a bill at its threshold and brought 5 too much, was checked at its link, and topped up 20.
const PAID: &str = "INSERT INTO balance (billing_account, at, currency) VALUES ('ba', '2026-03-01 00:00:00', 'USD');
INSERT INTO payments (payment, billing_account, status, cause, amount, currency, method, begun_at, at, bills) VALUES
 ('p1', 'ba', 'succeeded', 'preauthorisation', 1, 'USD', 'visa', '2026-03-01 00:00:00', '2026-03-01 00:00:00', []),
 ('p2', 'ba', 'pending', 'threshold', 75, 'USD', 'visa', '2026-03-02 00:00:00', '2026-03-02 00:00:00', ['b1']),
 ('p2', 'ba', 'succeeded', 'threshold', 75, 'USD', 'visa', '2026-03-02 00:00:00', '2026-03-02 00:00:01', ['b1']),
 ('p3', 'ba', 'succeeded', 'top_up', 20, 'USD', 'visa', '2026-03-03 00:00:00', '2026-03-03 00:00:00', []),
 ('p4', 'ba', 'declined', 'threshold', 30, 'USD', 'visa', '2026-03-04 00:00:00', '2026-03-04 00:00:00', ['b2']);
INSERT INTO entries (billing_account, number, at, asset, lot, before, amount, after, cause) VALUES
 ('ba', 1, '2026-03-02 00:00:01', 'cash', 'own', 0, 5, 5, 'payment'),
 ('ba', 2, '2026-03-03 00:00:00', 'cash', 'own', 5, 20, 25, 'top_up'),
 ('ba', 3, '2026-03-05 00:00:00', 'cash', 'own', 25, -15, 10, 'bill');
INSERT INTO entries (billing_account, number, at, asset, lot, before, amount, after, cause, remark) VALUES
 ('ba', 4, '2026-03-06 00:00:00', 'credit_refund', '2026-03', 0, 7, 7, 'refund', 'o-1');
INSERT INTO charges (account, billing_account, product, meter, region, used, quantity, charge, records) VALUES
 ('a', 'ba', 'compute', 'm', NULL, '2026-03-02 00:00:00', 1, 2.5, 1),
 ('a', 'ba', 'compute', 'n', NULL, '2026-03-03 00:00:00', 1, 1.5, 1),
 ('a', 'ba', 'compute', 'm', 'eu', '2026-03-03 00:00:00', 1, 4, 3);
INSERT INTO bills_issued (bill, billing_account, account, product, month, cycle_end, amount, currency, issued_at, invoice) VALUES
 ('b1', 'ba', 'a', 'compute', '2026-03', '2026-03-02 00:00:00', 70, 'USD', '2026-03-02 00:00:00', NULL),
 ('b2', 'ba', 'a', 'compute', '2026-03', '2026-03-16 00:00:00', 30, 'USD', '2026-03-16 00:00:02', NULL),
 ('b3', 'ba', 'a', 'compute', '2026-03', '2026-03-16 01:00:00', 8, 'USD', '2026-03-16 01:00:02', NULL),
 ('b4', 'ba', 'a', 'tax', '2026-03', '2026-03-16 00:01:00', 9, 'USD', '2026-03-16 00:01:00', 'SG-1');
-- One that a threshold issued before its cycle ended, and an order of the next period's first instant.
INSERT INTO bills_issued (bill, billing_account, account, product, month, cycle_end, amount, currency, issued_at, `order`) VALUES
 ('b5', 'ba', 'a', 'compute', '2026-03', '2026-04-01 00:00:00', 5, 'USD', '2026-03-15 12:00:00', NULL),
 ('b6', 'ba', 'a', NULL, '2026-03', '2026-03-16 00:00:00', 40, 'USD', '2026-03-16 00:00:00', 'o-2');
INSERT INTO bill_payments (bill, billing_account, at, amount) VALUES
 ('b1', 'ba', '2026-03-02 00:00:01', 70), ('b2', 'ba', '2026-03-16 00:00:03', 15);
INSERT INTO invoices (number, type, billing_account, `from`, until, issued_at, net, tax, total) VALUES
 ('SG-1', 'invoice', 'ba', '2026-03-01 00:00:00', '2026-03-16 00:00:00', '2026-03-16 00:01:00', 105, 9, 114);
INSERT INTO bills_issued (bill, billing_account, account, product, month, cycle_end, amount, currency, issued_at) VALUES
 ('b7', 'late', 'l', 'compute', '2026-03', '2026-03-02 00:00:00', 12, 'USD', '2026-03-02 00:00:00');
INSERT INTO bill_payments (bill, billing_account, at, amount) VALUES ('b7', 'late', '2026-03-02 00:00:01', 12);
INSERT INTO invoices (number, type, billing_account, `from`, until, issued_at, net, tax, total, lines) VALUES
 ('SG-2', 'invoice', 'late', '2026-03-01 00:00:00', '2026-03-16 00:00:00', '2026-03-16 00:02:00', 10, 1, 11,
  [('coupons', NULL, NULL, NULL, NULL, NULL, NULL, -2, NULL)]),
 ('SG-3', 'invoice', 'later', '2026-03-01 00:00:00', '2026-03-16 00:00:00', '2026-03-16 00:03:00', 10, 1, 11,
  [('coupons', NULL, NULL, NULL, NULL, NULL, NULL, -2, NULL)]);
";

#[test]
fn money_that_cards_brought_is_counted_once_and_a_check_moves_none() {
    let options = engine::database();
    let (store, lists) = (Store::new(options.clone()), lists(&options));
    let rows = [MIGRATIONS, &[Migration { number: 3, name: "0003_rows", text: PAID }]].concat();
    let texts = |rows: &[&[&str]]| -> Vec<Vec<String>> {
        rows.iter().map(|row| row.iter().map(|text| (*text).to_owned()).collect()).collect()
    };
    block_on(async {
        migrate(&store, &rows).await.unwrap();
        // Cash got 5 and 20 and lost 15, 7 was given back as credit; 70 came from the card and went to the bill at once.
        let months = listed(&lists, "money_by_month", &["month", "money_in", "money_out"]).await;
        assert_eq!(months, Ok(texts(&[&["2026-03", "102", "-85"]])), "R4.4");
        let flow = "SELECT cause, toString(sum(money_in)), toString(sum(money_out)) FROM cash_flow GROUP BY cause ORDER BY cause";
        let flow = store.rows::<(String, String, String)>(flow).await.unwrap();
        let flow: Vec<_> =
            flow.iter().map(|(c, i, o)| (c.as_str(), i.as_str(), o.as_str())).collect();
        let expected = [
            ("bill", "0", "-15"),
            ("payment", "5", "0"),
            ("threshold", "70", "-70"),
            ("top_up", "20", "0"),
        ];
        assert_eq!(flow, expected);
        let payments = listed(&lists, "payments", &["payment", "amount", "moved"]).await;
        let expected =
            [&["p4", "30", "0"], &["p3", "20", "20"], &["p2", "75", "75"], &["p1", "1", "0"]];
        assert_eq!(payments, Ok(texts(&expected.map(|row| &row[..]))));
        // 15 and 5 of the usage and all of the tax; what was used and ordered in the next period is another invoice's.
        let invoices = listed(&lists, "invoices", &["number", "paid", "open", "status"]).await;
        // Of SG-2 the bill over the tax has not come yet, of SG-3 none.
        let expected = [
            &["SG-3", "0", "11", "open"],
            &["SG-2", "10", "1", "partly_paid"],
            &["SG-1", "85", "29", "partly_paid"],
        ];
        assert_eq!(invoices, Ok(texts(&expected.map(|row| &row[..]))));
        // R13.1: the half of b2, b3, b5, the order and the tax are due.
        let spend = listed(&lists, "spend", &["month", "net", "tax", "total", "due"]).await;
        let expected = [&["2026-03", "12", "0", "12", "0"], &["2026-03", "153", "9", "162", "77"]];
        assert_eq!(spend, Ok(texts(&expected.map(|row| &row[..]))));
        let by = &["month", "account", "product", "region", "charge", "records"];
        let expected = [
            ["2026-03", "a", "compute", "eu", "4", "3"],
            ["2026-03", "a", "compute", "", "4", "2"],
        ];
        let by = listed(&lists, "spend_by", by).await;
        assert_eq!(by, Ok(texts(&expected.each_ref().map(|row| &row[..]))));
        let refunds = listed(&lists, "refunds", &["order", "asset", "amount", "status"]).await;
        assert_eq!(refunds, Ok(texts(&[&["o-1", "credit_refund", "7", "done"]])));
    });
}

//! The tables and views on the real engine: made once, held to their files, and fit for what is read of them.

use drawdown_analytics::{MIGRATIONS, Migration, Store, Trouble, migrate};
use drawdown_console::{ClickHouse, Lists, Source, VIEWS, Wanted};

use super::engine;

/// What analysts ask for, beside the tables.
const VIEWS_FOR_ANALYSTS: [&str; 13] = [
    "bills",
    "money_by_month",
    "usage_standing",
    "spend_by_day",
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

#[test]
fn every_list_of_the_console_and_every_view_can_be_read() {
    let options = engine::database();
    let store = Store::new(options.clone());
    let lists = ClickHouse {
        address: options.url.trim_start_matches("http://").to_owned(),
        database: options.database.clone(),
        user: options.user.clone(),
        password: options.password.clone(),
        deadline: options.deadline,
    };
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

//! The `clickhouse` crate, unchanged.

use clickhouse::error::Error;
use clickhouse::{Client, Compression, Row};
use serde::{Deserialize, Serialize};

use crate::{block_on, url};

#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
struct Line {
    number: u64,
    text: String,
}

fn client(compression: Compression) -> Client {
    Client::default().with_url(url()).with_compression(compression)
}

async fn make(client: &Client, table: &str) {
    let statement = format!(
        "CREATE TABLE {table} (number UInt64, text String) ENGINE = MergeTree ORDER BY number
         SETTINGS non_replicated_deduplication_window = 100"
    );
    client.query(&statement).execute().await.unwrap();
}

async fn insert(client: &Client, table: &str, lines: &[Line]) -> Result<(), Error> {
    let mut insert = client.insert::<Line>(table).await?;
    for line in lines {
        insert.write(line).await?;
    }
    insert.end().await
}

async fn counted(client: &Client, table: &str) -> (u64, u64) {
    let statement = format!("SELECT count(), sum(length(text)) FROM {table}");
    client.query(&statement).fetch_one().await.unwrap()
}

/// In binary rows two bytes 0A are nothing unusual; as inline data they would end the rows.
#[test]
fn rows_full_of_line_feeds_arrive_whole() {
    const LINE_FEEDS: u64 = 0x0A0A_0A0A_0A0A_0A0A;
    let lines: Vec<Line> = (0..20_000)
        .map(|length| Line { number: LINE_FEEDS, text: "\n".repeat(length % 40) })
        .collect();
    let bytes: u64 = lines.iter().map(|line| line.text.len() as u64).sum();
    for (compression, table) in [(Compression::Lz4, "feeds_lz4"), (Compression::None, "feeds")] {
        block_on(async {
            let client = client(compression);
            make(&client, table).await;
            insert(&client, table, &lines).await.unwrap();
            assert_eq!(counted(&client, table).await, (20_000, bytes), "{table}");
            let statement = format!("SELECT number, text FROM {table} ORDER BY length(text)");
            let back = client.query(&statement).fetch_all::<Line>().await.unwrap();
            let mut expected = lines.clone();
            expected.sort_by_key(|line| line.text.len());
            assert!(back == expected, "{table}");
        });
    }
}

#[test]
fn a_block_that_is_sent_again_under_its_token_is_inserted_once() {
    block_on(async {
        let client = client(Compression::Lz4);
        make(&client, "tokens").await;
        let line = |number| Line { number, text: "a".to_owned() };
        for (token, number) in [("one", 1), ("one", 1), ("two", 2), ("one", 1)] {
            let client = client.clone().with_setting("insert_deduplication_token", token);
            insert(&client, "tokens", &[line(number)]).await.unwrap();
        }
        assert_eq!(counted(&client, "tokens").await.0, 2);
        // Without a token, equal rows are other rows.
        let client = client.with_setting("insert_deduplicate", "0");
        insert(&client, "tokens", &[line(1)]).await.unwrap();
        assert_eq!(counted(&client, "tokens").await.0, 3);
    });
}

#[test]
fn rows_that_are_formatted_already_are_inserted() {
    block_on(async {
        let client = client(Compression::Lz4);
        make(&client, "formatted").await;
        let statement = "INSERT INTO formatted (number, text) FORMAT JSONEachRow";
        let mut insert = client.insert_formatted_with(statement).buffered();
        for number in 0..1_000 {
            insert
                .write_buffered(format!("{{\"number\":{number},\"text\":\"x\\n\"}}\n").as_bytes());
        }
        insert.end().await.unwrap();
        assert_eq!(counted(&client, "formatted").await, (1_000, 2_000));
    });
}

#[track_caller]
fn check_refused(refused: Error, code: &str) {
    match refused {
        Error::BadResponse(text) => {
            assert!(text.starts_with(&format!("Code: {code}. DB::Exception: ")), "{text}")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn errors_come_as_errors_wherever_they_happen() {
    block_on(async {
        let client = client(Compression::Lz4);
        let unknown = client.query("SELECT nope").fetch_one::<u8>().await;
        check_refused(unknown.unwrap_err(), "47");
        let setting = client.clone().with_setting("max_threds", "1");
        check_refused(setting.query("SELECT 1").fetch_one::<u8>().await.unwrap_err(), "115");
        let missing = client.query("INSERT INTO missing SELECT 1").execute().await;
        check_refused(missing.unwrap_err(), "60");
    });
    // In the middle of rows that are on their way already.
    for compression in [Compression::Lz4, Compression::None] {
        block_on(async {
            let statement =
                "SELECT toUInt64(number + throwIf(number = 3000000)) FROM numbers(4000000)";
            let mut cursor = client(compression).query(statement).fetch::<u64>().unwrap();
            let mut rows = 0;
            let failed = loop {
                match cursor.next().await {
                    Ok(Some(_)) => rows += 1,
                    Ok(None) => panic!("no error after {rows} rows"),
                    Err(error) => break error,
                }
            };
            assert!(rows > 100_000, "the answer did not begin before the error: {rows} rows");
            check_refused(failed, "395");
        });
    }
}

/// An insert whose client goes away in the middle inserts nothing.
#[test]
fn rows_that_are_not_whole_are_not_inserted() {
    block_on(async {
        let client = client(Compression::None);
        make(&client, "halves").await;
        let mut half = client.insert_formatted_with("INSERT INTO halves FORMAT CSV");
        for number in 0..50 {
            half.send(format!("{number},text\n").repeat(1_000).into()).await.unwrap();
        }
        drop(half);
        insert(&client, "halves", &[Line { number: 1, text: String::new() }]).await.unwrap();
        // Nothing of it is under way any more when its thread has seen that its client is gone.
        loop {
            let running =
                "SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO halves%'";
            if client.query(running).fetch_one::<u64>().await.unwrap() == 0 {
                break;
            }
        }
        assert_eq!(counted(&client, "halves").await, (1, 0));
    });
}

#[test]
fn queries_are_answered_while_rows_are_inserted() {
    block_on(async {
        let client = client(Compression::Lz4);
        make(&client, "busy").await;
        let inserting = async {
            for block in 0..10 {
                let numbers = block * 50_000..(block + 1) * 50_000;
                let lines = numbers.map(|number| Line { number, text: "text".to_owned() });
                insert(&client, "busy", &lines.collect::<Vec<_>>()).await.unwrap();
            }
        };
        let asking = async |name: usize| {
            let mut last = 0;
            while last < 500_000 {
                let (count, _) = counted(&client, "busy").await;
                assert!(count >= last && count % 50_000 == 0, "{name} saw {count} after {last}");
                last = count;
            }
        };
        tokio::join!(inserting, asking(1), asking(2), asking(3), asking(4));
    });
}

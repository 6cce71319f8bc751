//! What the protocol says beyond what those clients use, by bare HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::url;

/// A request, and its whole answer: head and body.
fn ask(method: &str, target: &str, headers: &[&str], body: &[u8]) -> (String, String) {
    let address = url().strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(&address).unwrap();
    let mut request = format!(
        "{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    headers.iter().for_each(|header| request.push_str(&format!("{header}\r\n")));
    stream.write_all(format!("{request}\r\n").as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), unchunked(head, body))
}

fn unchunked(head: &str, mut body: &str) -> String {
    if !head.contains("transfer-encoding: chunked") {
        return body.to_owned();
    }
    let mut whole = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        whole.push_str(&rest[..length]);
        body = rest[length..].strip_prefix("\r\n").unwrap();
        if length == 0 {
            break;
        }
    }
    whole
}

#[track_caller]
fn check(method: &str, target: &str, body: &str, status: &str, expected: &str) {
    let (head, answer) = ask(method, target, &[], body.as_bytes());
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{target} {body}: {head}\n{answer}");
    assert!(answer.starts_with(expected), "{target} {body}: {answer}");
}

#[test]
fn statements_stand_in_the_address_or_the_body() {
    check("GET", "/ping", "", "200", "Ok.\n");
    check("GET", "/", "", "200", "Ok.\n");
    check("GET", "/?query=SELECT%201", "", "200", "1\n");
    check("POST", "/", "SELECT 1 FORMAT CSV;", "200", "1\n");
    check("POST", "/?query=SELECT", "2", "200", "2\n");
    check("POST", "/?default_format=JSONEachRow", "SELECT 1 AS x", "200", "{\"x\":1}\n");
    check("POST", "/?param_x=a%5Ctb", "SELECT {x:String}", "200", "a\\tb\n");
    check("POST", "/?database=system", "SELECT currentDatabase()", "200", "system\n");
    check("POST", "/?max_threads=5", "SELECT getSetting('max_threads')", "200", "5\n");
    check("POST", "/?wait_end_of_query=1", "SELECT 3", "200", "3\n");
}

/// The engine makes several blocks of so many rows.
#[test]
fn what_stands_around_the_rows_stands_there_once() {
    let rows = "SELECT number FROM numbers(200000) FORMAT";
    let ask = |format: &str| ask("POST", "/", &[], format!("{rows} {format}").as_bytes()).1;
    let csv = ask("CSVWithNames");
    assert_eq!(csv.lines().count(), 200_001);
    assert_eq!(csv.matches("number").count(), 1, "one line of names");
    let json: serde_json::Value = serde_json::from_str(&ask("JSON")).unwrap();
    assert_eq!(json["rows"], 200_000);
    assert_eq!(json["data"].as_array().unwrap().len(), 200_000);
    assert_eq!(ask("TSV").lines().count(), 200_000);
    let array = "/?output_format_json_array_of_rows=1";
    let (_, array) = self::ask("POST", array, &[], format!("{rows} JSONEachRow").as_bytes());
    let array: Vec<serde_json::Value> = serde_json::from_str(&array).unwrap();
    assert_eq!(array.len(), 200_000);
    let set = format!("{rows} JSONEachRow SETTINGS output_format_json_array_of_rows = 1");
    let (_, array) = self::ask("POST", "/", &[], set.as_bytes());
    assert_eq!(serde_json::from_str::<Vec<serde_json::Value>>(&array).unwrap().len(), 200_000);
}

#[test]
fn what_is_wrong_has_its_code_and_status() {
    check("POST", "/?database=nowhere", "SELECT 1", "404", "Code: 81. DB::Exception");
    check("POST", "/", "SELEC 1", "400", "Code: 62. DB::Exception");
    check(
        "POST",
        "/",
        "SELECT 1; DROP TABLE x",
        "400",
        "Code: 62. DB::Exception: Multi-statements",
    );
    check("GET", "/?query=CREATE%20TABLE%20x%20(a%20Int8)", "", "500", "Code: 164. DB::Exception");
    check("POST", "/?param_x=a", "SELECT {x:UInt8}", "400", "Code: 457. DB::Exception");
    check("POST", "/?x'y=1", "SELECT 1", "500", "Code: 36. DB::Exception");
    check(
        "POST",
        "/?decompress=1",
        "SELECT 1 this is no block of ClickHouse",
        "500",
        "Code: 271. ",
    );
    let late = "SELECT throwIf(number = 3000000) FROM numbers(4000000)";
    check("POST", "/?wait_end_of_query=1", late, "500", "Code: 395. DB::Exception");
    let (head, _) = ask("POST", "/", &[], b"SELECT nope");
    assert!(head.contains("x-clickhouse-exception-code: 47"), "{head}");
    let long = format!("SELECT '{}'", "x".repeat(5 * 1024 * 1024));
    check("POST", "/", &long, "400", "Code: 62. DB::Exception");
}

#[test]
fn answers_say_which_query_and_format_they_are() {
    let (head, _) = ask("POST", "/?query_id=mine", &[], b"SELECT 1 FORMAT JSON");
    for header in ["x-clickhouse-query-id: mine", "x-clickhouse-format: JSON", "application/json"] {
        assert!(head.contains(header), "{header} is not in {head}");
    }
    ask("POST", "/", &[], b"CREATE TABLE summed (a UInt8) ENGINE = Memory");
    let (head, _) = ask("POST", "/?query=INSERT%20INTO%20summed%20FORMAT%20CSV", &[], b"1\n2\n3\n");
    assert!(head.contains("\"written_rows\":\"3\""), "{head}");
}

#[test]
fn a_session_keeps_what_is_its_own_and_no_setting_of_a_request() {
    let session = "/?session_id=mine&session_timeout=60";
    check("POST", session, "CREATE TEMPORARY TABLE kept (a UInt8)", "200", "");
    check("POST", session, "INSERT INTO kept VALUES (7)", "200", "");
    check("POST", session, "SELECT a FROM kept", "200", "7\n");
    check("POST", "/", "SELECT a FROM kept", "404", "Code: 60. ");
    check("POST", "/?session_id=other&session_check=1", "SELECT 1", "404", "Code: 372. ");
    let with_setting = format!("{session}&max_block_size=123");
    check("POST", &with_setting, "SELECT getSetting('max_block_size')", "200", "123\n");
    check("POST", session, "SELECT getSetting('max_block_size') = 123", "200", "0\n");
    // What a failed select has put out is not said with the next answer.
    check("POST", session, "SELECT throwIf(number = 9) FROM numbers(10)", "500", "Code: 395. ");
    check("POST", session, "SELECT 'clean'", "200", "clean\n");
}

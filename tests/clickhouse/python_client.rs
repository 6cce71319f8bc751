//! `clickhouse-connect` of the Python package index, unchanged.

use std::process::Command;

use drawdown_components::clickhouse_connect;

use crate::url;

const SCRIPT: &str = r#"
import datetime, decimal, sys
import clickhouse_connect
from clickhouse_connect.driver.exceptions import DatabaseError

host, port = sys.argv[1].removeprefix("http://").split(":")
columns = ["a", "d", "t", "s"]
rows = [[i, decimal.Decimal("1.5"), datetime.datetime(2026, 1, 1), "\n\n" * (i % 20)] for i in range(5000)]
for number, compress in enumerate([True, False, "lz4", "zstd", "gzip"]):
    client = clickhouse_connect.get_client(host=host, port=int(port), compress=compress)
    table = f"python_{number}"
    client.command(f"CREATE TABLE {table} (a UInt64, d Decimal(38, 12), t DateTime64(6, 'UTC'), s String) ENGINE = MergeTree ORDER BY a")
    summary = client.insert(table, rows, column_names=columns)
    assert summary.written_rows == 5000, summary.summary
    back = client.query(f"SELECT a, d, t, s FROM {table} ORDER BY a").result_rows
    assert [list(row) for row in back] == rows, compress
    assert len(client.query("SELECT number FROM numbers(300000)").result_rows) == 300000
    text = "it's a\nline\t\\ and \u00e9"
    assert client.query("SELECT {v:String}", parameters={"v": text}).result_rows == [(text,)]
    assert client.query("SELECT getSetting('max_threads')", settings={"max_threads": 3}).result_rows == [(3,)]
    client.command("CREATE TEMPORARY TABLE mine (x UInt8)")
    client.insert("mine", [[7]], column_names=["x"])
    assert client.query("SELECT x FROM mine").result_rows == [(7,)]
    for wrong, code in [("SELECT nope", "47"), ("SELEC 1", "62"), ("SELECT * FROM missing", "60")]:
        try:
            client.query(wrong)
        except DatabaseError as error:
            assert f"code: {code}" in str(error), error
        else:
            raise AssertionError(f"{wrong} was not refused")
print("done")
"#;

#[test]
fn python_inserts_and_asks() {
    let output =
        Command::new(clickhouse_connect().unwrap()).args(["-c", SCRIPT, &url()]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && output.stdout == b"done\n", "{said}");
}

//! `drawdown ingest` through the API.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use drawdown_wire::avro::{put_bytes, put_long};
use drawdown_wire::usage::{Writer, from_json};
use serde_json::json;

use super::canned::Canned;
use super::{drawdown, opened, said, told, well};
use crate::end_to_end::analytics::engine::answer;
use crate::end_to_end::console::rig::Rig;

fn line(rig: &Rig, id: &str) -> String {
    json!({ "source": "test", "id": id, "account": "acme", "product": "compute",
        "meter": "vcpu_hours", "quantity": "2", "time": rig.clock.now() })
    .to_string()
}

/// A file as an analyst's engine writes it.
fn parquet(rig: &Rig, id: &str) -> Vec<u8> {
    let now = rig.clock.now();
    answer(&format!(
        "SELECT 'test' AS source, '{id}' AS id, 'acme' AS account, 'compute' AS product, 'vcpu_hours' AS meter, \
         toDecimal128('2', 10) AS quantity, parseDateTime64BestEffort('{now}', 6, 'UTC') AS time, \
         map('team', 'red') AS tags FORMAT Parquet"
    ))
}

#[test]
fn usage_is_sent_from_files_of_every_kind_and_counted_once() {
    let rig = Rig::new();
    rig.priced();
    opened(&rig);
    let now = rig.clock.now();
    let path = |name: &str| rig.folder.path().join(name);
    fs::write(path("a.ndjson"), format!("{}\nnonsense\n{}\n", line(&rig, "1"), line(&rig, "2")))
        .unwrap();
    let csv = format!(
        "id,source,account,product,meter,quantity,time,tag.team\n3,test,acme,compute,vcpu_hours,2,{now},red\n4,test,acme,compute,vcpu_hours,two,{now},\n5,test,acme,compute,vcpu_hours,2,{now},\n"
    );
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(csv.as_bytes()).unwrap();
    fs::write(path("b.csv.gz"), packed.finish().unwrap()).unwrap();
    let mut avro = b"Obj\x01".to_vec();
    put_long(&mut avro, 1);
    put_bytes(&mut avro, b"avro.schema");
    put_bytes(&mut avro, Writer::schema().to_string().as_bytes());
    put_long(&mut avro, 0);
    avro.extend_from_slice(&[7; 16]);
    put_long(&mut avro, 1);
    put_bytes(&mut avro, &from_json(line(&rig, "6").as_bytes()).unwrap());
    avro.extend_from_slice(&[7; 16]);
    fs::write(path("c.avro"), &avro).unwrap();
    fs::write(path("d.parquet"), parquet(&rig, "8")).unwrap();

    let files = ["a.ndjson", "b.csv.gz", "c.avro", "d.parquet"]
        .map(|name| path(name).display().to_string());
    for _ in 0..2 {
        let all: Vec<&str> =
            ["ingest"].into_iter().chain(files.iter().map(String::as_str)).collect();
        let (out, err) = said(&drawdown(rig.client.port, &all).output().unwrap(), 1);
        assert!(out.contains("a.ndjson line 2: malformed: "), "{out}");
        assert!(out.contains("b.csv.gz line 3: malformed: quantity \"two\""), "{out}");
        assert!(out.contains("6 records sent, 2 malformed"), "{out}");
        assert!(err.contains("is no usage record; mend it"), "{err}");
    }
    let mut piped =
        drawdown(rig.client.port, &["ingest", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    piped.stdin.take().unwrap().write_all(line(&rig, "7").as_bytes()).unwrap();
    said(&piped.wait_with_output().unwrap(), 0);
    let row = rig.await_row("balance", "ba-acme", |row| row["available"] == "93");
    assert_eq!(row["unsettled_current"], "7", "R2.2: seven records of 2 at 0.50, each once: {row}");

    let text = path("usage.txt");
    fs::write(&text, "what is this").unwrap();
    let unknown = told(&rig, &format!("ingest {}", text.display()), 1);
    assert!(unknown.contains("say --format ndjson, csv, avro or parquet"), "{unknown}");
    let packed = path("packed.parquet.gz");
    let mut gz = flate2::write::GzEncoder::new(
        fs::File::create(&packed).unwrap(),
        flate2::Compression::fast(),
    );
    gz.write_all(&parquet(&rig, "9")).unwrap();
    gz.finish().unwrap();
    let packed = told(&rig, &format!("ingest {}", packed.display()), 1);
    assert!(packed.contains("Parquet is read from its end"), "{packed}");
    let away = told(&rig, "ingest away.ndjson", 1);
    assert!(away.contains("away.ndjson") && away.contains("No such file"), "{away}");
    let folder = told(&rig, &format!("ingest {}", rig.folder.path().display()), 1);
    assert!(folder.contains("it is a folder"), "{folder}");
    assert!(well(&rig, "ingest --help").contains("Examples:"));
}

#[test]
fn a_server_that_is_busy_is_asked_again_when_it_says() {
    let busy = ("429 Too Many Requests\r\nretry-after: 1", r#"{"code":"busy","detail":"wait"}"#);
    let taken =
        ("200 OK", r#"{"accepted":1,"malformed_count":1,"malformed":[{"line":2,"why":"odd"}]}"#);
    let canned = Canned::new(&[busy, ("", ""), taken]);
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("u.ndjson");
    let record = r#"{"source":"s","id":"1","account":"a","product":"p","meter":"m","quantity":"1","time":"2026-03-01T00:00:00Z"}"#;
    fs::write(&file, format!("\n{record}\n\n{record}\n")).unwrap();
    let arguments = ["ingest", &file.display().to_string()];
    let (out, _) = said(&drawdown(canned.port, &arguments).output().unwrap(), 1);
    assert!(out.contains("u.ndjson line 4: malformed: odd"), "{out}");
    let asked = canned.asked();
    let body = |request: &str| request.split_once("\r\n\r\n").unwrap().1.to_owned();
    assert_eq!(body(&asked[0]), format!("{record}\n{record}\n"));
    assert!(body(&asked[0]) == body(&asked[1]) && body(&asked[1]) == body(&asked[2]));
    let gone =
        Canned::new(&[("401 Unauthorized", r#"{"code":"not_authenticated","detail":"no key"}"#)]);
    let (_, err) = said(&drawdown(gone.port, &arguments).output().unwrap(), 1);
    assert!(err.contains("0 records sent before; send all again"), "{err}");
    assert!(err.contains("not_authenticated") && err.contains("--key"), "{err}");
    gone.asked();
}

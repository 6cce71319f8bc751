//! Usage, however it comes.

use std::io::Cursor;

use bytes::Bytes;
use drawdown_files::{NotRead, Visit};
use drawdown_wire::usage::packing::check;
use drawdown_wire::usage::{Read, Writer, each_record, from_json, packed_message, put_json};

/// What is shown as a record in its canonical form is accepted as one or refused for what it says, by the check before
/// sending and behind it alike; and written as JSON it comes back as the same bytes, if its time is of a year that RFC 3339
/// knows.
fn holds(canonical: &[u8]) {
    let (mut seen, mut is_usage, mut is_dated) = (0, false, false);
    each_record(&packed_message(1, canonical), |_, read| {
        seen += 1;
        is_usage = read.usage().is_ok();
        if let Ok(usage) = read.usage() {
            is_dated = usage.time.to_string().parse() == Ok(usage.time);
            let mut again = Vec::new();
            read.put_canonical(&mut again).unwrap();
            assert_eq!(again, canonical, "a canonical form has another");
        }
    });
    assert_eq!((seen, is_usage), (1, check(canonical).is_ok()));
    if is_dated {
        let mut json = Vec::new();
        put_json(&mut json, canonical).unwrap();
        assert_eq!(
            from_json(&json).as_deref(),
            Ok(canonical),
            "{}",
            String::from_utf8_lossy(&json)
        );
    }
}

fn read(read: &Read<'_>) {
    let mut canonical = Vec::new();
    let is_put = read.put_canonical(&mut canonical).is_ok();
    assert_eq!(is_put, read.usage().is_ok());
    if is_put {
        holds(&canonical);
    }
}

/// Messages of the topic `usage`: single, packed, of a released schema, JSON.
pub(crate) fn messages(bytes: &[u8]) {
    let mut next = 0;
    each_record(bytes, |place, record| {
        assert_eq!(place, next);
        next += 1;
        read(&record);
    });
    assert!(next > 0 || drawdown_wire::avro::split_header(bytes).is_some());
}

pub(crate) fn json(bytes: &[u8]) {
    if let Ok(canonical) = from_json(bytes) {
        holds(&canonical);
    }
}

/// Each record has a place of its own, behind those before.
fn numbered(read: impl FnOnce(Visit<'_>) -> Result<(), NotRead>) {
    let mut last = 0;
    file(|visit| {
        read(&mut |place, record| {
            assert!(place > last, "{place} comes behind {last}");
            last = place;
            visit(place, record)
        })
    });
}

/// A few bytes can say the same record a million times.
const RECORDS_MAX: u32 = 10_000;

/// Lines only ever grow. Some rows of a table can be on one, where a bare CR ends them.
fn file(read: impl FnOnce(Visit<'_>) -> Result<(), NotRead>) {
    let (mut last, mut seen) = (0, 0);
    let ended = read(&mut |place, record| {
        assert!(place >= last, "{place} comes behind {last}");
        last = place;
        if let Ok(canonical) = record {
            holds(canonical);
        }
        seen += 1;
        if seen < RECORDS_MAX { Ok(()) } else { Err(NotRead::Stopped(anyhow::anyhow!("enough"))) }
    });
    let is_stopped = matches!(ended, Err(NotRead::Stopped(_)));
    assert!(is_stopped == (seen == RECORDS_MAX), "{ended:?}");
    assert!(!matches!(ended, Err(NotRead::Input(_))), "{ended:?}");
}

pub(crate) fn ndjson(bytes: &[u8]) {
    numbered(|visit| drawdown_files::ndjson::read(&mut Cursor::new(bytes), visit));
}

pub(crate) fn csv(bytes: &[u8]) {
    file(|visit| drawdown_files::csv::read(&mut Cursor::new(bytes), visit));
}

pub(crate) fn avro(bytes: &[u8]) {
    numbered(|visit| drawdown_files::avro::read(&mut Cursor::new(bytes), visit));
}

pub(crate) fn parquet(bytes: &[u8]) {
    numbered(|visit| drawdown_files::parquet::read(Bytes::copy_from_slice(bytes), visit));
}

/// A writer's schema, a line end, and an array of its records, or one of them.
pub(crate) fn foreign_schemas(bytes: &[u8]) {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return };
    let (schema, array) = bytes.split_at(end);
    let Ok(schema) = serde_json::from_slice(schema) else { return };
    let Ok(writer) = Writer::new(&schema) else { return };
    writer.each(&array[1..], |_, record| read(&record));
    read(&writer.read(&array[1..]));
}

pub(crate) mod seeds {
    use drawdown_wire::avro::{put_bytes, put_long};
    use drawdown_wire::schemas::USAGE_RECORD;
    use drawdown_wire::usage::{Writer, from_json, packed_message};
    use serde_json::{Value, json};

    fn records() -> Vec<Value> {
        let plain = json!({ "source": "s", "id": "1", "account": "acme", "product": "p", "meter": "m",
            "quantity": "1.5", "time": "2026-03-01T00:00:00Z" });
        let mut full = plain.clone();
        full["id"] = json!("2");
        full["quantity"] = json!("-170141183460469231731687303.715884105727");
        full["region"] = json!("eu-1");
        full["unit"] = json!("hours");
        full["tags"] = json!({ "team": "a", "city": "K\u{f6}ln" });
        vec![plain, full]
    }

    fn canonical() -> Vec<Vec<u8>> {
        records().iter().map(|record| from_json(record.to_string().as_bytes()).unwrap()).collect()
    }

    pub(crate) fn messages() -> Vec<Vec<u8>> {
        let mut single = Vec::new();
        drawdown_wire::avro::put_header(&mut single, USAGE_RECORD.fingerprint());
        single.extend(canonical().concat());
        let packed = packed_message(2, &canonical().concat());
        [single, packed, packed_message(0, &[])].into_iter().chain(json()).collect()
    }

    pub(crate) fn json() -> Vec<Vec<u8>> {
        let event = json!({ "specversion": "1.0", "type": "usage", "source": "s", "id": "1",
            "subject": "acme", "time": "2026-03-01T00:00:00Z",
            "data": { "product": "p", "meter": "m", "quantity": 2 } });
        records().iter().chain([&event]).map(|record| record.to_string().into_bytes()).collect()
    }

    pub(crate) fn ndjson() -> Vec<Vec<u8>> {
        vec![json().join(&b"\n"[..]), json().join(&b"\r\n\n"[..])]
    }

    pub(crate) fn csv() -> Vec<Vec<u8>> {
        let plain = "source,id,account,product,meter,quantity,time\ns,1,acme,p,m,1.5,2026-03-01T00:00:00Z\n";
        let full = "tag.b;id;source;account;product;meter;quantity;time;region;unit\r\n\
            2;\"x;\"\"y\";s;acme;p;m;-0.5;2026-03-01T08:00:00+08:00;eu-1;\r\n";
        vec![plain.into(), full.into()]
    }

    pub(crate) fn avro() -> Vec<Vec<u8>> {
        let mut file = b"Obj\x01".to_vec();
        put_long(&mut file, 1);
        put_bytes(&mut file, b"avro.schema");
        put_bytes(&mut file, Writer::schema().to_string().as_bytes());
        put_long(&mut file, 0);
        file.extend([7; 16]);
        put_long(&mut file, 2);
        put_bytes(&mut file, &canonical().concat());
        file.extend([7; 16]);
        vec![file]
    }

    /// They stand in the corpus: nothing here writes such files.
    pub(crate) fn parquet() -> Vec<Vec<u8>> {
        Vec::new()
    }

    pub(crate) fn foreign_schemas() -> Vec<Vec<u8>> {
        let array = |records: &[u8]| {
            let mut array = Vec::new();
            put_long(&mut array, 2);
            array.extend_from_slice(records);
            put_long(&mut array, 0);
            array
        };
        let mut input = Writer::schema().to_string().into_bytes();
        input.push(b'\n');
        input.extend(array(&canonical().concat()));
        vec![input]
    }
}

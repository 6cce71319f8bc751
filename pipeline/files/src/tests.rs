use std::io::{Cursor, Write as _};

use bytes::Bytes;
use drawdown_wire::avro::{put_bytes, put_long};
use drawdown_wire::usage::packing::check;
use drawdown_wire::usage::{Writer, each_record, from_json, packed_message, put_json};
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// What a reader shows: JSON of a record, or why there is none, each with its place; and how it ended.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    records: Vec<(u64, String)>,
    refused: Vec<(u64, String)>,
    ended: Option<String>,
}

fn read(format: Format, bytes: &[u8]) -> Seen {
    let mut seen = Seen::default();
    let visit: Visit<'_> = &mut |place, record| {
        match record {
            Ok(record) => {
                let mut json = Vec::new();
                put_json(&mut json, record).unwrap();
                seen.records.push((place, String::from_utf8(json).unwrap().trim_end().to_owned()));
            }
            Err(why) => seen.refused.push((place, why)),
        }
        Ok(())
    };
    let ended = match format {
        Format::Ndjson => ndjson::read(&mut Cursor::new(bytes), visit),
        Format::Csv => csv::read(&mut Cursor::new(bytes), visit),
        Format::Avro => avro::read(&mut Cursor::new(bytes), visit),
        Format::Parquet => parquet::read(Bytes::copy_from_slice(bytes), visit),
    };
    seen.ended = ended.err().map(|why| why.to_string());
    seen
}

fn line(id: &str) -> String {
    json!({ "source": "s", "id": id, "account": "acme", "product": "p", "meter": "m",
        "quantity": "1.5", "time": "2026-03-01T00:00:00Z" })
    .to_string()
}

fn record(id: &str) -> Vec<u8> {
    from_json(line(id).as_bytes()).unwrap()
}

fn ids(seen: &Seen) -> Vec<(u64, String)> {
    let id = |json: &str| {
        let record: serde_json::Value = serde_json::from_str(json).unwrap();
        record["id"].as_str().unwrap().to_owned()
    };
    seen.records.iter().map(|(place, json)| (*place, id(json))).collect()
}

fn places(places: &[(u64, &str)]) -> Vec<(u64, String)> {
    places.iter().map(|(place, id)| (*place, (*id).to_owned())).collect()
}

#[test]
fn lines_are_records_and_what_is_none_is_named_by_its_line() {
    let long = "x".repeat(ndjson::LINE_BYTES_MAX + 1);
    let text = format!("{}\r\n\n  \n{long}\n{{\n{}", line("a"), line("b"));
    let seen = read(Format::Ndjson, text.as_bytes());
    assert_eq!(ids(&seen), places(&[(1, "a"), (6, "b")]));
    assert_eq!(seen.refused.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [4, 5]);
    assert!(seen.refused[0].1.contains("longer than"), "{:?}", seen.refused[0]);
    assert_eq!(seen.ended, None);
}

const HEADER: &str = "source,id,account,product,meter,quantity,time";
const ROW: &str = "acme,p,m,1.5,2026-03-01T00:00:00Z";

#[test]
fn columns_are_known_by_their_names() {
    let text = "\u{feff}tag.b;id;source;account;product;meter;quantity;time;region;unit;tag.a\r\n\
        2;\"x;\"\"y\";s;acme;p;m;-0.5;2026-03-01T08:00:00+08:00;eu-1;;\"1\n1\"\r\n\
        ;z;s;acme;p;m;1;2026-03-01T00:00:00Z;;h;\r\n";
    let seen = read(Format::Csv, text.as_bytes());
    let expected = |json: &str| {
        let (mut text, record) = (Vec::new(), from_json(json.as_bytes()).unwrap());
        put_json(&mut text, &record).unwrap();
        String::from_utf8(text).unwrap().trim_end().to_owned()
    };
    let first = r#"{"source":"s","id":"x;\"y","account":"acme","product":"p","meter":"m","quantity":"-0.5","time":"2026-03-01T00:00:00Z","region":"eu-1","tags":{"a":"1\n1","b":"2"}}"#;
    let second = r#"{"source":"s","id":"z","account":"acme","product":"p","meter":"m","quantity":"1","time":"2026-03-01T00:00:00Z","unit":"h"}"#;
    assert_eq!(seen.records, [(2, expected(first)), (4, expected(second))]);
    assert_eq!((seen.refused, seen.ended), (vec![], None));
}

#[test]
fn a_row_that_is_no_record_is_named_by_its_line() {
    let rows = [
        format!("s,1,{ROW}"),
        "s,2,acme".to_owned(),
        "s,3,acme,p,m,much,2026-03-01T00:00:00Z".to_owned(),
        "s,4,acme,p,m,1,yesterday".to_owned(),
        format!("s,5,{ROW}"),
    ];
    let seen = read(Format::Csv, format!("{HEADER}\n{}\n", rows.join("\n")).as_bytes());
    assert_eq!(ids(&seen), places(&[(2, "1"), (6, "5")]));
    for ((place, why), (expected, says)) in seen.refused.iter().zip([
        (3, "3 fields, the header 7"),
        (4, "\"much\""),
        (5, "\"yesterday\""),
    ]) {
        assert!(*place == expected && why.contains(says), "{place}: {why}");
    }
    assert_eq!(seen.refused.len(), 3);
    let latin = [format!("{HEADER}\ns,").as_bytes(), b"\xE9,", ROW.as_bytes()].concat();
    assert!(read(Format::Csv, &latin).refused[0].1.contains("UTF-8"));
}

#[test]
fn a_table_that_cannot_be_usage_is_refused_whole() {
    let refused = |text: &str, says: &str| {
        let ended = read(Format::Csv, text.as_bytes()).ended;
        assert!(ended.as_ref().is_some_and(|ended| ended.contains(says)), "{text}: {ended:?}");
    };
    refused("", "it is empty");
    refused("source,id\n", "no column account");
    refused(&format!("{HEADER},colour\n"), "\"colour\" means nothing");
    refused(&format!("{HEADER},tag.\n"), "\"tag.\" means nothing");
    refused(&format!("{HEADER},id\n"), "two columns called id");
    let open = format!("{HEADER}\ns,\"{}", "x\n".repeat(1 << 20));
    refused(&open, "line 2: a record of more than");
}

/// An object container file.
fn file(codec: &str, blocks: &[&[Vec<u8>]]) -> Vec<u8> {
    file_of(&Writer::schema(), codec, blocks)
}

fn file_of(schema: &serde_json::Value, codec: &str, blocks: &[&[Vec<u8>]]) -> Vec<u8> {
    let mut file = b"Obj\x01".to_vec();
    put_long(&mut file, 2);
    put_bytes(&mut file, b"avro.schema");
    put_bytes(&mut file, schema.to_string().as_bytes());
    put_bytes(&mut file, b"avro.codec");
    put_bytes(&mut file, codec.as_bytes());
    put_long(&mut file, 0);
    let sync = *b"0123456789abcdef";
    file.extend_from_slice(&sync);
    for records in blocks {
        put_long(&mut file, i64::try_from(records.len()).unwrap());
        let plain = records.concat();
        let packed = match codec {
            "deflate" => {
                let level = flate2::Compression::fast();
                let mut packed = flate2::write::DeflateEncoder::new(Vec::new(), level);
                packed.write_all(&plain).unwrap();
                packed.finish().unwrap()
            }
            "zstandard" => zstd::encode_all(&*plain, 1).unwrap(),
            _ => plain,
        };
        put_bytes(&mut file, &packed);
        file.extend_from_slice(&sync);
    }
    file
}

#[test]
fn avro_files_of_every_codec_are_read() {
    let blocks: [&[Vec<u8>]; 3] = [&[record("a"), record("b")], &[], &[record("c")]];
    for codec in ["null", "deflate", "zstandard"] {
        let seen = read(Format::Avro, &file(codec, &blocks));
        assert_eq!(ids(&seen), places(&[(1, "a"), (2, "b"), (3, "c")]), "{codec}: {seen:?}");
        assert_eq!((seen.refused, seen.ended), (vec![], None));
    }
}

/// Somebody else's writer makes files that are read: the reference library of the format.
#[test]
fn avro_files_of_the_reference_are_read() {
    let schema = apache_avro::Schema::parse(&Writer::schema()).unwrap();
    let mut writer = apache_avro::Writer::new(&schema, Vec::new()).unwrap();
    for id in ["a", "b"] {
        let mut record = apache_avro::types::Record::new(writer.schema()).unwrap();
        for (field, text) in
            [("source", "s"), ("id", id), ("account", "acme"), ("product", "p"), ("meter", "m")]
        {
            record.put(field, text);
        }
        let quantity = apache_avro::Decimal::from(1_500_000_000_000_i64.to_be_bytes());
        record.put("quantity", apache_avro::types::Value::Decimal(quantity));
        record.put("time", apache_avro::types::Value::TimestampMicros(1_772_323_200_000_000));
        let none =
            || apache_avro::types::Value::Union(0, Box::new(apache_avro::types::Value::Null));
        record.put("region", none());
        record.put("unit", none());
        record.put("tags", apache_avro::types::Value::Map(Default::default()));
        writer.append_value(record).unwrap();
    }
    let seen = read(Format::Avro, &writer.into_inner().unwrap());
    assert_eq!(ids(&seen), places(&[(1, "a"), (2, "b")]), "{seen:?}");
    assert!(seen.records[0].1.contains("\"quantity\":\"1.5\""), "{seen:?}");
}

#[test]
fn what_is_wrong_with_an_avro_file_is_said_with_its_place() {
    let refused = |bytes: &[u8], says: &str| {
        let seen = read(Format::Avro, bytes);
        assert!(seen.ended.as_ref().is_some_and(|ended| ended.contains(says)), "{says}: {seen:?}");
        seen
    };
    let good = file("null", &[&[record("a")], &[record("b")]]);
    refused(b"PAR1", "no Avro object container file");
    refused(&good[..40], "header is cut off");
    refused(&file("snappy", &[]), "its codec is snappy; write it with null, deflate or zstandard");
    let other = json!({ "type": "record", "name": "Invoice", "fields": [] });
    refused(&file_of(&other, "null", &[]), "Invoice");
    let seen = refused(&good[..good.len() - 3], "behind record 1 is cut off");
    assert_eq!(ids(&seen), places(&[(1, "a")]));
    let mut damaged = good.clone();
    *damaged.last_mut().unwrap() ^= 1;
    refused(&damaged, "behind record 1 does not end with the file's marker");
    let mut packed = file("deflate", &[&[record("a")]]);
    let middle = packed.len() - 40;
    packed[middle] ^= 0xFF;
    assert!(read(Format::Avro, &packed).records.len() <= 1);
    // Nor does a block hold more than it says: whose records those are nobody knows.
    let seen = refused(
        &file("null", &[&[[record("a"), record("b")].concat()], &[record("c")]]),
        "0 holds more",
    );
    assert_eq!(ids(&seen), places(&[(1, "a")]));
    // A record that is cut off takes the rest of its block with it, and says so.
    let cut = record("b")[..5].to_vec();
    let seen = read(Format::Avro, &file("null", &[&[record("a"), cut, vec![]], &[record("d")]]));
    assert_eq!(ids(&seen), places(&[(1, "a"), (4, "d")]), "{seen:?}");
    assert!(seen.refused[0].1.contains("records 2 to 3"), "{seen:?}");
}

/// What is shown as a record and passes the check is one for METERING too.
fn all_are_records(seen: &Seen) {
    for (_, json) in &seen.records {
        let record = from_json(json.as_bytes()).unwrap();
        each_record(&packed_message(1, &record), |_, read| {
            assert_eq!(check(&record).is_ok(), read.usage().is_ok(), "{json}");
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_are_records_or_named(
        format in prop::sample::select(vec![Format::Ndjson, Format::Csv, Format::Avro]),
        bytes in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        all_are_records(&read(format, &bytes));
    }

    #[test]
    fn any_text_behind_a_header_is_rows_or_named(text in "[a-z0-9,;\"\r\n\t.:ZT-]{0,300}") {
        let seen = read(Format::Csv, format!("{HEADER}\n{text}").as_bytes());
        all_are_records(&seen);
        for (line, _) in seen.refused {
            prop_assert!(line >= 2);
        }
    }

    #[test]
    fn a_damaged_file_is_records_or_named(
        codec in prop::sample::select(vec!["null", "deflate", "zstandard"]),
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = file(codec, &[&[record("a"), record("b")], &[record("c")]]);
        // The header is damaged too, but less often than it takes of the file.
        let header = bytes.len() - 200;
        for (place, value) in places {
            let place = if value & 7 == 0 { place.index(bytes.len()) } else { header + place.index(200) };
            bytes[place] = value;
        }
        if cut.index(3) == 0 {
            bytes.truncate(cut.index(bytes.len()));
        }
        all_are_records(&read(Format::Avro, &bytes));
    }

    #[test]
    fn a_table_says_what_lines_say(
        quantity in 0_u64..1_000_000_000, text in "[a-zA-Z0-9 \"',;\u{e4}\n]{1,20}", tag in "[a-z]{0,5}",
    ) {
        let json = json!({ "source": text, "id": "1", "account": "acme", "product": "p", "meter": "m",
            "quantity": format!("{quantity}.25"), "time": "2026-03-01T00:00:00Z" });
        let mut json = json;
        if !tag.is_empty() {
            json["tags"] = json!({ "team": tag });
        }
        let mut table = ::csv::Writer::from_writer(Vec::new());
        table.write_record(HEADER.split(',').chain(["tag.team"])).unwrap();
        let quantity = format!("{quantity}.25");
        table.write_record([&*text, "1", "acme", "p", "m", &quantity, "2026-03-01T00:00:00Z", &tag]).unwrap();
        let seen = read(Format::Csv, &table.into_inner().unwrap());
        let lines = read(Format::Ndjson, json.to_string().as_bytes());
        prop_assert_eq!(&seen.records[0].1, &lines.records[0].1);
    }
}

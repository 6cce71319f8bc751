use std::collections::HashMap;

use apache_avro::types::Value;
use proptest::prelude::*;

use super::*;
use crate::avro::put_bytes;

/// All that a message holds, as text.
fn read(message: &[u8]) -> Vec<Result<String, Malformed>> {
    let mut found = Vec::new();
    each_record(message, |_, record| {
        found.push(record.usage().map(|record| format!("{record:?} {:?}", tags_of(&record))));
    });
    found
}

fn sample<'a>(tags: &'a [(&'a str, &'a str)], quantity: &str) -> NewUsage<'a> {
    NewUsage {
        source: "collector",
        id: "u-1",
        account: "acme",
        product: "compute",
        meter: "hours",
        quantity: quantity.parse().unwrap(),
        time: "2026-03-01T10:00:00Z".parse().unwrap(),
        region: Some("eu"),
        unit: None,
        tags,
    }
}

/// Identity and content of the only record in a message.
fn told(message: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut found = None;
    each_record(message, |_, record| {
        let record = record.usage().unwrap();
        assert!(found.is_none());
        found = Some((record.identity.to_vec(), record.content.to_vec()));
    });
    found.unwrap()
}

#[test]
fn r2_2_the_same_record_in_any_form_has_the_same_bytes() {
    let expected = told(&single_message(&sample(&[("a", "1"), ("b", "2")], "1.1")));
    let plain = r#"{"tags":{"b":"2","a":"1"},"id":"u-1","source":"collector","account":"acme","product":"compute",
        "meter":"hours","quantity":"1.10","time":"2026-03-01T11:00:00+01:00","region":"eu"}"#;
    assert_eq!(told(plain.as_bytes()), expected);
    let event = r#"{"specversion":"1.0","type":"usage","id":"u-1","source":"collector","subject":"acme",
        "time":"2026-03-01T10:00:00Z","datacontenttype":"application/json",
        "data":{"product":"compute","meter":"hours","quantity":"1.100","region":"eu","tags":{"a":"1","b":"2"}}}"#;
    assert_eq!(told(event.as_bytes()), expected);
    // Tags in another order.
    let message = single_message(&sample(&[("b", "2"), ("a", "1")], "1.1"));
    assert_eq!(told(&message), expected);
    // A quantity in more bytes than it needs, a number in more bytes than it needs, tags in two blocks.
    let mut odd = Vec::new();
    avro::put_header(&mut odd, single_fingerprint());
    for text in ["collector", "u-1", "acme", "compute", "hours"] {
        put_text(&mut odd, text);
    }
    put_bytes(&mut odd, &1_100_000_000_000i128.to_be_bytes());
    put_long(&mut odd, "2026-03-01T10:00:00Z".parse::<Timestamp>().unwrap().as_micros());
    odd.extend([0x82, 0x00]);
    put_text(&mut odd, "eu");
    odd.push(0);
    for (key, value) in [("a", "1"), ("b", "2")] {
        put_long(&mut odd, -1);
        put_long(&mut odd, 4);
        put_text(&mut odd, key);
        put_text(&mut odd, value);
    }
    odd.push(0);
    assert_eq!(told(&odd), expected);
}

#[test]
fn r2_1_what_is_wrong_with_a_record_is_named() {
    let check = |json: &str, expected: &str| {
        let found = read(json.as_bytes());
        let Some(Err(why)) = found.first() else { panic!("{json}: {found:?}") };
        assert!(why.to_string().contains(expected), "{json}: {why}");
    };
    let with = |field: &str, value: &str| {
        let mut record = serde_json::json!({
            "id": "u", "source": "s", "account": "a", "product": "p", "meter": "m", "quantity": "1",
            "time": "2026-03-01T10:00:00Z"
        });
        record[field] = serde_json::from_str(value).unwrap();
        record.to_string()
    };
    check(&with("quantity", "1.5"), "as text");
    check(&with("quantity", "\"NaN\""), "not a plain decimal");
    check(&with("quantity", "\"1000000000000000\""), "15 digits");
    check(&with("quantity", "\"0.0000000000001\""), "more than 12 decimal places");
    check(&with("id", "\"\""), "id is empty");
    check(&with("meter", &format!("\"{}\"", "m".repeat(65))), "meter is too long");
    check(&with("colour", "\"red\""), "unknown field");
    check(&with("time", "\"yesterday\""), "RFC 3339");
    check("{\"id\":", "EOF");
    assert_eq!(read(b"hello"), [Err(Malformed::UnknownFormat)]);
    assert_eq!(read(b""), [Err(Malformed::UnknownFormat)]);
}

#[test]
fn a_packed_message_reads_on_behind_a_bad_record() {
    let mut records = Vec::new();
    for quantity in ["1", "2", "3"] {
        put_record(&mut records, &NewUsage { id: quantity, ..sample(&[], quantity) });
    }
    let mut bad = Vec::new();
    put_record(&mut bad, &NewUsage { account: "", ..sample(&[], "4") });
    records.extend(bad);
    put_record(&mut records, &sample(&[], "5"));
    let found = read(&packed_message(5, &records));
    assert_eq!(found.iter().filter(|record| record.is_ok()).count(), 4);
    assert_eq!(found[3], Err(Malformed::Empty("account")));
    // Cut off in the middle of the last record: the first four stand.
    let message = packed_message(5, &records);
    let found = read(&message[..message.len() - 8]);
    assert_eq!(found.len(), 5);
    assert_eq!(found[4], Err(Malformed::Truncated(Truncated)));
    // A count that the input cannot hold.
    let mut absurd = packed_message(0, &[]);
    absurd.pop();
    put_long(&mut absurd, i64::MAX);
    assert_eq!(read(&absurd), [Err(Malformed::Truncated(Truncated))]);
}

fn text() -> impl Strategy<Value = String> {
    "[a-zäß0-9]{1,12}"
}

proptest! {
    /// The decoder finds what the reference implementation wrote.
    #[test]
    fn decodes_what_apache_avro_writes(
        texts in proptest::collection::vec(text(), 5),
        raw in -(10i128.pow(27) - 1)..10i128.pow(27),
        time in any::<i64>(),
        region in proptest::option::of(text()),
        unit in proptest::option::of(text()),
        tags in proptest::collection::btree_map(text(), "[ -~]{0,9}", 0..5),
    ) {
        let schema = apache_avro::Schema::parse(&schemas::USAGE_RECORD.json()).unwrap();
        let optional = |value: &Option<String>| match value {
            Some(text) => Value::Union(1, Box::new(Value::String(text.clone()))),
            None => Value::Union(0, Box::new(Value::Null)),
        };
        let map: HashMap<String, Value> =
            tags.iter().map(|(k, v)| (k.clone(), Value::String(v.clone()))).collect();
        let value = Value::Record(vec![
            ("source".into(), Value::String(texts[0].clone())),
            ("id".into(), Value::String(texts[1].clone())),
            ("account".into(), Value::String(texts[2].clone())),
            ("product".into(), Value::String(texts[3].clone())),
            ("meter".into(), Value::String(texts[4].clone())),
            ("quantity".into(), Value::Decimal(raw.to_be_bytes().into())),
            ("time".into(), Value::TimestampMicros(time)),
            ("region".into(), optional(&region)),
            ("unit".into(), optional(&unit)),
            ("tags".into(), Value::Map(map)),
        ]);
        let mut message = Vec::new();
        avro::put_header(&mut message, single_fingerprint());
        let writer = apache_avro::writer::datum::GenericDatumWriter::builder(&schema).build().unwrap();
        message.extend(writer.write_value_to_vec(value).unwrap());
        let tags: Vec<(&str, &str)> = tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let own = NewUsage {
            source: &texts[0], id: &texts[1], account: &texts[2], product: &texts[3], meter: &texts[4],
            quantity: Amount::from_raw(raw), time: Timestamp::from_micros(time),
            region: region.as_deref(), unit: unit.as_deref(), tags: &tags,
        };
        prop_assert_eq!(told(&message), told(&single_message(&own)));
        let mut records = Vec::new();
        put_record(&mut records, &own);
        prop_assert_eq!(read(&packed_message(1, &records)), read(&message));
    }

    #[test]
    fn any_message_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), packed in any::<bool>()) {
        let mut message = Vec::new();
        avro::put_header(&mut message, if packed { packed_fingerprint() } else { single_fingerprint() });
        message.extend(bytes);
        prop_assert!(!read(&message).is_empty() || packed);
    }
}

/// Texts are checked together with the lengths between them, which may look like the rest of a letter.
#[test]
fn r2_3_a_text_that_ends_within_a_letter_is_malformed_whatever_stands_behind_it() {
    let account = "a".repeat(64);
    let long = NewUsage { account: &account, ..sample(&[], "1") };
    let letters =
        NewUsage { id: "ü", account: "größe", region: Some("Österreich"), ..sample(&[], "1") };
    for whole in [long, letters] {
        let message = single_message(&whole);
        let found = read(&message);
        assert!(found[0].as_ref().is_ok_and(|text| text.contains(whole.account)), "{found:?}");
    }
    let mut message = single_message(&NewUsage { id: "?", ..long });
    let place = message.iter().position(|byte| *byte == b'?').unwrap();
    // With the length of the account behind it this is one letter.
    message[place] = 0xC3;
    assert_eq!(message[place + 1], 0x80);
    assert_eq!(read(&message), [Err(Malformed::NotText)]);
}

/// R2.2: numbers of tags that take more bytes than they need are the same numbers.
#[test]
fn r2_2_a_count_that_is_written_longer_is_the_same_record() {
    let json = r#"{"source":"s","id":"1","account":"a","product":"p","meter":"m","quantity":"1","time":"2026-03-01T00:00:00Z""#;
    let plain = from_json(format!("{json}}}").as_bytes()).unwrap();
    let tagged = from_json(format!("{json},\"tags\":{{\"k\":\"v\"}}}}").as_bytes()).unwrap();
    // The end of the tags, and how many there are.
    let end = plain.len() - 1;
    let count = tagged.len() - 6;
    assert_eq!((plain[end], tagged[count]), (0, 2));
    for (canonical, place) in [(&plain, end), (&tagged, count), (&tagged, tagged.len() - 1)] {
        let longer = [&canonical[..place], &[canonical[place] | 0x80, 0], &canonical[place + 1..]];
        each_record(&packed_message(1, &longer.concat()), |_, read| {
            let mut bytes = Vec::new();
            read.put_canonical(&mut bytes).unwrap();
            assert_eq!(bytes, *canonical, "R2.2");
        });
    }
}

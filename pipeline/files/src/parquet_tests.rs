use ::parquet::basic::{Compression, Encoding, ZstdLevel};
use ::parquet::column::page::Page;
use ::parquet::data_type::{ByteArrayType, FixedLenByteArrayType, Int32Type, Int64Type, Int96Type};
use ::parquet::file::properties::{WriterProperties, WriterVersion};
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use ::parquet::schema::types::ColumnDescPtr;
use drawdown_wire::usage::{each_record, packed_message, packing::check, put_json};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::guards::has_room;
use super::*;

/// What stands in a column.
#[derive(Clone, Debug)]
enum Data {
    Texts(Vec<Option<Vec<u8>>>),
    Shorts(Vec<i32>),
    Longs(Vec<i64>),
    Fixed(Vec<Vec<u8>>),
    Days(Vec<[u32; 3]>),
    /// Values with their levels.
    Repeated(Vec<&'static str>, Vec<i16>, Vec<i16>),
}

fn texts(texts: &[&str]) -> Data {
    Data::Texts(texts.iter().map(|text| Some(text.as_bytes().to_vec())).collect())
}

fn file(properties: WriterProperties, fields: &str, groups: &[&[Data]]) -> Vec<u8> {
    let schema = parse_message_type(&format!("message usage {{ {fields} }}")).unwrap();
    let properties = Arc::new(properties);
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), properties).unwrap();
    for group in groups {
        let mut rows = writer.next_row_group().unwrap();
        for data in *group {
            let mut column = rows.next_column().unwrap().unwrap();
            let bytes = |bytes: &Vec<u8>| ByteArray::from(bytes.clone());
            match data {
                Data::Texts(texts) => {
                    let levels: Vec<i16> = texts.iter().map(|text| text.is_some().into()).collect();
                    let texts: Vec<ByteArray> = texts.iter().flatten().map(bytes).collect();
                    column.typed::<ByteArrayType>().write_batch(&texts, Some(&levels), None)
                }
                Data::Shorts(values) => column.typed::<Int32Type>().write_batch(values, None, None),
                Data::Longs(values) => column.typed::<Int64Type>().write_batch(values, None, None),
                Data::Fixed(values) => {
                    let values: Vec<FixedLenByteArray> =
                        values.iter().map(|value| bytes(value).into()).collect();
                    column.typed::<FixedLenByteArrayType>().write_batch(&values, None, None)
                }
                Data::Days(values) => {
                    let values: Vec<Int96> =
                        values.iter().map(|value| Int96::from(value.to_vec())).collect();
                    column.typed::<Int96Type>().write_batch(&values, None, None)
                }
                Data::Repeated(values, definitions, repetitions) => {
                    let values: Vec<ByteArray> = values.iter().copied().map(Into::into).collect();
                    column.typed::<ByteArrayType>().write_batch(
                        &values,
                        Some(definitions),
                        Some(repetitions),
                    )
                }
            }
            .unwrap();
            column.close().unwrap();
        }
        rows.close().unwrap();
    }
    writer.into_inner().unwrap()
}

fn column(field: &str) -> ColumnDescPtr {
    let schema = parse_message_type(&format!("message usage {{ {field} }}")).unwrap();
    SchemaDescriptor::new(Arc::new(schema)).column(0)
}

const TEXTS: &str = "optional binary source (STRING); optional binary id (STRING); \
    optional binary account (STRING); optional binary product (STRING); optional binary meter (STRING);";
const PLAIN: &str =
    "required int64 quantity (DECIMAL(18,2)); required int64 time (TIMESTAMP(MICROS,true));";
const BEGINS: i64 = 1_772_323_200_000_000;

/// Records with these ids.
fn rows(ids: &[&str]) -> Vec<Data> {
    let all = |text: &str| texts(&vec![text; ids.len()]);
    vec![all("s"), texts(ids), all("acme"), all("p"), all("m")]
}

fn plain(ids: &[&str]) -> Vec<Data> {
    let mut rows = rows(ids);
    rows.extend([Data::Longs(vec![150; ids.len()]), Data::Longs(vec![BEGINS; ids.len()])]);
    rows
}

/// The JSON of a record, or why there is none, by its number.
type Shown = (u64, Result<Value, String>);

/// What is shown, and how it ended.
fn seen(bytes: &[u8]) -> (Vec<Shown>, Option<String>) {
    let mut seen = Vec::new();
    let ended = read(Bytes::copy_from_slice(bytes), &mut |number, record| {
        let record = record.map(|record| {
            let mut json = Vec::new();
            put_json(&mut json, record).unwrap();
            serde_json::from_slice(&json).unwrap()
        });
        seen.push((number, record));
        Ok(())
    });
    (seen, ended.err().map(|why| why.to_string()))
}

fn expected(id: &str) -> Value {
    json!({ "source": "s", "id": id, "account": "acme", "product": "p", "meter": "m",
        "quantity": "1.5", "time": "2026-03-01T00:00:00Z" })
}

#[test]
fn files_of_every_codec_and_encoding_are_read() {
    let ids: Vec<String> = (0..20_000).map(|id| format!("id-{id}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let (first, second) = (plain(&ids[..12_000]), plain(&ids[12_000..]));
    let zstd = Compression::ZSTD(ZstdLevel::default());
    for codec in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(Default::default()),
        Compression::LZ4_RAW,
        zstd,
    ] {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            for is_dictionary in [true, false] {
                let properties = WriterProperties::builder()
                    .set_compression(codec)
                    .set_writer_version(version)
                    .set_dictionary_enabled(is_dictionary)
                    .set_data_page_row_count_limit(1_000)
                    .build();
                let bytes = file(properties, &format!("{TEXTS}{PLAIN}"), &[&first, &second]);
                let (seen, ended) = seen(&bytes);
                assert_eq!((seen.len(), ended), (ids.len(), None), "{codec:?} {version:?}");
                for ((number, record), (at, id)) in seen.iter().zip((1..).zip(&ids)) {
                    assert_eq!((*number, record), (at, &Ok(expected(id))), "{codec:?} {version:?}");
                }
            }
        }
    }
}

/// Made by Apache Arrow's own writer (pyarrow 26): each with another codec, encoding and way to write a time.
#[test]
fn files_of_the_reference_are_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fuzz/corpus/parquet");
    for (name, more) in [
        ("map-snappy", json!({ "tags": { "city": "K\u{f6}ln", "team": "a" } })),
        ("columns-zstd", json!({ "quantity": "1", "unit": "h", "tags": { "team": "x" } })),
        ("strings-plain", json!({})),
        ("int96-gzip", json!({})),
        ("lz4-delta", json!({})),
    ] {
        let (seen, ended) = seen(&std::fs::read(format!("{folder}/{name}")).unwrap());
        let mut record = expected("1");
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!((&seen[0].1, seen.len(), ended), (&Ok(record), 2, None), "{name}");
        assert_eq!(seen[1].1.is_err(), name == "lz4-delta", "{name}: {:?}", seen[1]);
    }
}

#[test]
fn quantities_and_times_are_read_as_they_are_written() {
    let text = "1.5".as_bytes().to_vec();
    let quantities = [
        ("required binary quantity (STRING);", Data::Texts(vec![Some(text)])),
        ("required int32 quantity (DECIMAL(9,1));", Data::Shorts(vec![15])),
        ("required int64 quantity (DECIMAL(18,12));", Data::Longs(vec![1_500_000_000_000])),
        (
            "required fixed_len_byte_array(16) quantity (DECIMAL(38,14));",
            Data::Fixed(vec![150_000_000_000_000_i128.to_be_bytes().to_vec()]),
        ),
        (
            "required binary quantity (DECIMAL(38,1));",
            Data::Texts(vec![Some(15_i16.to_be_bytes().to_vec())]),
        ),
    ];
    for (field, quantity) in quantities {
        let mut group = rows(&["a"]);
        group.extend([quantity, Data::Longs(vec![BEGINS])]);
        let fields = format!("{TEXTS}{field}required int64 time (TIMESTAMP(MICROS,true));");
        let (seen, ended) = seen(&file(WriterProperties::default(), &fields, &[&group]));
        assert_eq!((&seen[0].1, ended), (&Ok(expected("a")), None), "{field}");
    }
    for (field, whole, says) in [
        ("required int32 quantity;", Data::Shorts(vec![-7]), "-7"),
        ("required int64 quantity (INTEGER(64,true));", Data::Longs(vec![7]), "7"),
        (
            "required fixed_len_byte_array(3) quantity (DECIMAL(5,2));",
            Data::Fixed(vec![vec![0xFF, 0xFF, 0x9C]]),
            "-1",
        ),
    ] {
        let mut group = rows(&["a"]);
        group.extend([whole, Data::Longs(vec![BEGINS])]);
        let fields = format!("{TEXTS}{field}required int64 time (TIMESTAMP(MICROS,true));");
        let (seen, _) = seen(&file(WriterProperties::default(), &fields, &[&group]));
        assert_eq!(seen[0].1.as_ref().unwrap()["quantity"], says, "{field}");
    }
    let times = [
        ("required int64 time (TIMESTAMP(MILLIS,true));", Data::Longs(vec![BEGINS / 1_000])),
        ("required int64 time (TIMESTAMP_MILLIS);", Data::Longs(vec![BEGINS / 1_000])),
        ("required int64 time (TIMESTAMP_MICROS);", Data::Longs(vec![BEGINS])),
        ("required int64 time (TIMESTAMP(NANOS,true));", Data::Longs(vec![BEGINS * 1_000 + 999])),
        ("required int96 time;", Data::Days(vec![[999, 0, 2_461_101]])),
        ("required binary time (STRING);", texts(&["2026-03-01T01:00:00+01:00"])),
    ];
    for (field, time) in times {
        let mut group = rows(&["a"]);
        group.extend([Data::Longs(vec![150]), time]);
        let fields = format!("{TEXTS}required int64 quantity (DECIMAL(18,2));{field}");
        let (seen, ended) = seen(&file(WriterProperties::default(), &fields, &[&group]));
        assert_eq!((&seen[0].1, ended), (&Ok(expected("a")), None), "{field}");
    }
}

#[test]
fn tags_are_columns_or_a_map() {
    let fields = format!(
        "{TEXTS}{PLAIN} optional binary unit (STRING); optional binary tag.b (STRING); \
         optional binary region (STRING); optional group tags (MAP) {{ repeated group key_value {{ \
         required binary key (STRING); optional binary value (STRING); }} }}"
    );
    let mut group = plain(&["a", "b", "c", "d"]);
    let some = |text: &str| Some(text.as_bytes().to_vec());
    group.extend([
        Data::Texts(vec![some("h"), None, None, some("")]),
        Data::Texts(vec![some("1"), None, some(""), some("1")]),
        Data::Texts(vec![None, some("eu"), some(""), None]),
        // Two tags; no map; an empty map; a tag without a value and one with the name of a column.
        Data::Repeated(vec!["z", "a", "x", "b"], vec![2, 2, 0, 1, 2, 2], vec![0, 1, 0, 0, 0, 1]),
        Data::Repeated(vec!["26", "1", "2"], vec![3, 3, 0, 1, 2, 3], vec![0, 1, 0, 0, 0, 1]),
    ]);
    let (seen, ended) = seen(&file(WriterProperties::default(), &fields, &[&group]));
    assert_eq!(ended, None);
    let with = |id: &str, more: Value| {
        let mut record = expected(id);
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Ok(record)
    };
    let tags = json!({ "unit": "h", "tags": { "a": "1", "b": "1", "z": "26" } });
    assert_eq!(seen[0].1, with("a", tags));
    assert_eq!(seen[1].1, with("b", json!({ "region": "eu" })));
    assert_eq!(seen[2].1, Ok(expected("c")));
    assert_eq!(seen[3].1, Err("it has two tags \"b\"".to_owned()));
}

#[test]
fn a_record_that_is_none_is_named_by_its_number() {
    let fields = format!(
        "{TEXTS}required int64 quantity (DECIMAL(18,14)); required int64 time (TIMESTAMP(MILLIS,true));"
    );
    let mut group = rows(&["a", "b", "c", "d", "e"]);
    let some = |text: &[u8]| Some(text.to_vec());
    group[2] = Data::Texts(vec![some(b"acme"), None, some(b"\xE9"), some(b"acme"), some(b"acme")]);
    group.push(Data::Longs(vec![150_000_000_000_000, 0, 0, 1, 0]));
    group.push(Data::Longs(vec![BEGINS / 1_000, 0, 0, 0, i64::MAX]));
    let (seen, ended) = seen(&file(WriterProperties::default(), &fields, &[&group]));
    assert_eq!(ended, None);
    assert_eq!(seen[0], (1, Ok(expected("a"))));
    for (((number, record), says), expected) in seen[1..]
        .iter()
        .zip(["it has no account", "not UTF-8", "more than 12 decimal places", "out of range"])
        .zip(2..)
    {
        let why = record.as_ref().unwrap_err();
        assert!(*number == expected && why.contains(says), "{number}: {why}");
    }
}

#[test]
fn a_file_that_cannot_be_usage_is_refused_whole() {
    let refused = |fields: &str, says: &str| {
        let bytes = file(WriterProperties::default(), fields, &[]);
        let ended = seen(&bytes).1;
        assert!(ended.as_ref().is_some_and(|why| why.contains(says)), "{fields}: {ended:?}");
    };
    let utc = "required int64 time (TIMESTAMP(MICROS,true));";
    let quantity = "required int64 quantity;";
    refused("required binary source (STRING);", "no column id");
    refused(&format!("{TEXTS}{utc}"), "no column quantity");
    refused(&format!("{TEXTS}{PLAIN} required binary colour;"), "\"colour\" means nothing");
    refused(&format!("{TEXTS}{PLAIN} required binary tag.;"), "\"tag.\" means nothing");
    refused(&format!("{TEXTS}{utc} required double quantity;"), "binary fraction");
    refused(&format!("{TEXTS}{utc} required int32 quantity (INTEGER(32,false));"), "is INT32");
    refused(&format!("{TEXTS}{utc} required boolean quantity;"), "is BOOLEAN");
    let local = "required int64 time (TIMESTAMP(MICROS,false));";
    refused(&format!("{TEXTS}{quantity}{local}"), "of no time zone");
    refused(&format!("{TEXTS}{quantity} required int64 time;"), "no timestamp");
    refused(&format!("{TEXTS}{quantity} required int32 time (DATE);"), "no timestamp");
    refused(&format!("{TEXTS}{PLAIN} required int32 region;"), "region is INT32");
    let nested = "required group region { required binary name (STRING); }";
    refused(&format!("{TEXTS}{PLAIN}{nested}"), "nested");
    refused(&format!("{TEXTS}{PLAIN} repeated binary region (STRING);"), "nested");
    let list =
        "optional group tags (LIST) { repeated group list { optional binary element (STRING); } }";
    refused(&format!("{TEXTS}{PLAIN}{list}"), "no map of texts");
    let numbers = "optional group tags (MAP) { repeated group key_value { required binary key (STRING); optional int32 value; } }";
    refused(&format!("{TEXTS}{PLAIN}{numbers}"), "no map of texts");
    for bytes in [&b""[..], b"PAR1", b"PAR1PAR1", b"Obj\x01 and more of it", &[0; 1_000]] {
        let (seen, ended) = seen(bytes);
        assert!(seen.is_empty() && ended.unwrap().contains("no whole Parquet file"));
    }
}

/// The library would make room for as many texts as a page says.
#[test]
fn a_page_that_says_it_has_more_texts_is_damaged() {
    for (encoding, lists) in
        [(Encoding::DELTA_LENGTH_BYTE_ARRAY, 1), (Encoding::DELTA_BYTE_ARRAY, 2)]
    {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            let properties = WriterProperties::builder()
                .set_dictionary_enabled(false)
                .set_writer_version(version)
                .set_column_encoding("id".into(), encoding)
                .build();
            let fields = format!("{TEXTS}{PLAIN}");
            let bytes = file(properties, &fields, &[&plain(&["a", "b", "c", "d", "e"])]);
            assert_eq!(seen(&bytes).0.len(), 5);
            // Blocks of 128 numbers in four parts, and five of them.
            let head = [0x80, 0x01, 0x04, 0x05];
            let heads: Vec<usize> =
                (0..bytes.len()).filter(|at| bytes[*at..].starts_with(&head)).collect();
            assert!(heads.len() >= lists, "{encoding}: {heads:?}");
            for at in heads {
                let mut bytes = bytes.clone();
                bytes[at + 3] = 0x7f;
                let (seen, ended) = seen(&bytes);
                assert!(seen.is_empty());
                assert!(ended.as_ref().unwrap().contains("fewer values than it says"), "{ended:?}");
            }
        }
    }
}

/// Of a page's head, as every page before it: what the library takes for true is looked at before.
#[test]
fn pages_have_room_for_what_they_say() {
    let text = column("required binary id (STRING);");
    let fixed = column("required fixed_len_byte_array(1) id (DECIMAL(2,0));");
    let dictionary = |bytes: usize, num_values| Page::DictionaryPage {
        buf: vec![0; bytes].into(),
        num_values,
        encoding: Encoding::PLAIN,
        is_sorted: false,
    };
    assert!(has_room(&text, &dictionary(40, 10)) && !has_room(&text, &dictionary(40, 11)));
    assert!(has_room(&fixed, &dictionary(40, 40)) && !has_room(&fixed, &dictionary(40, 41)));
    let lengths = |count: u32, bytes: &[u8], num_values| {
        // Blocks of 128 in one part.
        let head = [0x80, 0x01, 0x01];
        let count = [0, 7, 14, 21].map(|bits| (count >> bits) as u8 & 0x7f | 0x80);
        let buf = [&head[..], &count, &[0x00, 0x00], bytes].concat();
        Page::DataPageV2 {
            buf: buf.into(),
            num_values,
            encoding: Encoding::DELTA_LENGTH_BYTE_ARRAY,
            num_nulls: 0,
            num_rows: num_values,
            def_levels_byte_len: 0,
            rep_levels_byte_len: 0,
            is_compressed: false,
            statistics: None,
        }
    };
    // A block of two bytes for each 128 behind the first.
    assert!(has_room(&text, &lengths(257, &[0; 4], 257)));
    assert!(!has_room(&text, &lengths(258, &[0; 4], 258)), "they are not there");
    assert!(!has_room(&text, &lengths(257, &[0; 4], 256)), "more than the page has");
    assert!(!has_room(&text, &lengths(1 << 27, &[0; 4], 1 << 27)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever became of a file, each of its records is a record for METERING too, or it is said that it is none.
    #[test]
    fn a_damaged_file_is_records_or_named(
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
        is_packed in any::<bool>(),
    ) {
        let codec = if is_packed { Compression::SNAPPY } else { Compression::UNCOMPRESSED };
        let properties = WriterProperties::builder().set_compression(codec).build();
        let fields = format!("{TEXTS}{PLAIN}");
        let (first, second) = (plain(&["a", "b"]), plain(&["c"]));
        let mut bytes = file(properties, &fields, &[&first, &second]);
        for (place, value) in places {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if cut.index(10) == 0 {
            bytes.truncate(cut.index(bytes.len()));
        }
        read(Bytes::from(bytes), &mut |_, record| {
            if let Ok(record) = record {
                each_record(&packed_message(1, record), |_, read| {
                    assert_eq!(check(record).is_ok(), read.usage().is_ok());
                });
            }
            Ok(())
        })
        .ok();
    }
}

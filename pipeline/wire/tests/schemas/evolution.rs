//! Made-up schemas, made-up evolutions of them and made-up values: what our plan rewrites is what the
//! reference implementation resolves.
//!
//! Two things are left out because the reference differs from the specification there, and have tests
//! of their own: it finds a record's place in a union by what fits and not by name, so each record of a
//! union here has a field that no other has; and it refuses short decimals.

use std::collections::HashMap;

use apache_avro::Schema as Reference;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use drawdown_wire::avro::Plan;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Decisions that make a case; when they run out, everything is the simplest it can be.
struct Choices {
    left: std::vec::IntoIter<u32>,
    names: usize,
}

impl Choices {
    fn below(&mut self, bound: usize) -> usize {
        self.left.next().unwrap_or(0) as usize % bound
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }

    fn name(&mut self, kind: &str) -> String {
        self.names += 1;
        format!("{kind}{}", self.names)
    }

    fn schema(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 6 } else { 11 }) {
            0 => json!("long"),
            1 => json!("string"),
            2 => json!("boolean"),
            3 => json!("int"),
            4 => json!("bytes"),
            5 => {
                let symbols: Vec<String> = (0..=self.below(4)).map(|n| format!("S{n}")).collect();
                json!({ "type": "enum", "name": self.name("E"), "symbols": symbols })
            }
            6 => json!(["null", self.schema_in_union(depth - 1)]),
            7 => json!({ "type": "array", "items": self.schema(depth - 1) }),
            8 => json!({ "type": "map", "values": self.schema(depth - 1) }),
            9 => (0..=self.below(3)).map(|_| self.case(depth - 1)).collect(),
            _ => self.record(depth - 1),
        }
    }

    /// A union has no union in it.
    fn schema_in_union(&mut self, depth: usize) -> Value {
        match self.schema(depth) {
            Value::Array(_) => json!("long"),
            schema => schema,
        }
    }

    /// With a field at least: we take no lists whose items have no bytes.
    fn record(&mut self, depth: usize) -> Value {
        let fields: Vec<Value> = (0..=self.below(4)).map(|_| self.field(depth)).collect();
        json!({ "type": "record", "name": self.name("R"), "fields": fields })
    }

    fn field(&mut self, depth: usize) -> Value {
        json!({ "name": self.name("f"), "type": self.schema(depth) })
    }

    /// A record of a union, with a field that tells it from all others.
    fn case(&mut self, depth: usize) -> Value {
        let mut record = self.record(depth);
        let mark = format!("is_{}", record["name"].as_str().unwrap());
        record["fields"].as_array_mut().unwrap().push(json!({ "name": mark, "type": "boolean" }));
        record
    }

    /// What may become of a schema, sometimes more than can be read.
    fn evolve(&mut self, schema: &Value) -> Value {
        if let Value::Array(cases) = schema {
            return self.evolve_union(cases);
        }
        if self.one_in(12) {
            return json!(["null", self.evolve_kind(schema)]);
        }
        self.evolve_kind(schema)
    }

    fn evolve_kind(&mut self, schema: &Value) -> Value {
        let mut evolved = schema.clone();
        match schema.get("type").unwrap_or(schema).as_str().unwrap() {
            "int" if self.one_in(2) => json!("long"),
            "string" if self.one_in(8) => json!("bytes"),
            "bytes" if self.one_in(8) => json!("string"),
            "boolean" if self.one_in(30) => json!("long"),
            "array" => {
                evolved["items"] = self.evolve(&schema["items"]);
                evolved
            }
            "map" => {
                evolved["values"] = self.evolve(&schema["values"]);
                evolved
            }
            "enum" => {
                self.evolve_symbols(&mut evolved);
                evolved
            }
            "record" => {
                evolved["fields"] = self.evolve_fields(schema["fields"].as_array().unwrap());
                evolved
            }
            _ => evolved,
        }
    }

    fn evolve_union(&mut self, cases: &[Value]) -> Value {
        let optional = cases[0] == json!("null");
        if optional && self.one_in(10) {
            return self.evolve_kind(&cases[1]);
        }
        let mut evolved: Vec<Value> = cases.iter().map(|case| self.evolve_kind(case)).collect();
        if !optional {
            if self.one_in(4) {
                evolved.push(self.case(0));
            }
            if self.one_in(4) {
                evolved.rotate_left(1);
            }
            if evolved.len() > 1 && self.one_in(10) {
                evolved.pop();
            }
        }
        evolved.into()
    }

    fn evolve_symbols(&mut self, schema: &mut Value) {
        let symbols = schema["symbols"].as_array_mut().unwrap();
        if self.one_in(3) {
            symbols.insert(0, json!("New"));
        }
        if symbols.len() > 1 && self.one_in(4) {
            symbols.pop();
        }
        if self.one_in(3) {
            schema["default"] = schema["symbols"][0].clone();
        }
    }

    fn evolve_fields(&mut self, fields: &[Value]) -> Value {
        let mut evolved = Vec::new();
        for field in fields {
            let mark = field["name"].as_str().unwrap().starts_with("is_");
            if mark {
                evolved.push(field.clone());
            } else if !self.one_in(5) {
                let mut field = field.clone();
                field["type"] = self.evolve(&field["type"]);
                evolved.push(field);
            }
        }
        while self.one_in(2) && evolved.len() < 8 {
            let place = self.below(evolved.len() + 1);
            let field = self.added_field();
            evolved.insert(place, field);
        }
        for _ in 0..self.below(3) {
            let (one, other) = (self.below(evolved.len().max(1)), self.below(evolved.len().max(1)));
            if one < evolved.len() && other < evolved.len() {
                evolved.swap(one, other);
            }
        }
        evolved.into()
    }

    fn added_field(&mut self) -> Value {
        let (schema, default) = match self.below(8) {
            0 => (json!("long"), json!(-300)),
            1 => (json!("string"), json!("text")),
            2 => (json!("boolean"), json!(true)),
            3 => (json!("bytes"), json!("ab")),
            4 => (json!(["null", "string"]), Value::Null),
            5 => (json!({ "type": "array", "items": "long" }), json!([1, 2])),
            6 => (json!({ "type": "map", "values": "long" }), json!({ "k": 1 })),
            _ => {
                let schema =
                    json!({ "type": "enum", "name": self.name("E"), "symbols": ["A", "B"] });
                (schema, json!("B"))
            }
        };
        let mut field = json!({ "name": self.name("f"), "type": schema });
        if !self.one_in(20) {
            field["default"] = default;
        }
        field
    }

    fn value(&mut self, schema: &Value) -> Avro {
        if let Value::Array(cases) = schema {
            let case = self.below(cases.len());
            let value = self.value(&cases[case]);
            return Avro::Union(case.try_into().unwrap(), Box::new(value));
        }
        match schema.get("type").unwrap_or(schema).as_str().unwrap() {
            "null" => Avro::Null,
            "boolean" => Avro::Boolean(self.one_in(2)),
            "int" => Avro::Int(self.number() as i32),
            "long" => Avro::Long(self.number()),
            "string" => Avro::String("ß".repeat(self.below(70))),
            "bytes" => Avro::Bytes(vec![b'a'; self.below(70)]),
            "array" => {
                Avro::Array((0..self.below(3)).map(|_| self.value(&schema["items"])).collect())
            }
            "map" => {
                let entries =
                    (0..self.below(3)).map(|key| (key.to_string(), self.value(&schema["values"])));
                Avro::Map(entries.collect::<HashMap<_, _>>())
            }
            "enum" => {
                let place = self.below(schema["symbols"].as_array().unwrap().len());
                let symbol = schema["symbols"][place].as_str().unwrap().to_owned();
                Avro::Enum(place.try_into().unwrap(), symbol)
            }
            "record" => {
                let fields = schema["fields"].as_array().unwrap().iter();
                let fields = fields.map(|field| {
                    (field["name"].as_str().unwrap().to_owned(), self.value(&field["type"]))
                });
                Avro::Record(fields.collect())
            }
            other => panic!("{other}"),
        }
    }

    fn number(&mut self) -> i64 {
        let large = i64::from(self.below(usize::MAX) as u32) << self.below(33);
        if self.one_in(2) { -large } else { large }
    }
}

/// In each case a message of the writer, what the reference reads of it with the reader's schema, and
/// what it reads of what our plan has made of it.
fn check(choices: Vec<u32>) -> Result<(), TestCaseError> {
    let mut choices = Choices { left: choices.into_iter(), names: 0 };
    let written = choices.record(3);
    let evolved = choices.evolve_kind(&written);
    let value = choices.value(&written);
    let writer = Reference::parse(&written).unwrap();
    let reader = Reference::parse(&evolved).unwrap();
    let encoder = GenericDatumWriter::builder(&writer).build().unwrap();
    let message = encoder.write_value_to_vec(value).unwrap();

    let resolving = GenericDatumReader::builder(&writer).reader_schema(&reader).build().unwrap();
    let expected = resolving.read_value(&mut message.as_slice());
    let plan = Plan::new(&written, &evolved).unwrap();
    let mut present = Vec::new();
    let rewritten = plan.rewrite(&message, &mut present);

    match (expected, rewritten) {
        (Ok(expected), Ok(())) => {
            let plain = GenericDatumReader::builder(&reader).build().unwrap();
            let mut rest = present.as_slice();
            prop_assert_eq!(plain.read_value(&mut rest).unwrap(), expected);
            prop_assert!(rest.is_empty());
        }
        (Ok(expected), Err(why)) => {
            prop_assert!(false, "{written}\n{evolved}\nrefused: {why}\nexpected: {expected:?}");
        }
        (Err(why), Ok(())) => {
            prop_assert!(false, "{written}\n{evolved}\nread as {present:?}\nexpected: {why}");
        }
        (Err(_), Err(_)) => prop_assert!(!plan.refusals().is_empty()),
    }
    // Cut off anywhere, it is refused and not half read.
    for cut in 0..message.len() {
        let read = plan.rewrite(&message[..cut], &mut Vec::new());
        prop_assert!(read.is_err(), "{cut} of {message:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_does_what_the_reference_does(choices in proptest::collection::vec(any::<u32>(), 0..150)) {
        check(choices)?;
    }

    #[test]
    fn any_bytes_are_rewritten_or_refused(
        choices in proptest::collection::vec(any::<u32>(), 0..100),
        bytes in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut choices = Choices { left: choices.into_iter(), names: 0 };
        let written = choices.record(3);
        let plan = Plan::new(&written, &choices.evolve_kind(&written)).unwrap();
        let mut present = Vec::new();
        if plan.rewrite(&bytes, &mut present).is_ok() {
            prop_assert!(present.len() <= 64 * (bytes.len() + 1), "a few bytes become very many");
        }
    }
}

fn record(name: &str, fields: &Value) -> Value {
    let fields = fields.as_object().unwrap().iter();
    let fields = fields.map(|(name, schema)| json!({ "name": name, "type": schema }));
    json!({ "type": "record", "name": name, "fields": fields.collect::<Vec<_>>() })
}

#[test]
fn a_case_of_a_union_is_found_by_its_name() {
    let case = |name: &str| record(name, &json!({ "n": "long" }));
    let written = record("M", &json!({ "one": [case("A"), case("B"), case("C")] }));
    let evolved = record("M", &json!({ "one": [case("New"), case("B"), case("A")] }));
    let plan = Plan::new(&written, &evolved).unwrap();
    for (case, expected) in [(0, Some(vec![4, 14])), (2, Some(vec![2, 14])), (4, None)] {
        let mut present = Vec::new();
        let read = plan.rewrite(&[case, 14], &mut present);
        assert_eq!(read.ok().map(|()| present), expected, "case {case}");
    }
    assert_eq!(plan.refusals(), ["no case is C"]);
}

#[test]
fn a_decimal_stays_what_it_is_or_is_refused() {
    let decimal = |scale: u32| json!({ "type": "bytes", "logicalType": "decimal", "precision": 38, "scale": scale });
    let mut evolved = record("M", &json!({ "a": decimal(12) }));
    let added = json!({ "name": "b", "type": decimal(12), "default": "\u{00ff}\u{0000}" });
    evolved["fields"].as_array_mut().unwrap().push(added);
    let plan = Plan::new(&record("M", &json!({ "a": decimal(12) })), &evolved).unwrap();
    let mut present = Vec::new();
    plan.rewrite(&[2, 7], &mut present).unwrap();
    assert_eq!(present, [2, 7, 4, 0xff, 0]);
    let plan = Plan::new(&record("M", &json!({ "a": decimal(2) })), &evolved).unwrap();
    assert_eq!(plan.refusals(), ["2 decimal places are not 12"]);
}

mod declared {
    use drawdown_domain::ids::Text;
    use drawdown_domain::money::Amount;
    use drawdown_domain::time::{Month, Timestamp};
    use drawdown_domain::vocabulary::Described;
    use drawdown_domain::{record, symbols};
    use drawdown_wire::avro::{Plan, Symbols, decode, encode, schema_of};

    symbols! {
        pub enum Colour {
            Red = "red",
            Blue = "blue",
        }
    }

    record! {
        pub struct First {
            pub number: u32,
        }
    }

    record! {
        pub struct Second {
            /// What stood first still does.
            pub added: Option<Text>,
            pub flag: bool = true,
            pub number: u32,
            pub count: u64 = 3,
            pub amount: Amount = Amount::whole(-5),
            pub name: String = "none".to_owned(),
            pub colour: Colour = Colour::Blue,
            pub month: Month = Month::new(2026, 3),
            pub at: Timestamp = Timestamp::from_micros(1),
            pub items: Vec<First> = Vec::new(),
        }
    }

    #[test]
    fn a_field_that_was_added_has_the_default_that_it_declares() {
        let [first, second] = [First::shape(), Second::shape()]
            .map(|shape| schema_of("Record", &shape, Symbols::Closed));
        let plan = Plan::new(&first, &second).unwrap();
        assert_eq!(plan.refusals(), Vec::<String>::new());
        let mut present = Vec::new();
        plan.rewrite(&encode(&First { number: 7 }), &mut present).unwrap();
        let expected = Second {
            added: None,
            flag: true,
            number: 7,
            count: 3,
            amount: Amount::whole(-5),
            name: "none".to_owned(),
            colour: Colour::Blue,
            month: Month::new(2026, 3),
            at: Timestamp::from_micros(1),
            items: Vec::new(),
        };
        assert_eq!(decode::<Second>(&present), Ok(expected));
        apache_avro::Schema::parse(&second).unwrap();
    }
}

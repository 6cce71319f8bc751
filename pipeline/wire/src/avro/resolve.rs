//! Messages of an older schema, rewritten into the present one by the rules of Avro's schema
//! resolution: fields and cases are matched by name, a field that was added takes its default, one that
//! was removed is passed over.
//!
//! A pair of schemas is compared once and gives a plan; the plan rewrites bytes into bytes, so that
//! whatever reads the present schema reads older ones too.

use serde_json::Value;

use super::primitive::{Cursor, Truncated, put_bytes, put_long};
use super::types::{FieldType, Fields, NotASchema, Symbols, Type, long, put_default};

/// How values of one schema become values of another.
#[derive(Clone, Debug)]
pub struct Plan(Step);

/// What is done with one value of the writer's schema.
#[derive(Clone, Debug)]
enum Step {
    Nothing,
    Flag,
    Number,
    /// Bytes or text: both are a length and so many bytes.
    Bytes,
    /// For each symbol of the writer the reader's.
    Symbol(Vec<Option<i64>>),
    List(Box<Step>),
    Map(Box<Step>),
    Record(Vec<Move>),
    /// For each case of the writer what is done with its value.
    Cases(Vec<Step>),
    /// The reader has a union where the writer has none: this case of it.
    AsCase(i64, Box<Step>),
    /// The reader has nothing that such a value could be.
    Refuse(String),
}

/// What is done for one field, of the writer or of the reader.
#[derive(Clone, Debug)]
enum Move {
    Take(Step),
    /// The reader has no such field.
    Skip(Step),
    /// The writer has no such field: these bytes.
    Give(Vec<u8>),
    /// The reader has it further on.
    Hold(usize, Step),
    Release(usize),
}

/// Why a value of an older schema has no place in the present one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotResolved {
    #[error(transparent)]
    Truncated(#[from] Truncated),
    #[error("{0}")]
    Refused(String),
}

impl Plan {
    /// How values of `writer` are read as values of `reader`.
    pub fn new(writer: &Value, reader: &Value) -> Result<Plan, NotASchema> {
        resolve(&Type::parse(writer)?, &Type::parse(reader)?).map(Plan)
    }

    /// What a writer can say that the reader cannot be told.
    pub fn refusals(&self) -> Vec<String> {
        let mut refusals = Vec::new();
        self.0.collect_refusals(&mut refusals);
        refusals
    }

    /// Appends the value at the front of `value` as the reader's schema has it, and behind it whatever
    /// is left over, which its decoder refuses. After an error the items that were read before it stand.
    pub fn rewrite(&self, value: &[u8], to: &mut Vec<u8>) -> Result<(), NotResolved> {
        let mut cursor = Cursor::new(value);
        self.0.run(&mut cursor, to)?;
        to.extend_from_slice(cursor.rest());
        Ok(())
    }
}

fn resolve(writer: &Type, reader: &Type) -> Result<Step, NotASchema> {
    Ok(match (writer, reader) {
        (Type::Union(cases), reader) => {
            Step::Cases(cases.iter().map(|case| resolve(case, reader)).collect::<Result<_, _>>()?)
        }
        (writer, Type::Union(cases)) => match case_for(writer, cases) {
            Some((place, case)) => Step::AsCase(long(place), Box::new(resolve(writer, case)?)),
            None => Step::Refuse(format!("no case is {}", named(writer))),
        },
        (Type::Null, Type::Null) => Step::Nothing,
        (Type::Flag, Type::Flag) => Step::Flag,
        (Type::Int, Type::Int) | (Type::Int | Type::Long, Type::Long) => Step::Number,
        (Type::Bytes(Some(one)), Type::Bytes(Some(other))) if one != other => {
            Step::Refuse(format!("{one} decimal places are not {other}"))
        }
        (Type::Bytes(_) | Type::Text, Type::Bytes(_) | Type::Text) => Step::Bytes,
        (Type::List(writer), Type::List(reader)) => Step::List(Box::new(resolve(writer, reader)?)),
        (Type::Map(writer), Type::Map(reader)) => Step::Map(Box::new(resolve(writer, reader)?)),
        (Type::Enum(writer), Type::Enum(reader)) if writer.name == reader.name => {
            Step::Symbol(writer.symbols.iter().map(|symbol| place_of(symbol, reader)).collect())
        }
        (Type::Record(writer), Type::Record(reader)) if writer.name == reader.name => {
            resolve_record(writer, reader)?
        }
        (writer, reader) => {
            Step::Refuse(format!("{} cannot be read as {}", named(writer), named(reader)))
        }
    })
}

/// The case of a union that a value belongs to: one of its own kind before one that it can become.
fn case_for<'a>(writer: &Type, cases: &'a [Type]) -> Option<(usize, &'a Type)> {
    let becomes = |reader: &Type| {
        matches!(
            (writer, reader),
            (Type::Int, Type::Long) | (Type::Bytes(_), Type::Text) | (Type::Text, Type::Bytes(_))
        )
    };
    let mut places = cases.iter().enumerate();
    let own = places.find(|(_, case)| writer.is_kind_of(case));
    own.or_else(|| cases.iter().enumerate().find(|(_, case)| becomes(case)))
}

fn place_of(symbol: &str, reader: &Symbols) -> Option<i64> {
    let place = |symbol: &str| reader.symbols.iter().position(|known| known == symbol);
    place(symbol).or_else(|| place(reader.default.as_deref()?)).map(long)
}

/// The moves in the order in which the reader's fields are written.
fn resolve_record(writer: &Fields, reader: &Fields) -> Result<Step, NotASchema> {
    let mut moves = Vec::new();
    let mut ahead = writer.fields.iter().enumerate();
    let mut held = Vec::new();
    let wanted = |name: &str| reader.fields.iter().find(|field| field.name == name);
    for field in &reader.fields {
        let source = writer.fields.iter().position(|written| written.name == field.name);
        let Some(source) = source else {
            match default_bytes(field)? {
                Some(bytes) => moves.push(Move::Give(bytes)),
                None => return Ok(no_default(reader, field)),
            }
            continue;
        };
        if held.contains(&source) {
            moves.push(Move::Release(source));
            continue;
        }
        for (place, written) in ahead.by_ref() {
            match wanted(&written.name) {
                _ if place == source => {
                    moves.push(Move::Take(resolve(&written.shape, &field.shape)?));
                    break;
                }
                Some(later) => {
                    held.push(place);
                    moves.push(Move::Hold(place, resolve(&written.shape, &later.shape)?));
                }
                None => moves.push(Move::Skip(resolve(&written.shape, &written.shape)?)),
            }
        }
    }
    for (_, written) in ahead {
        moves.push(Move::Skip(resolve(&written.shape, &written.shape)?));
    }
    Ok(Step::Record(moves))
}

fn default_bytes(field: &FieldType) -> Result<Option<Vec<u8>>, NotASchema> {
    let Some(default) = &field.default else { return Ok(None) };
    let mut bytes = Vec::new();
    put_default(&mut bytes, &field.shape, default)?;
    Ok(Some(bytes))
}

fn no_default(record: &Fields, field: &FieldType) -> Step {
    Step::Refuse(format!(
        "{}.{} is not written and has no default; make it optional or give it one",
        record.name, field.name
    ))
}

fn named(shape: &Type) -> &str {
    match shape {
        Type::Null => "null",
        Type::Flag => "a boolean",
        Type::Int => "an int",
        Type::Long => "a long",
        Type::Bytes(_) => "bytes",
        Type::Text => "a string",
        Type::List(_) => "an array",
        Type::Map(_) => "a map",
        Type::Enum(symbols) => &symbols.name,
        Type::Record(record) => &record.name,
        Type::Union(_) => "a union",
    }
}

impl Step {
    fn run(&self, from: &mut Cursor<'_>, to: &mut Vec<u8>) -> Result<(), NotResolved> {
        match self {
            Step::Nothing => {}
            Step::Flag => to.push(from.byte()?),
            Step::Number => put_long(to, from.long()?),
            Step::Bytes => put_bytes(to, from.bytes()?),
            Step::Symbol(places) => {
                let place = *chosen(places, from.long()?)?;
                let unknown = || NotResolved::Refused("a symbol that no longer exists".to_owned());
                put_long(to, place.ok_or_else(unknown)?);
            }
            Step::List(item) => each_item(from, to, |from, to| item.run(from, to))?,
            Step::Map(value) => each_item(from, to, |from, to| {
                put_bytes(to, from.bytes()?);
                value.run(from, to)
            })?,
            Step::Record(moves) => run_record(moves, from, to)?,
            Step::Cases(cases) => chosen(cases, from.long()?)?.run(from, to)?,
            Step::AsCase(place, step) => {
                put_long(to, *place);
                step.run(from, to)?;
            }
            Step::Refuse(why) => return Err(NotResolved::Refused(why.clone())),
        }
        Ok(())
    }

    fn collect_refusals(&self, refusals: &mut Vec<String>) {
        match self {
            Step::Nothing | Step::Flag | Step::Number | Step::Bytes => {}
            Step::Symbol(places) => {
                if places.contains(&None) {
                    refusals.push("a symbol is gone".to_owned());
                }
            }
            Step::List(step) | Step::Map(step) | Step::AsCase(_, step) => {
                step.collect_refusals(refusals);
            }
            Step::Record(moves) => {
                for step in moves.iter().filter_map(Move::step) {
                    step.collect_refusals(refusals);
                }
            }
            Step::Cases(cases) => cases.iter().for_each(|case| case.collect_refusals(refusals)),
            Step::Refuse(why) => refusals.push(why.clone()),
        }
    }
}

impl Move {
    fn step(&self) -> Option<&Step> {
        match self {
            Move::Take(step) | Move::Skip(step) | Move::Hold(_, step) => Some(step),
            Move::Give(_) | Move::Release(_) => None,
        }
    }
}

fn chosen<T>(choices: &[T], place: i64) -> Result<&T, Truncated> {
    usize::try_from(place).ok().and_then(|place| choices.get(place)).ok_or(Truncated)
}

fn each_item(
    from: &mut Cursor<'_>,
    to: &mut Vec<u8>,
    mut run: impl FnMut(&mut Cursor<'_>, &mut Vec<u8>) -> Result<(), NotResolved>,
) -> Result<(), NotResolved> {
    loop {
        let count = from.block()?;
        put_long(to, i64::try_from(count).map_err(|_| Truncated)?);
        if count == 0 {
            return Ok(());
        }
        for _ in 0..count {
            let before = to.len();
            run(from, to).inspect_err(|_| to.truncate(before))?;
        }
    }
}

fn run_record(moves: &[Move], from: &mut Cursor<'_>, to: &mut Vec<u8>) -> Result<(), NotResolved> {
    let mut held: Vec<(usize, Vec<u8>)> = Vec::new();
    for step in moves {
        let before = to.len();
        match step {
            Move::Take(step) => step.run(from, to)?,
            Move::Skip(step) => {
                step.run(from, to)?;
                to.truncate(before);
            }
            Move::Give(bytes) => to.extend_from_slice(bytes),
            Move::Hold(place, step) => {
                step.run(from, to)?;
                held.push((*place, to.split_off(before)));
            }
            Move::Release(place) => {
                let bytes = held.iter().find(|(known, _)| known == place);
                bytes.into_iter().for_each(|(_, bytes)| to.extend_from_slice(bytes));
            }
        }
    }
    Ok(())
}

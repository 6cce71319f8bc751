//! One vocabulary: what a command, a fact or a piece of state is called, what it consists of and what
//! that means is declared once. Schemas, API, command line and scenario files are made from it.

/// What a value looks like from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    Flag,
    /// A whole number that stands for `meaning`, such as a minute.
    Number(&'static str),
    /// Microseconds since 1970 on the wire, RFC 3339 elsewhere.
    Instant,
    /// An exact decimal with twelve places.
    Decimal,
    /// Text that stands for `meaning`, such as an id.
    Text(&'static str),
    Bytes,
    Optional(Box<Shape>),
    List(Box<Shape>),
    Map(Box<Shape>),
    /// One of a few symbols.
    Symbol {
        name: &'static str,
        symbols: Vec<&'static str>,
    },
    Record(Record),
    /// One of several records.
    OneOf {
        name: &'static str,
        records: Vec<Record>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub name: &'static str,
    pub doc: String,
    pub fields: Vec<Field>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    pub doc: String,
    pub shape: Shape,
    /// What it is taken to say in messages from before it was added. What is optional needs none.
    pub default: Option<Given>,
}

impl Field {
    pub fn new(name: &'static str, doc: &str, shape: Shape) -> Field {
        Field { name, doc: doc.to_owned(), shape, default: None }
    }
}

/// A value that a declaration gives, as people would read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    Flag(bool),
    Number(i64),
    Text(String),
    /// A list or map without entries.
    Empty,
}

impl Given {
    /// None: a value with parts, which a field that is added later should make optional instead.
    pub fn of(value: &impl serde::Serialize) -> Option<Given> {
        match toml::Value::try_from(value).ok()? {
            toml::Value::Boolean(flag) => Some(Given::Flag(flag)),
            toml::Value::Integer(number) => Some(Given::Number(number)),
            toml::Value::String(text) => Some(Given::Text(text)),
            toml::Value::Array(items) if items.is_empty() => Some(Given::Empty),
            toml::Value::Table(entries) if entries.is_empty() => Some(Given::Empty),
            _ => None,
        }
    }
}

/// A type that can say what it looks like.
pub trait Described {
    fn shape() -> Shape;
}

/// A record by itself: what `shape` gives for a type declared by `record!`.
pub trait DescribedRecord {
    fn record() -> Record;
}

macro_rules! described {
    ($($shape:expr => $($type:ty),+;)*) => {$($(
        impl Described for $type {
            fn shape() -> Shape {
                $shape
            }
        }
    )+)*};
}

described! {
    Shape::Flag => bool;
    Shape::Number("number") => u8, u16, u32, u64, i64;
    Shape::Number("minute") => crate::time::Minute;
    Shape::Number("month") => crate::time::Month;
    Shape::Number("half-month") => crate::time::HalfMonth;
    Shape::Number("number") => crate::rating::PriceNumber, crate::rating::MeterNumber,
        crate::rating::TierNumber;
    Shape::Instant => crate::time::Timestamp;
    Shape::Decimal => crate::money::Amount;
    Shape::Text("text") => String, crate::ids::Text, compact_str::CompactString;
    Shape::Text("country") => crate::ids::Country;
    Shape::Text("time zone") => crate::time::Zone;
    Shape::Text("day") => crate::time::Day;
    Shape::Text("invoice run") => crate::runs::RunId;
    Shape::Text("span") => crate::time::Span;
    Shape::Text("enterprise") => crate::ids::EnterpriseId;
    Shape::Text("account") => crate::ids::AccountId;
    Shape::Text("billing account") => crate::ids::WalletId;
    Shape::Text("coupon") => crate::ids::CouponId;
    Shape::Text("order") => crate::ids::OrderId;
    Shape::Text("benefit") => crate::ids::BenefitId;
    Shape::Text("organisation") => crate::ids::OrganisationId;
    Shape::Text("product") => crate::ids::ProductId;
    Shape::Text("meter") => crate::ids::MeterId;
    Shape::Text("region") => crate::ids::RegionId;
    Shape::Text("payment method") => crate::ids::MethodId;
    Shape::Text("payment request") => crate::ids::RequestId;
    Shape::Text("authorization") => crate::ids::AuthorizationId;
    Shape::Text("principal") => crate::ids::PrincipalId;
    Shape::Text("enterprise or billing account") => crate::ids::ScopeId;
}

impl<T: Described> Described for Option<T> {
    fn shape() -> Shape {
        Shape::Optional(Box::new(T::shape()))
    }
}

impl<T: Described> Described for Vec<T> {
    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }
}

impl<T: Described> Described for Box<T> {
    fn shape() -> Shape {
        T::shape()
    }
}

impl<T: Described> Described for std::collections::BTreeMap<String, T> {
    fn shape() -> Shape {
        Shape::Map(Box::new(T::shape()))
    }
}

impl<T: Described, const N: usize> Described for smallvec::SmallVec<[T; N]> {
    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }
}

impl<T: Described> Described for thin_vec::ThinVec<T> {
    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }
}

impl<T: Described> Described for std::collections::VecDeque<T> {
    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }
}

/// The lines of a doc comment as one text.
pub fn doc(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// Declares a record: a struct that knows its name, its fields and what they mean.
///
/// A field that joins a released record is optional or says what it was before: `pub weight: u32 = 1,`.
#[macro_export]
macro_rules! record {
    ($(#[doc = $doc:literal])* $(#[derive($($derive:ident),*)])? pub struct $name:ident {
        $($(#[doc = $field_doc:literal])* pub $field:ident: $type:ty $(= $default:expr)?,)*
    }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq, Eq, ::serde::Serialize, ::serde::Deserialize)]
        $(#[derive($($derive),*)])?
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[doc = $field_doc])* pub $field: $type,)*
        }

        impl $crate::vocabulary::DescribedRecord for $name {
            fn record() -> $crate::vocabulary::Record {
                $crate::vocabulary::Record {
                    name: stringify!($name),
                    doc: $crate::vocabulary::doc(&[$($doc),*]),
                    fields: vec![$($crate::vocabulary::Field {
                        // `type` is a word of the language, and of the contract.
                        name: stringify!($field).trim_start_matches("r#"),
                        doc: $crate::vocabulary::doc(&[$($field_doc),*]),
                        shape: <$type as $crate::vocabulary::Described>::shape(),
                        default: None$(.or_else(|| {
                            let value: $type = $default;
                            $crate::vocabulary::Given::of(&value)
                        }))?,
                    }),*],
                }
            }
        }

        impl $crate::vocabulary::Described for $name {
            fn shape() -> $crate::vocabulary::Shape {
                $crate::vocabulary::Shape::Record(<$name as $crate::vocabulary::DescribedRecord>::record())
            }
        }
    };
}

/// Declares an enum of symbols, each with the text that stands for it.
#[macro_export]
macro_rules! symbols {
    ($(#[doc = $doc:literal])* pub enum $name:ident {
        $($(#[doc = $symbol_doc:literal])* $symbol:ident = $text:literal,)*
    }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::serde::Serialize, ::serde::Deserialize)]
        pub enum $name {
            $($(#[doc = $symbol_doc])* #[serde(rename = $text)] $symbol,)*
        }

        impl $name {
            pub const ALL: &[$name] = &[$($name::$symbol),*];

            pub const fn text(self) -> &'static str {
                match self { $($name::$symbol => $text,)* }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.text())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::vocabulary::NotASymbol;

            fn from_str(text: &str) -> Result<$name, $crate::vocabulary::NotASymbol> {
                $name::ALL.iter().copied().find(|symbol| symbol.text() == text).ok_or($crate::vocabulary::NotASymbol)
            }
        }

        impl $crate::vocabulary::Described for $name {
            fn shape() -> $crate::vocabulary::Shape {
                $crate::vocabulary::Shape::Symbol { name: stringify!($name), symbols: vec![$($text),*] }
            }
        }
    };
}

/// Declares an enum whose every case is a record of the same name.
#[macro_export]
macro_rules! one_of {
    ($(#[doc = $doc:literal])* $(#[derive($($derive:ident),*)])? pub enum $name:ident {
        $($case:ident $(in $place:ident)?),* $(,)?
    }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq, Eq, ::serde::Serialize, ::serde::Deserialize)]
        $(#[derive($($derive),*)])?
        pub enum $name {
            $($case($crate::one_of!(@held $case $(in $place)?)),)*
        }

        $(impl From<$case> for $name {
            fn from(case: $case) -> $name {
                $name::$case(case.into())
            }
        })*

        impl $crate::vocabulary::Described for $name {
            fn shape() -> $crate::vocabulary::Shape {
                $crate::vocabulary::Shape::OneOf {
                    name: stringify!($name),
                    records: vec![$(<$case as $crate::vocabulary::DescribedRecord>::record()),*],
                }
            }
        }
    };
    (@held $case:ident) => { $case };
    (@held $case:ident in $place:ident) => { $place<$case> };
}

/// A text is none of an enum's symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of the allowed symbols")]
pub struct NotASymbol;

impl Described for crate::money::Currency {
    fn shape() -> Shape {
        let symbols = crate::money::Currency::ALL.map(crate::money::Currency::code);
        Shape::Symbol { name: "Currency", symbols: symbols.to_vec() }
    }
}

impl Described for crate::refusal::Refusal {
    fn shape() -> Shape {
        let codes = crate::refusal::Refusal::ALL.iter().map(|refusal| refusal.code());
        Shape::Symbol { name: "Refusal", symbols: codes.collect() }
    }
}

impl Described for crate::usage::Reject {
    fn shape() -> Shape {
        let codes = crate::usage::Reject::ALL.map(crate::usage::Reject::code);
        Shape::Symbol { name: "Reject", symbols: codes.to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_given_is_told_if_it_has_no_parts() {
        let empty = std::collections::BTreeMap::<String, String>::new();
        assert_eq!(Given::of(&true), Some(Given::Flag(true)));
        assert_eq!(Given::of(&7), Some(Given::Number(7)));
        assert_eq!(Given::of(&"usd"), Some(Given::Text("usd".to_owned())));
        assert_eq!(Given::of(&crate::money::Amount::ONE), Some(Given::Text("1".to_owned())));
        assert_eq!(Given::of(&Vec::<u8>::new()), Some(Given::Empty));
        assert_eq!(Given::of(&empty), Some(Given::Empty));
        assert_eq!(Given::of(&vec![1]), None);
        assert_eq!(Given::of(&std::collections::BTreeMap::from([("a", "b")])), None);
    }

    #[test]
    fn a_comment_is_told_as_one_text() {
        assert_eq!(doc(&[" Two lines", " of it. "]), "Two lines of it.");
        assert_eq!(doc(&[]), "");
    }
}

//! Names of things. Each kind of name is a type of its own, so that no account can stand where a
//! billing account belongs.

use std::fmt;
use std::str::FromStr;

use compact_str::CompactString;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Why a text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to 64 of a-z 0-9 . _ -")]
pub struct NotAnId;

pub const ID_BYTES_MAX: usize = 64;

fn is_id(text: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(CompactString);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                if is_id(text) { Ok($name(CompactString::new(text))) } else { Err(NotAnId) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(FromText::<$name>(std::marker::PhantomData))
            }
        }
    )*};
}

struct FromText<T>(std::marker::PhantomData<T>);

impl<T: FromStr<Err = NotAnId>> de::Visitor<'_> for FromText<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id of 1 to 64 of a-z 0-9 . _ -")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(|why| E::custom(format_args!("\"{text}\": {why}")))
    }
}

names! {
    /// A verified legal entity; everything that shares money lies inside one.
    EnterpriseId,
    /// An identity that uses services.
    AccountId,
    /// A billing account: the wallet that pays for one or more accounts.
    WalletId,
    /// A coupon or cash coupon, within its wallet.
    CouponId,
    /// An order, within its wallet.
    OrderId,
    /// A benefit that was bought, or a coupon that can be shared like one, within its wallet.
    BenefitId,
    /// Some accounts of an enterprise that share benefits, within it.
    OrganisationId,
    /// What is sold.
    ProductId,
    /// What is measured of a product.
    MeterId,
    /// Where it runs.
    RegionId,
    /// A payment method: a card or a PayPal account.
    MethodId,
    /// A request to pay for somebody.
    RequestId,
    /// What an account was authorized to spend, within it.
    AuthorizationId,
    /// Where a role holds: the enterprise of that name, or else the billing account.
    ScopeId,
    /// Who acts: an account's root, an administrator, the operator, a key.
    PrincipalId,
}

impl RegionId {
    /// Whether a text from outside can be a region at all.
    #[inline]
    pub fn is_one(text: &str) -> bool {
        is_id(text)
    }
}

impl AccountId {
    /// Who acts as its root: he is called as it is.
    pub fn root(&self) -> PrincipalId {
        PrincipalId(self.0.clone())
    }
}

impl WalletId {
    /// The name of an account's own billing account, unless it is given another (CONTRACT, `open_account`).
    pub fn own_of(account: &AccountId) -> Option<WalletId> {
        compact_str::format_compact!("ba-{account}").parse().ok()
    }
}

impl BenefitId {
    /// The order by which it was bought.
    pub fn order(&self) -> OrderId {
        OrderId(self.0.clone())
    }

    /// The coupon of this name, if there is one.
    pub fn coupon(&self) -> CouponId {
        CouponId(self.0.clone())
    }

    /// Whether an order or coupon has this name.
    pub fn is_called(&self, name: &str) -> bool {
        self.0 == name
    }
}

impl From<&OrderId> for BenefitId {
    fn from(order: &OrderId) -> BenefitId {
        BenefitId(order.0.clone())
    }
}

impl From<&CouponId> for BenefitId {
    fn from(coupon: &CouponId) -> BenefitId {
        BenefitId(coupon.0.clone())
    }
}

impl ScopeId {
    /// The enterprise of this name, if there is one.
    pub fn enterprise(&self) -> EnterpriseId {
        EnterpriseId(self.0.clone())
    }

    /// The billing account of this name, if there is one.
    pub fn wallet(&self) -> WalletId {
        WalletId(self.0.clone())
    }
}

impl PrincipalId {
    /// The operator of the platform, who may do all.
    pub fn operator() -> PrincipalId {
        PrincipalId(CompactString::const_new("operator"))
    }

    /// The account that is called so, if there is one: he is its root.
    pub fn account(&self) -> AccountId {
        AccountId(self.0.clone())
    }

    /// Whether somebody acts under the name of this account: as its root.
    pub fn is_root_of(&self, account: &AccountId) -> bool {
        self.0 == account.0
    }

    /// Stands for whoever asked in a way that cannot be read.
    pub fn unknown() -> PrincipalId {
        PrincipalId(CompactString::const_new("unknown"))
    }
}

/// Free text of bounded length: names, remarks, reasons.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct Text(CompactString);

pub const TEXT_BYTES_MAX: usize = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a text has at most {TEXT_BYTES_MAX} bytes and no control characters")]
pub struct NotAText;

impl Text {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Text {
    /// As much of a foreign text as a text can hold, with blanks for control characters.
    pub fn fitting(foreign: &str) -> Text {
        let mut kept = CompactString::default();
        for c in foreign.chars().map(|c| if c.is_control() { ' ' } else { c }) {
            if kept.len().saturating_add(c.len_utf8()) > TEXT_BYTES_MAX {
                break;
            }
            kept.push(c);
        }
        Text(kept)
    }
}

impl FromStr for Text {
    type Err = NotAText;

    fn from_str(text: &str) -> Result<Text, NotAText> {
        if text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control) {
            return Err(NotAText);
        }
        Ok(Text(CompactString::new(text)))
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0.as_str(), f)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        let text = CompactString::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// A country by its two letters of ISO 3166.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a country is two capital letters, such as SG")]
pub struct NotACountry;

/// The codes that ISO 3166-1 has assigned.
const ASSIGNED: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS \
    BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE \
    EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM \
    HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC \
    LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA \
    NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW \
    SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO \
    TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

impl Country {
    /// Whether there is a country of that code.
    pub fn is_assigned(self) -> bool {
        ASSIGNED.split(' ').any(|code| code == self.as_str())
    }

    pub const SINGAPORE: Country = Country(*b"SG");
    pub const MALAYSIA: Country = Country(*b"MY");

    /// The member states of the European Union.
    pub const EUROPEAN_UNION: [Country; 27] = [
        Country(*b"AT"),
        Country(*b"BE"),
        Country(*b"BG"),
        Country(*b"CY"),
        Country(*b"CZ"),
        Country(*b"DE"),
        Country(*b"DK"),
        Country(*b"EE"),
        Country(*b"ES"),
        Country(*b"FI"),
        Country(*b"FR"),
        Country(*b"GR"),
        Country(*b"HR"),
        Country(*b"HU"),
        Country(*b"IE"),
        Country(*b"IT"),
        Country(*b"LT"),
        Country(*b"LU"),
        Country(*b"LV"),
        Country(*b"MT"),
        Country(*b"NL"),
        Country(*b"PL"),
        Country(*b"PT"),
        Country(*b"RO"),
        Country(*b"SE"),
        Country(*b"SI"),
        Country(*b"SK"),
    ];

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The currency a billing account opens in unless another is named (R1.4).
    pub fn currency(self) -> crate::money::Currency {
        use crate::money::Currency;
        match self.as_str() {
            "SG" => Currency::Sgd,
            "HK" => Currency::Hkd,
            "CN" => Currency::Cny,
            "AE" => Currency::Aed,
            "AU" => Currency::Aud,
            "JP" => Currency::Jpy,
            "AT" | "BE" | "BG" | "CY" | "DE" | "EE" | "ES" | "FI" | "FR" | "GR" | "HR" | "IE"
            | "IT" | "LT" | "LU" | "LV" | "MT" | "NL" | "PT" | "SI" | "SK" => Currency::Eur,
            _ => Currency::Usd,
        }
    }
}

impl FromStr for Country {
    type Err = NotACountry;

    fn from_str(text: &str) -> Result<Country, NotACountry> {
        match text.as_bytes() {
            [a @ b'A'..=b'Z', b @ b'A'..=b'Z'] => Ok(Country([*a, *b])),
            _ => Err(NotACountry),
        }
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Country {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Country {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Country, D::Error> {
        let text = CompactString::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_1_to_64_of_the_allowed_characters() {
        for good in ["a", "ba-acme", "e1.a_2-x", &"x".repeat(64)] {
            assert_eq!(good.parse::<AccountId>().unwrap().as_str(), good);
        }
        for bad in ["", "Acme", "a b", "ä", &"x".repeat(65), "a/b"] {
            assert_eq!(bad.parse::<AccountId>(), Err(NotAnId), "{bad}");
        }
    }

    #[test]
    fn a_foreign_text_is_cut_to_what_a_text_can_hold() {
        assert_eq!(Text::fitting("a\r\nb").as_str(), "a  b");
        let long = "é".repeat(TEXT_BYTES_MAX);
        let kept = Text::fitting(&long);
        assert_eq!(kept.as_str().len(), TEXT_BYTES_MAX);
        assert_eq!(kept.as_str().parse(), Ok(kept.clone()));
    }

    #[test]
    fn r1_4_a_billing_account_opens_in_its_countrys_currency() {
        let currency = |country: &str| country.parse::<Country>().unwrap().currency().code();
        assert_eq!(
            ["SG", "DE", "CN", "JP", "US", "BR"].map(currency),
            ["SGD", "EUR", "CNY", "JPY", "USD", "USD"]
        );
        assert_eq!(["HK", "AE", "AU", "GB"].map(currency), ["HKD", "AED", "AUD", "USD"]);
        let euro = "AT BE BG CY DE EE ES FI FR GR HR IE IT LT LU LV MT NL PT SI SK";
        for country in euro.split(' ') {
            assert_eq!(currency(country), "EUR", "R1.4: {country}");
        }
    }

    #[test]
    fn an_id_of_another_kind_has_the_same_letters() {
        for (text, is_one) in [("eu-1", true), ("", false), ("EU", false), ("eu 1", false)] {
            assert_eq!(RegionId::is_one(text), is_one, "{text}");
        }
        let (benefit, other): (BenefitId, BenefitId) =
            ("saver".parse().unwrap(), "other".parse().unwrap());
        assert!(benefit.is_called("saver") && !other.is_called("saver"));
        let (account, root): (AccountId, PrincipalId) =
            ("ann".parse().unwrap(), "ann".parse().unwrap());
        assert!(root.is_root_of(&account) && !PrincipalId::operator().is_root_of(&account));
        assert_eq!((account.root(), root.account()), (root, account));
        let wrong = serde_json::from_str::<AccountId>("5").unwrap_err().to_string();
        assert!(wrong.contains("expected an id of 1 to 64 of a-z 0-9 . _ -"), "{wrong}");
        let wrong = serde_json::from_str::<AccountId>("\"A\"").unwrap_err().to_string();
        assert!(wrong.starts_with("\"A\": an id has 1 to 64"), "{wrong}");
    }

    /// The account's name with `ba-` before it, where that is an id.
    #[test]
    fn an_account_that_is_called_too_long_has_no_billing_account_of_its_own() {
        let own = |length: usize| WalletId::own_of(&"a".repeat(length).parse().unwrap());
        assert_eq!(own(1).unwrap().as_str(), "ba-a");
        assert_eq!(own(61).unwrap().as_str(), format!("ba-{}", "a".repeat(61)));
        assert_eq!(own(62), None);
    }

    #[test]
    fn a_text_has_at_most_so_many_bytes_and_no_control_characters() {
        let most = "x".repeat(TEXT_BYTES_MAX);
        for good in ["", "two words, and a ü", &most] {
            let text: Text = good.parse().unwrap();
            assert_eq!((text.as_str(), text.to_string().as_str()), (good, good));
            assert_eq!(format!("{text:?}"), format!("{good:?}"));
            let json = serde_json::to_string(good).unwrap();
            assert_eq!(serde_json::from_str::<Text>(&json).unwrap(), text);
        }
        for bad in ["a\nb", "\u{7f}", &format!("{most}x"), &format!("{most}xy")] {
            assert_eq!(bad.parse::<Text>(), Err(NotAText), "{bad:?}");
            assert!(serde_json::from_value::<Text>(bad.into()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_country_is_two_capital_letters_that_iso_3166_may_know() {
        for (text, assigned) in
            [("SG", true), ("AD", true), ("ZW", true), ("ZZ", false), ("UK", false)]
        {
            let country: Country = text.parse().unwrap();
            assert_eq!((country.as_str(), country.is_assigned()), (text, assigned), "{text}");
            assert_eq!((country.to_string(), format!("{country:?}")), (text.into(), text.into()));
        }
        for bad in ["", "S", "sg", "Sg", "SGP", "S1"] {
            assert_eq!(bad.parse::<Country>(), Err(NotACountry), "{bad}");
        }
    }
}

//! In which language an invoice speaks, and how numbers and days are written there.

use drawdown_domain::ids::Country;
use drawdown_domain::invoices::Invoice;
use drawdown_domain::money::{Amount, Currency};
use drawdown_domain::time::Day;

/// A language we have words in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    English,
    German,
    French,
    Spanish,
    SimplifiedChinese,
    TraditionalChinese,
    Japanese,
    Arabic,
}

impl Language {
    /// In the order of the columns of `countries.tsv`.
    pub const ALL: [Language; 8] = [
        Language::English,
        Language::German,
        Language::French,
        Language::Spanish,
        Language::SimplifiedChinese,
        Language::TraditionalChinese,
        Language::Japanese,
        Language::Arabic,
    ];

    /// The language that was asked for, if we have words in it, else that of the registered country (R12.3).
    pub fn of(invoice: &Invoice) -> Language {
        let asked = invoice.language.as_ref().and_then(|asked| Language::named(asked.as_str()));
        asked.unwrap_or_else(|| Language::of_country(invoice.country))
    }

    /// By a tag such as `de`, `de-AT` or `zh-Hant`.
    fn named(tag: &str) -> Option<Language> {
        let tag = tag.to_ascii_lowercase().replace('_', "-");
        let (language, rest) = tag.split_once('-').unwrap_or((&tag, ""));
        match language {
            "en" => Some(Language::English),
            "de" => Some(Language::German),
            "fr" => Some(Language::French),
            "es" => Some(Language::Spanish),
            "zh" if ["hant", "tw", "hk", "mo"].iter().any(|part| rest.starts_with(part)) => {
                Some(Language::TraditionalChinese)
            }
            "zh" => Some(Language::SimplifiedChinese),
            "ja" => Some(Language::Japanese),
            "ar" => Some(Language::Arabic),
            _ => None,
        }
    }

    /// Where several are spoken, one that business is done in; English where we have none of them.
    fn of_country(country: Country) -> Language {
        match country.as_str() {
            "DE" | "AT" | "CH" | "LI" => Language::German,
            "FR" | "MC" | "LU" | "BF" | "BJ" | "CD" | "CF" | "CG" | "CI" | "GA" | "GF" | "GN"
            | "GP" | "HT" | "ML" | "MQ" | "NC" | "NE" | "PF" | "RE" | "SN" | "TG" | "YT" => {
                Language::French
            }
            "ES" | "AR" | "BO" | "CL" | "CO" | "CR" | "CU" | "DO" | "EC" | "GQ" | "GT" | "HN"
            | "MX" | "NI" | "PA" | "PE" | "PR" | "PY" | "SV" | "UY" | "VE" => Language::Spanish,
            "CN" => Language::SimplifiedChinese,
            "HK" | "MO" | "TW" => Language::TraditionalChinese,
            "JP" => Language::Japanese,
            "AE" | "BH" | "DJ" | "DZ" | "EG" | "IQ" | "JO" | "KM" | "KW" | "LB" | "LY" | "MA"
            | "MR" | "OM" | "PS" | "QA" | "SA" | "SD" | "SY" | "TN" | "YE" => Language::Arabic,
            _ => Language::English,
        }
    }

    /// As BCP 47 calls it: the language, and where that tells them apart the region.
    pub(crate) const fn tag(self) -> (&'static str, Option<&'static str>) {
        match self {
            Language::English => ("en", None),
            Language::German => ("de", None),
            Language::French => ("fr", None),
            Language::Spanish => ("es", None),
            Language::SimplifiedChinese => ("zh", Some("CN")),
            Language::TraditionalChinese => ("zh", Some("TW")),
            Language::Japanese => ("ja", None),
            Language::Arabic => ("ar", None),
        }
    }

    /// The tag as a page of HTML has it.
    pub const fn html(self) -> &'static str {
        match self {
            Language::SimplifiedChinese => "zh-Hans",
            Language::TraditionalChinese => "zh-Hant",
            other => other.tag().0,
        }
    }

    pub const fn is_right_to_left(self) -> bool {
        matches!(self, Language::Arabic)
    }

    /// The family that has ideographs in the shape its readers know.
    pub(crate) const fn ideographs(self) -> &'static str {
        match self {
            Language::TraditionalChinese => "Noto Sans CJK TC",
            Language::Japanese => "Noto Sans CJK JP",
            _ => "Noto Sans CJK SC",
        }
    }

    /// What stands between groups of three digits, and before the decimals. Arabic has Western digits, as
    /// on invoices of the Gulf.
    const fn separators(self) -> (char, char) {
        match self {
            Language::German | Language::Spanish => ('.', ','),
            Language::French => ('\u{202f}', ','),
            Language::English
            | Language::SimplifiedChinese
            | Language::TraditionalChinese
            | Language::Japanese
            | Language::Arabic => (',', '.'),
        }
    }

    /// A number as it is, in groups of three digits.
    pub(crate) fn number(self, amount: Amount) -> String {
        self.grouped(&amount.to_string(), 0)
    }

    /// An amount of money, to the minor unit.
    pub fn money(self, amount: Amount, currency: Currency) -> String {
        let unit = currency.minor_unit().to_string();
        let places = unit.split_once('.').map_or(0, |(_, places)| places.len());
        self.grouped(&amount.to_string(), places)
    }

    fn grouped(self, number: &str, places: usize) -> String {
        let (group, point) = self.separators();
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = whole.trim_start_matches('-');
        let mut written = String::new();
        if digits.len() < whole.len() {
            written.push('-');
        }
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && digits.len().saturating_sub(place).is_multiple_of(3) {
                written.push(group);
            }
            written.push(digit);
        }
        if places.max(fraction.len()) > 0 {
            written.push(point);
        }
        written + &format!("{fraction:0<places$}")
    }

    /// A rate such as 0.09, as percent.
    pub(crate) fn percent(self, rate: Amount) -> String {
        let percent = rate.many(100).map_or_else(|_| rate.to_string(), |rate| self.number(rate));
        match self {
            Language::German | Language::French | Language::Spanish => {
                format!("{percent}\u{a0}%")
            }
            _ => format!("{percent}%"),
        }
    }

    pub(crate) fn day(self, day: Day) -> String {
        let (year, month, of_month) = (day.year(), day.month(), day.of_month());
        let named = |months: &[&'static str; 12]| {
            months.get(usize::from(month).saturating_sub(1)).copied().unwrap_or_default()
        };
        match self {
            Language::English => format!("{of_month} {} {year}", named(&ENGLISH)),
            Language::German => format!("{of_month}. {} {year}", named(&GERMAN)),
            Language::French if of_month == 1 => format!("1er {} {year}", named(&FRENCH)),
            Language::French => format!("{of_month} {} {year}", named(&FRENCH)),
            Language::Spanish => format!("{of_month} de {} de {year}", named(&SPANISH)),
            Language::SimplifiedChinese | Language::TraditionalChinese | Language::Japanese => {
                format!("{year}年{month}月{of_month}日")
            }
            Language::Arabic => format!("{of_month} {} {year}", named(&ARABIC)),
        }
    }
}

const ENGLISH: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const GERMAN: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];
const FRENCH: [&str; 12] = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];
const SPANISH: [&str; 12] = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
];
const ARABIC: [&str; 12] = [
    "يناير",
    "فبراير",
    "مارس",
    "أبريل",
    "مايو",
    "يونيو",
    "يوليو",
    "أغسطس",
    "سبتمبر",
    "أكتوبر",
    "نوفمبر",
    "ديسمبر",
];

/// The name of a country, or its code if it has none.
pub(crate) fn country(code: Country, language: Language) -> String {
    let column = Language::ALL.iter().position(|known| *known == language).unwrap_or(0);
    let rows = include_str!("countries.tsv").lines();
    let mut found = rows.filter_map(|row| row.split_once('\t'));
    let names = found.find(|(known, _)| *known == code.as_str()).map(|(_, names)| names);
    let name = names.and_then(|names| names.split('\t').nth(column));
    name.unwrap_or(code.as_str()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_days_are_written_as_each_language_has_them() {
        let amount = "-1234567.5".parse().unwrap();
        let day = "2026-03-01".parse().unwrap();
        for (language, money, date) in [
            (Language::English, "-1,234,567.50", "1 March 2026"),
            (Language::German, "-1.234.567,50", "1. März 2026"),
            (Language::French, "-1\u{202f}234\u{202f}567,50", "1er mars 2026"),
            (Language::Spanish, "-1.234.567,50", "1 de marzo de 2026"),
            (Language::SimplifiedChinese, "-1,234,567.50", "2026年3月1日"),
            (Language::TraditionalChinese, "-1,234,567.50", "2026年3月1日"),
            (Language::Japanese, "-1,234,567.50", "2026年3月1日"),
            (Language::Arabic, "-1,234,567.50", "1 مارس 2026"),
        ] {
            assert_eq!(language.money(amount, Currency::Usd), money);
            assert_eq!(language.day(day), date);
        }
        assert_eq!(Language::Japanese.money("1234".parse().unwrap(), Currency::Jpy), "1,234");
        assert_eq!(Language::German.number("0.000000000001".parse().unwrap()), "0,000000000001");
        assert_eq!(Language::French.percent("0.055".parse().unwrap()), "5,5\u{a0}%");
        assert_eq!(Language::English.percent("0.09".parse().unwrap()), "9%");
    }

    #[test]
    fn r12_3_the_language_is_the_registered_countrys_unless_another_is_asked_for() {
        for (country, expected) in [
            ("SG", Language::English),
            ("AT", Language::German),
            ("CI", Language::French),
            ("MX", Language::Spanish),
            ("CN", Language::SimplifiedChinese),
            ("HK", Language::TraditionalChinese),
            ("JP", Language::Japanese),
            ("SA", Language::Arabic),
            ("FI", Language::English),
        ] {
            assert_eq!(Language::of_country(country.parse().unwrap()), expected, "{country}");
        }
        assert_eq!(Language::named("de_AT"), Some(Language::German));
        assert_eq!(Language::named("zh-Hant-HK"), Some(Language::TraditionalChinese));
        assert_eq!(Language::named("zh"), Some(Language::SimplifiedChinese));
        assert_eq!(Language::named("tlh"), None);
    }

    #[test]
    fn every_country_has_a_name_in_every_language() {
        let rows = include_str!("countries.tsv").lines().filter(|row| !row.starts_with('#'));
        let mut count = 0;
        for row in rows {
            let columns: Vec<&str> = row.split('\t').collect();
            assert!(columns.len() == 9 && columns.iter().all(|name| !name.is_empty()), "{row}");
            assert!(columns[0].parse::<Country>().is_ok(), "{row}");
            count += 1;
        }
        assert_eq!(count, 249);
        let name = |language| country("JP".parse().unwrap(), language);
        assert_eq!(Language::ALL.map(name)[..4], ["Japan", "Japan", "Japon", "Japón"]);
        assert_eq!(country("XX".parse().unwrap(), Language::German), "XX");
    }
}

//! R12.4: numbers as they are written in each country, and the same with one digit or letter wrong.

use super::*;

fn read(country: &str, number: &str) -> Result<TaxId, NotATaxId> {
    TaxId::read(country.parse().unwrap(), number)
}

/// A country, a number, and one that is none.
const NUMBERS: &[(&str, &str, &str)] = &[
    ("AT", "ATU13585627", "ATU13585626"),
    ("BE", "BE 0428.759.497", "BE 0428.759.498"),
    ("BE", "428759497", "431150351"),
    ("BG", "BG175074752", "BG175074751"),
    ("CY", "CY-10259033P", "CY-10259033Z"),
    ("CZ", "CZ 25123891", "CZ 25123890"),
    ("CZ", "CZ640903926", "CZ640903927"),
    ("CZ", "CZ7103192745", "CZ7103192746"),
    ("CZ", "CZ495107001", "CZ491307001"),
    ("CZ", "CZ530710700", "CZ540710700"),
    ("DE", "DE 136 695 976", "DE136695978"),
    ("DE", "136695976", "036695976"),
    ("DK", "DK 13585628", "DK 13585627"),
    ("EE", "EE 100 931 558", "EE 100 931 559"),
    ("ES", "ES 54362315-K", "ES 54362315-Z"),
    ("ES", "ESX2482300W", "ESX2482300A"),
    ("ES", "ESY1234567X", "ESY1234567L"),
    ("ES", "ESZ1234567R", "ESZ1234567X"),
    ("ES", "ESA13585625", "ESA13585626"),
    ("FI", "FI 20774740", "FI 20774741"),
    ("FR", "Fr 40 303 265 045", "Fr 84 323 140 391"),
    ("FR", "FR23334175221", "FR24334175221"),
    ("FR", "FRK7399859412", "FRK7399859413"),
    ("FR", "FR4Z123456782", "FR4A123456782"),
    ("FR", "FRAC123456782", "FRAB123456782"),
    // A company of Monaco, and one of France whose key fits and whose own digits do not.
    ("FR", "FR53000004605", "FR81323140391"),
    ("GR", "EL 094259216", "EL 123456781"),
    ("GR", "094259216", "094259217"),
    ("HR", "HR 33392005961", "HR 33392005962"),
    ("HU", "HU-12892312", "HU-12892313"),
    ("IE", "IE 6433435F", "IE 6433435E"),
    ("IE", "IE6433435OA", "IE6433435OB"),
    ("IE", "IE8D79739I", "IE8D79738J"),
    ("IT", "IT 00743110157", "IT 00743110158"),
    ("LT", "LT119511515", "LT100001919018"),
    ("LT", "LT100001919017", "LT119511516"),
    ("LU", "LU 150 274 42", "LU 150 274 43"),
    ("LV", "LV 4000 3521 600", "LV 40003521601"),
    ("LV", "LV16117519997", "LV16117519998"),
    // The digits of a company and those of a person are weighed differently.
    ("LV", "LV50103203600", "LV50103203608"),
    ("LV", "LV31018098766", "LV31018098769"),
    ("LV", "LV32123456789", "LV3212345678"),
    ("MT", "MT 1167-9112", "MT 1167-9113"),
    ("NL", "NL 004495445B01", "NL 123456789B90"),
    ("NL", "NL 123456789B13", "NL 004495445B00"),
    ("PL", "PL 8567346215", "PL 8567346216"),
    ("PT", "PT 501 964 843", "PT 501 964 842"),
    ("RO", "RO 185 472 90", "RO 185 472 91"),
    ("SE", "SE 123456789701", "SE 123456789101"),
    ("SI", "SI 5022 3054", "SI 50223055"),
    ("SK", "SK 202 274 96 19", "SK 202 274 96 18"),
    ("GB", "GB 980 7806 84", "GB 802311781"),
    ("GB", "GB 980 7806 84 001", "GB 980 7806 85 001"),
    ("GB", "GBGD001", "GBGD500"),
    ("GB", "HA500", "HA499"),
    ("AU", "51 824 753 556", "51 824 753 557"),
    ("AU", "ABN 83 914 571 673", "99 999 999 999"),
    ("NZ", "49-091-850", "49-091-851"),
    ("NZ", "136-410-132", "136-410-133"),
    ("CH", "CHE-107.787.577 IVA", "CHE-107.787.578 IVA"),
    ("NO", "NO 995 525 828 MVA", "NO 995 525 829 MVA"),
];

#[test]
fn r12_4_a_number_is_checked_by_the_rule_of_its_country() {
    for (country, number, broken) in NUMBERS {
        assert!(read(country, number).is_ok(), "{country} {number}");
        assert!(read(country, broken).is_err(), "{country} {broken}");
    }
    // A number too long, too short, or of another kind is none either.
    for (country, number, _) in NUMBERS {
        let longer = format!("{number}7");
        assert!(read(country, &longer).is_err(), "{country} {longer}");
        for other in ["", "1", "DE", "ATU", "ÄÖÜß", "0000000000000000000000"] {
            assert!(read(country, other).is_err(), "{country} {other}");
        }
    }
    let every: Vec<&str> = NUMBERS.iter().map(|(country, ..)| *country).collect();
    assert!(Country::EUROPEAN_UNION.iter().all(|state| every.contains(&state.as_str())));
}

/// R12.4: digits that check each other do not make a number of what is none for another reason.
#[test]
fn r12_4_digits_that_check_each_other_are_not_enough() {
    for (country, number) in [
        ("SE", "SE123456789700"),
        ("IE", "IE6433435OAB"),
        ("IT", "00000000018"),
        ("IT", "00000011015"),
        ("GB", "980780684ABC"),
    ] {
        assert_eq!(read(country, number), Err(NotATaxId), "{country} {number}");
    }
}

#[test]
fn r12_4_where_no_rule_is_known_a_number_is_taken_as_it_is() {
    for (country, number) in [("SG", "200000000A"), ("US", "12-3456789"), ("IN", "BE"), ("US", "")]
    {
        assert_eq!(read(country, number), Ok(TaxId::Other), "{country} {number}");
    }
}

#[test]
fn r12_4_who_pays_the_tax_where_he_is_registered() {
    for (country, number, issuer, reverse) in [
        ("DE", "DE136695976", "SG", true),
        ("DE", "136695976", "IE", true),
        ("DE", "DE136695976", "DE", false),
        // A number of another member state counts where it is of.
        ("DE", "ATU13585627", "DE", true),
        ("AT", "DE136695976", "DE", false),
        ("GR", "EL094259216", "GR", false),
        ("AU", "51824753556", "SG", true),
        ("AU", "51824753556", "AU", false),
        ("GB", "GB980780684", "SG", false),
        ("CH", "CHE107787577", "SG", false),
        ("SG", "DE136695976", "SG", false),
    ] {
        let read = read(country, number).unwrap();
        let reversed = read.is_charged_in_reverse(issuer.parse().unwrap());
        assert_eq!(reversed, reverse, "{country} {number} {issuer}");
    }
}

//! What a reader of the PDF finds, by a reader that nobody here wrote: poppler's.

#![allow(clippy::unwrap_used, clippy::expect_used)] // tests, all of it

mod invoices;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use drawdown_documents::{FOLDERS, Fonts, NoFonts, PaidSoFar, Press};
use drawdown_domain::invoices::{Invoice, InvoiceType, TaxNote};
use drawdown_domain::money::Currency;

use invoices::{amount, invoice, long, settled, tiered};

static PRESS: LazyLock<Press> =
    LazyLock::new(|| Press::new(Fonts::find(&FOLDERS.map(PathBuf::from)).unwrap()));

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| {
        panic!("{program}: {error}; poppler-utils has it (make prepare installs it)")
    });
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A PDF in a folder of its own; or in one that is named, to be looked at.
struct Made {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Made {
    fn of(name: &str, invoice: &Invoice) -> Made {
        let folder = tempfile::tempdir().unwrap();
        let pdf = PRESS.invoice(invoice).unwrap();
        let path = folder.path().join(format!("{name}.pdf"));
        std::fs::write(&path, &pdf).unwrap();
        if let Some(kept) = std::env::var_os("DRAWDOWN_TEST_INVOICES") {
            std::fs::write(Path::new(&kept).join(format!("{name}.pdf")), &pdf).unwrap();
        }
        Made { path, _folder: folder }
    }

    fn file(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// The text as it stands on the page, line by line, with runs of blanks as one.
    fn lines(&self) -> Vec<String> {
        let text = drawdown_components::pdf_text(&self.path).unwrap();
        // Where a direction changes is of no interest here, nor which blanks do not break.
        let text = text.replace(['\u{202a}', '\u{202b}', '\u{202c}', '\u{200f}', '\u{200e}'], "");
        let text = text.replace(['\u{a0}', '\u{202f}'], " ");
        text.lines()
            .map(|line| {
                line.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
            })
            .collect()
    }
}

/// Every text stands on a line, and in this order from above; on one line they may be in any.
fn check(name: &str, invoice: &Invoice, says: &[&str]) {
    let lines = Made::of(name, invoice).lines();
    let mut from = 0;
    for said in says {
        let found = lines[from..].iter().position(|line| line.contains(said));
        let Some(found) = found else {
            panic!("{name}: {said:?} is not where it should be in\n{}", lines.join("\n"));
        };
        from += found;
    }
}

#[test]
fn r12_3_an_invoice_says_who_when_what_for_and_how_much() {
    check(
        "en",
        &invoice("Acme Söhne & Co", "GB"),
        &[
            "Drawdown Cloud Pte. Ltd.",
            "1 Example Quay, Singapore 018000",
            "Tax ID: GST 200000000A",
            "SG-2026-000042",
            "16 March 2026",
            "1 March 2026 – 15 March 2026",
            "United Kingdom",
            "Tax ID: DE136695976",
            "USD 16,527.66",
            "Description",
            "Account acme 12,938.78",
            "ai / tokens_out 12,345,678 617.28",
            "compute / vcpu_hours · ap-1 1,234.5 12,345.00",
            "compute / vcpu_hours · eu-1 0.000000000001 0.00",
            "compute / vcpu_hours · eu-1 · Late usage or correction -12.25 -122.50",
            "compute / ord-7 · Order 99.00",
            "Account acme-research 1,000.00",
            "storage / gib_hours · eu-1 88,412.75 1,000.00",
            "Coupons -50.00",
            "Rounding 0.01",
            "Net amount USD 13,888.79",
            "Tax 19% USD 2,638.87",
            "Total USD 16,527.66",
            "Each line is rounded by itself; “Rounding” is the difference from the amount billed.",
            "Top-ups in this period",
            "not part of the total",
            "2 March 2026 visa-1 5,000.00",
            "10 March 2026 Bank transfer 250.50",
            "All dates are in the time zone Asia/Singapore.",
            "Page 1 of 1",
        ],
    );
}

#[test]
fn r12_3_the_language_is_that_of_the_registered_country() {
    let in_german = [
        "Rechnung",
        "16. März 2026",
        "1. März 2026 – 15. März 2026",
        "Deutschland",
        "Gesamtbetrag USD 16.527,66",
        "Konto acme 12.938,78",
        "1.234,5 12.345,00",
        "Gutscheine -50,00",
        "Nettobetrag USD 13.888,79",
        "Umsatzsteuer 19 % USD 2.638,87",
        "Seite 1 von 1",
    ];
    check("de", &invoice("Müller Straßenbau GmbH", "DE"), &in_german);
    let in_french = [
        "Facture",
        "16 mars 2026",
        "1er mars 2026 – 15 mars 2026",
        "Total TTC USD 16 527,66",
        "Compte acme 12 938,78",
        "Bons de réduction -50,00",
        "Total HT USD 13 888,79",
        "Taxes 19 % USD 2 638,87",
        "Page 1 sur 1",
    ];
    check("fr", &invoice("Société Générale d’Œuvres", "FR"), &in_french);
    let in_spanish = [
        "Factura",
        "16 de marzo de 2026",
        "México",
        "Total USD 16.527,66",
        "Cupones -50,00",
        "Base imponible USD 13.888,79",
        "Impuestos 19 % USD 2.638,87",
        "Página 1 de 1",
    ];
    check("es", &invoice("Compañía Peñafiel, S.A.", "MX"), &in_spanish);
    let in_chinese = [
        "发票",
        "上海云端科技有限公司",
        "2026年3月16日",
        "2026年3月1日 – 2026年3月15日",
        "中国",
        "合计 USD 16,527.66",
        "优惠券 -50.00",
        "不含税金额 USD 13,888.79",
        "税额 19% USD 2,638.87",
        "第 1 页，共 1 页",
    ];
    check("zh", &invoice("上海云端科技有限公司", "CN"), &in_chinese);
    check(
        "zh-Hant",
        &invoice("臺灣雲端股份有限公司", "TW"),
        &["發票", "臺灣雲端股份有限公司", "總計 USD 16,527.66", "第 1 頁，共 1 頁"],
    );
    let in_japanese = [
        "請求書",
        "株式会社クラウド",
        "2026年3月16日",
        "合計 USD 16,527.66",
        "クーポン -50.00",
        "税抜金額 USD 13,888.79",
        "税額 19% USD 2,638.87",
        "1 / 1 ページ",
    ];
    check("ja", &invoice("株式会社クラウド", "JP"), &in_japanese);
}

#[test]
fn r12_3_a_line_says_which_tier_it_is_in_the_words_of_its_language() {
    let in_english = [
        "ai / tokens_out 12,345,678 617.28",
        "compute / vcpu_hours · ap-1 · tier 1 1,000 10,000.00",
        "compute / vcpu_hours · ap-1 · tier 2 234.5 2,345.00",
        "compute / vcpu_hours · ap-1 · tier 12 · Late usage or correction 1 0.00",
        "compute / vcpu_hours · eu-1 0.000000000001 0.00",
    ];
    check("tiers-en", &tiered("Acme", "GB"), &in_english);
    for (country, says) in [
        ("DE", ["· Preisstaffel 1 1.000 10.000,00", "· Preisstaffel 2 234,5 2.345,00"]),
        ("FR", ["· tranche 1 1 000 10 000,00", "· tranche 2 234,5 2 345,00"]),
        ("MX", ["· tramo 1 1.000 10.000,00", "· tramo 2 234,5 2.345,00"]),
        ("CN", ["· 第 1 档 1,000 10,000.00", "· 第 2 档 234.5 2,345.00"]),
        ("TW", ["· 第 1 級距 1,000 10,000.00", "· 第 2 級距 234.5 2,345.00"]),
        ("JP", ["· 第 1 段階 1,000 10,000.00", "· 第 2 段階 234.5 2,345.00"]),
    ] {
        check(&format!("tiers-{country}"), &tiered("Acme", country), &says);
    }
    let lines = Made::of("tiers-AE", &tiered("Acme", "AE")).lines();
    let of_tier = |figure: &str| {
        let is = |line: &&String| line.contains("الشريحة") && line.contains(figure);
        assert!(lines.iter().any(|line| is(&line)), "{figure} is not in\n{}", lines.join("\n"));
    };
    ["10,000.00", "2,345.00"].into_iter().for_each(of_tier);
}

/// What is written from the right has its figures from the left, each digit and sign in its place.
#[test]
fn r12_7_arabic_stands_from_the_right_and_its_figures_from_the_left() {
    let arabic = invoice("شركة السحاب المحدودة", "AE");
    let made = Made::of("ar", &arabic);
    let lines = made.lines();
    for figure in [
        "USD 16,527.66",
        "12,938.78",
        "12,345,678",
        "617.28",
        "-12.25",
        "-122.50",
        "-50.00",
        "USD 2,638.87",
        "SG-2026-000042",
        "compute / vcpu_hours",
        "5,000.00",
        "1 Example Quay",
    ] {
        assert!(
            lines.iter().any(|line| line.contains(figure)),
            "{figure} is not in\n{}",
            lines.join("\n")
        );
    }
    // Letters in the order they are read. (This reader turns ligatures round, so words without any.)
    let text = run("pdftotext", &["-raw", "-enc", "UTF-8", made.file(), "-"]);
    for word in ["فاتورة", "المبلغ", "السحاب", "المحدودة", "العربية", "الضريبة"]
    {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
    // The total stands at the left edge: words come first, from the right.
    let boxes = run("pdftotext", &["-bbox", made.file(), "-"]);
    let left_edge = |word: &str| -> f64 {
        let line = boxes.lines().find(|line| line.contains(&format!(">{word}<")));
        let line = line.unwrap_or_else(|| panic!("{word} is not in\n{boxes}"));
        line.split("xMin=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
    };
    assert!(left_edge("16,527.66") < 200.0 && left_edge("tokens_out") > 300.0, "{boxes}");
}

/// Where a figure stands: how far right it ends, in points.
fn ends(boxes: &str, figure: &str) -> Vec<String> {
    let of =
        |line: &str| line.split("xMax=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let found: Vec<String> =
        boxes.lines().filter(|line| line.contains(&format!(">{figure}<"))).map(of).collect();
    assert!(!found.is_empty(), "{figure} is not in\n{boxes}");
    found
}

#[test]
fn amounts_stand_under_each_other_to_the_decimal() {
    let made = Made::of("aligned", &invoice("Acme", "GB"));
    let boxes = run("pdftotext", &["-bbox", made.file(), "-"]);
    let edges: Vec<f64> = [
        "617.28",
        "12,345.00",
        "-122.50",
        "99.00",
        "1,000.00",
        "-50.00",
        "0.01",
        "13,888.79",
        "2,638.87",
    ]
    .iter()
    .flat_map(|figure| ends(&boxes, figure))
    .map(|edge| edge.parse().unwrap())
    .collect();
    for edge in &edges {
        assert!((edge - edges[0]).abs() < 0.01, "{edges:?}");
    }
}

#[test]
fn r12_4_a_tax_of_nothing_says_why() {
    let untaxed = |tax_note| Invoice {
        tax_rate: amount("0"),
        tax_note,
        tax: amount("0"),
        total: amount("13888.79"),
        ..invoice("Acme", "IE")
    };
    check(
        "not-listed",
        &untaxed(TaxNote::NotListed),
        &["Tax USD 0.00", "No tax rate is listed for Ireland: no tax is charged."],
    );
    check(
        "reverse-charge",
        &untaxed(TaxNote::ReverseCharge),
        &["Tax USD 0.00", "Reverse charge: the recipient is liable for the tax."],
    );
}

#[test]
fn r12_3_a_negative_total_is_a_credit_note_and_names_what_it_corrects() {
    let mut note = invoice("Acme", "DE");
    note.number = "CN-SG-2026-000003".to_owned();
    note.r#type = InvoiceType::CreditNote;
    note.corrects = Some("SG-2026-000041".to_owned());
    note.reason =
        Some("Doppelt berechnete Nutzung im März, wie am Telefon besprochen".parse().unwrap());
    note.lines.retain(|line| line.amount.is_negative());
    (note.net, note.tax, note.total) = (amount("-172.5"), amount("-32.78"), amount("-205.28"));
    let says = [
        "Rechnungskorrektur",
        "CN-SG-2026-000003",
        "Korrigiert Rechnung SG-2026-000041",
        "Grund: Doppelt berechnete Nutzung im März, wie am Telefon besprochen",
        "USD -205,28",
        "Nettobetrag USD -172,50",
    ];
    check("credit-note", &note, &says);
}

#[test]
fn r12_6_both_amounts_and_the_rate_are_shown() {
    check(
        "settled",
        &settled("Acme", "DE"),
        &[
            "Gesamtbetrag USD 16.527,66",
            "Wechselkurs 1 USD = 0,9012 EUR",
            "Nettobetrag EUR 12.516,58",
            "Umsatzsteuer EUR 2.378,15",
            "Gesamtbetrag EUR 14.894,73",
        ],
    );
    let lines = Made::of("not-settled", &invoice("Acme", "DE")).lines();
    assert!(!lines.iter().any(|line| line.contains("Wechselkurs") || line.contains("EUR")));
}

#[test]
fn yen_have_no_decimals() {
    let mut yen = invoice("株式会社クラウド", "JP");
    yen.currency = Currency::Jpy;
    yen.lines.truncate(1);
    yen.lines[0].amount = amount("1234567");
    (yen.net, yen.tax, yen.total) = (amount("1234567"), amount("123457"), amount("1358024"));
    check("yen", &yen, &["合計 JPY 1,358,024", "12,345,678 1,234,567", "税額 19% JPY 123,457"]);
}

#[test]
fn a_long_invoice_repeats_its_heads_and_counts_its_pages() {
    let made = Made::of("long", &long("Acme", "GB", 200));
    let pages = run("pdfinfo", &[made.file()]);
    let count: usize =
        pages.lines().find_map(|line| line.strip_prefix("Pages:")).unwrap().trim().parse().unwrap();
    assert!(count >= 5, "{pages}");
    for page in 1..=count {
        let number = page.to_string();
        let text = run("pdftotext", &["-layout", "-f", &number, "-l", &number, made.file(), "-"]);
        assert!(text.contains(&format!("Page {page} of {count}")), "{text}");
        if text.contains("meter_") {
            assert!(
                text.contains("Description") && text.contains("Account acme"),
                "{page}: {text}"
            );
        }
    }
}

/// Wherever the page ends: the sums do not stand on one without a line of what they sum up.
#[test]
fn the_last_line_and_the_sums_stand_on_one_page() {
    let mut pages = BTreeSet::new();
    for lines in 8..20 {
        let made = Made::of("sums", &long("Acme", "GB", lines));
        let text = run("pdftotext", &["-layout", made.file(), "-"]);
        let page = text.split('\u{c}').position(|page| page.contains("Net amount")).unwrap();
        let sums = text.split('\u{c}').nth(page).unwrap();
        assert!(sums.contains("Rounding  ") && sums.contains("Tax 19%"), "{lines} lines: {text}");
        pages.insert(page);
    }
    assert_eq!(pages.len(), 2, "among them is a length that just does not fit");
}

#[test]
fn an_invoice_without_lines_has_sums() {
    let mut nothing = invoice("Acme", "GB");
    nothing.lines.clear();
    let lines = Made::of("nothing", &nothing).lines();
    assert!(lines.iter().any(|line| line.contains("Net amount USD")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("rounded by itself")), "{lines:?}");
}

/// A name in any script, in whatever language the invoice is.
#[test]
fn r12_7_names_of_any_script_are_text() {
    for name in [
        "Ελληνικά Νέφη",
        "Облако ООО",
        "שמיים בע״מ",
        "クラウド株式会社",
        "구름 주식회사",
        "บริษัท เมฆ",
        "मेघ लिमिटेड",
        "মেঘ লিমিটেড",
        "மேகம்",
        "ღრუბელი",
        "Ամպ",
        "ደመና",
        "Công ty Đám Mây",
        "شركة السحاب",
    ] {
        let made = Made::of("script", &invoice(name, "GB"));
        let text = run("pdftotext", &["-raw", "-enc", "UTF-8", made.file(), "-"]);
        // Words that are read from the right stand in their order from the left.
        for word in name.split(' ') {
            assert!(text.contains(word), "{word} of {name} is not in\n{text}");
        }
    }
}

/// Whether a PDF says that it is one for archives, and its parts are marked.
fn is_archival(made: &Made) -> bool {
    let bytes = std::fs::read(&made.path).unwrap();
    let says = |what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
    says(b"pdfaid:part") && run("pdfinfo", &[made.file()]).contains("Tagged:          yes")
}

#[test]
fn r12_7_it_can_be_kept_for_decades_and_a_strange_sign_prevents_no_invoice() {
    assert!(is_archival(&Made::of("archival", &invoice("Acme", "GB"))));
    let strange = Made::of("strange", &invoice("Acme \u{f8ff} Co", "GB"));
    assert!(!is_archival(&strange));
    assert!(strange.lines().iter().any(|line| line.contains("Acme") && line.contains("Co")));
}

#[test]
fn every_font_is_embedded_and_equal_input_makes_equal_bytes() {
    let asked = invoice("株式会社クラウド", "AE");
    let made = Made::of("fonts", &asked);
    let fonts = run("pdffonts", &[made.file()]);
    let rows: Vec<&str> = fonts.lines().skip(2).collect();
    assert!(rows.len() >= 3, "{fonts}");
    for row in rows {
        // emb, sub and uni: embedded, as few signs as needed, and text can be copied.
        assert!(row.contains("Noto") && row.contains("yes yes yes"), "{fonts}");
    }
    let first = std::fs::read(&made.path).unwrap();
    PRESS.invoice(&invoice("Other", "JP")).unwrap();
    assert_eq!(first, PRESS.invoice(&asked).unwrap());
    let other = Press::new(Fonts::find(&FOLDERS.map(PathBuf::from)).unwrap());
    assert_eq!(first, other.invoice(&asked).unwrap());
}

#[test]
fn what_is_paid_of_it_stands_beside_the_total() {
    let asked = invoice("Acme", "IE");
    let settled = PaidSoFar {
        paid: "1000".parse().unwrap(),
        open: "234.5".parse().unwrap(),
        at: "2026-04-02T10:00:00Z".parse().unwrap(),
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settled.pdf");
    std::fs::write(&path, PRESS.invoice_with(&asked, settled).unwrap()).unwrap();
    let text = drawdown_components::pdf_text(&path).unwrap();
    let line = |word: &str| {
        let found = text.lines().find(|line| line.trim_start().starts_with(word));
        found.unwrap_or_else(|| panic!("{word} is not in\n{text}")).trim_end()
    };
    assert!(line("Paid").ends_with("1,000.00"), "{text}");
    assert!(line("Open").ends_with("234.50"), "{text}");
    assert!(text.contains("2 April 2026"), "{text}");
    // As it was issued it says nothing of that.
    std::fs::write(&path, PRESS.invoice(&asked).unwrap()).unwrap();
    let text = drawdown_components::pdf_text(&path).unwrap();
    assert!(!text.contains("Paid") && !text.contains("Open"), "{text}");
}

#[test]
fn a_missing_font_is_named_with_what_to_install() {
    let empty = tempfile::tempdir().unwrap();
    let Err(error) = Fonts::find(&[empty.path().to_owned()]) else { panic!("there is no font") };
    let said = error.to_string();
    assert!(
        matches!(error, NoFonts::Missing { family: "Noto Sans", package: "fonts-noto-core", .. }),
        "{said}"
    );
    assert!(
        said.contains("fonts-noto-core") && said.contains(&*empty.path().to_string_lossy()),
        "{said}"
    );
    // Without the other folder there is nothing for East Asia.
    let Err(error) = Fonts::find(&[PathBuf::from(FOLDERS[0])]) else { panic!("there is no font") };
    assert!(error.to_string().contains("fonts-noto-cjk"), "{error}");
}

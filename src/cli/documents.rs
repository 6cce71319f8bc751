//! `drawdown prices` and `drawdown settings`: checks and loads documents.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use drawdown_console::counted;
use drawdown_domain::commands::{Command, LoadPrices, LoadSettings};
use drawdown_domain::rating;
use drawdown_domain::settings::Settings;
use drawdown_domain::time::Timestamp;

use super::ask::ask;
use super::at::At;
use super::command::{DoOptions, do_command};

fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

/// Says whether a file is a price book by itself.
pub fn check_prices(file: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let entries = rating::parse(&read(file)?).with_context(|| file.display().to_string())?;
    let count = entries.len();
    rating::PriceBook::default()
        .changes(entries, Timestamp::START)
        .with_context(|| file.display().to_string())?;
    writeln!(out, "{} in the file", counted(count as u64, "price"))?;
    Ok(())
}

/// Loads a price book.
pub fn load_prices(at: &At, file: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    check_prices(file, out)?;
    load(at, LoadPrices { document: read(file)? }.into(), out)
}

/// Says whether a file holds settings.
pub fn check_settings(file: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    Settings::parse(&read(file)?).with_context(|| file.display().to_string())?;
    writeln!(out, "settings; what is not in the file has its default")?;
    Ok(())
}

/// Settings that have no default, with an example each, behind the head of their table.
const WITHOUT_DEFAULT: [(&str, &str); 4] = [
    ("[invoices]\n", "# hold_above = \"10000\"\n"),
    (
        "[tax]\n",
        "# issuer_name = \"Acme Cloud Ltd\"\n# issuer_address = \"1 Example Quay, Singapore\"\n\
         # issuer_tax_id = \"GST 200000000A\"\n",
    ),
    ("[tax.rates]\n", "# SG = \"0.09\"\n"),
    ("[fx]\n", "# 2026-03 = { \"USD/EUR\" = \"0.92\" }\n"),
];

/// Prints every setting with its default, or with an example behind a `#`, as a file that can be loaded.
pub fn settings_reference(out: &mut dyn Write) -> anyhow::Result<()> {
    let defaults = toml::to_string(&Settings::default())?;
    let add = |text: String, (head, examples): (&str, &str)| {
        text.replace(head, &format!("{head}{examples}"))
    };
    write!(out, "{}", WITHOUT_DEFAULT.into_iter().fold(defaults, add))?;
    Ok(())
}

/// Loads settings, in place of all that were loaded before.
pub fn load_settings(at: &At, file: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    check_settings(file, out)?;
    load(at, LoadSettings { document: read(file)? }.into(), out)
}

fn load(at: &At, command: Command, out: &mut dyn Write) -> anyhow::Result<()> {
    let setup = match at {
        At::Log(setup) => setup,
        At::Server(server) => return do_command(&DoOptions::of(server, &command)?, out),
    };
    let outcome = ask(&*setup.log()?, &setup.topics, &setup.clock()?, None, command)?;
    match outcome.refused {
        None => Ok(writeln!(out, "loaded")?),
        Some(refusal) => bail!("{refusal}: {}", outcome.detail.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_holds_the_defaults() {
        let mut out = Vec::new();
        settings_reference(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(Settings::parse(&text).unwrap(), Settings::default(), "{text}");
        assert!(text.contains("[usage]\nmax_age = \"35d\"\n"), "{text}");
        // What has no default is an example, which holds once its mark is taken away.
        let Settings { invoices, tax, fx, .. } = Settings::parse(&text.replace("# ", "")).unwrap();
        assert!(invoices.hold_above.is_some() && fx != Settings::default().fx, "{text}");
        assert!(tax.rates != Settings::default().tax.rates, "{text}");
        let issuer = [tax.issuer_name, tax.issuer_address, tax.issuer_tax_id];
        assert!(issuer.iter().all(Option::is_some), "{text}");
    }

    fn checked(text: &str) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.toml");
        std::fs::write(&file, text).unwrap();
        let mut out = Vec::new();
        check_settings(&file, &mut out).map_err(|error| format!("{error:#}"))?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn settings_are_checked_by_name() {
        assert!(checked("usage.max_age = \"40d\"\n[topup.minimum]\nUSD = \"5\"\n").is_ok());
        let wrong = checked("usage.max_aeg = \"40d\"\n").unwrap_err();
        assert!(wrong.contains("settings.toml") && wrong.contains("max_aeg"), "{wrong}");
    }
}

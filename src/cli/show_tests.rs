use clap::{CommandFactory, Parser};

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    options: ShowOptions,
}

fn parsed(line: &str) -> Result<Wanted, clap::Error> {
    Line::try_parse_from(["show"].into_iter().chain(line.split(' ')))
        .map(|line| line.options.wanted)
}

#[test]
fn every_view_has_help_with_its_fields_and_examples_that_are_right() {
    Line::command().debug_assert();
    for view in VIEWS {
        let mut command = Line::command();
        let help = command.find_subcommand_mut(view.name).unwrap().render_long_help().to_string();
        for field in (view.record)().fields {
            assert!(help.contains(field.name), "{} {}: {help}", view.name, field.name);
        }
        let (_, examples) = help.split_once("Examples:").unwrap();
        for example in
            examples.lines().filter_map(|line| line.trim().strip_prefix("drawdown show "))
        {
            let wanted = parsed(example).unwrap_or_else(|error| panic!("{example}: {error}"));
            assert_eq!(wanted.view.name, view.name);
        }
    }
}

fn refused(line: &str, says: &[&str]) {
    let error = parsed(line).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let said = error.to_string();
    for text in says {
        assert!(said.contains(text), "{line} should say {text:?}, but said: {said}");
    }
}

#[test]
fn what_is_wrong_is_said_by_name_with_what_is_near() {
    refused("balanse ba", &["balanse", "balance"]);
    refused("balance", &["<BILLING_ACCOUNT>"]);
    refused("bills --where amuont=5", &["bills has no field amuont", "amount"]);
    refused("bills --where amount", &["FIELD=VALUE"]);
    refused("bills --columns colour", &["no field colour", "issued_at"]);
    refused(
        "invoices --where status=foo",
        &["status of invoices is never foo; it is ", "Usage: drawdown show invoices [OPTIONS]"],
    );
    refused("bills --limit 0", &["--limit"]);
    refused("bills --all --limit 5", &["--all", "--limit"]);
    refused("bills --watch", &["billing_account"]);
    refused("balance ba --all", &["--all"]);
}

#[test]
fn the_distance_of_words_counts_letters() {
    for (one, other, expected) in
        [("", "", 0), ("a", "", 1), ("amuont", "amount", 2), ("x", "y", 1)]
    {
        assert_eq!((distance(one, other), distance(other, one)), (expected, expected));
    }
}

//! `drawdown show`: a view by way of the API.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, FromArgMatches};
use drawdown_console::{Source, VIEWS, View, WATCHED, can_be, counted, escaped};
use hyper::body::Bytes;
use serde_json::{Map, Value, json};

use super::problem::Problem;
use super::remembered;
use super::server::{Answer, Asking, Client, ServerOptions};
use super::table::{block, changes, line, table, width_of_terminal};

/// A list may have to wait for what was asked for last.
const ANSWERED_WITHIN: Duration = Duration::from_secs(40);
/// The API says that it is alive more often than this.
const SILENT_FOR_MAX: Duration = Duration::from_secs(60);
/// So many rows are shown unless told otherwise.
const ROWS: usize = 100;
/// The API gives no more at a time.
const ROWS_PER_PAGE_MAX: usize = 1_000;

/// What `drawdown show` is told.
#[derive(Clone, Debug, clap::Args)]
pub struct ShowOptions {
    #[command(flatten)]
    pub server: ServerOptions,
    #[command(subcommand)]
    pub wanted: Wanted,
}

/// A view, and what of it.
#[derive(Clone, Debug)]
pub struct Wanted {
    view: &'static View,
    id: Option<String>,
    filters: Vec<(String, String)>,
    columns: Vec<String>,
    /// None: all.
    rows_max: Option<usize>,
    as_csv: bool,
    is_watched: bool,
}

impl clap::Subcommand for Wanted {
    fn augment_subcommands(parent: clap::Command) -> clap::Command {
        parent
            .subcommands(VIEWS.iter().map(command))
            .subcommand_required(true)
            .arg_required_else_help(true)
    }

    fn augment_subcommands_for_update(parent: clap::Command) -> clap::Command {
        Wanted::augment_subcommands(parent)
    }

    fn has_subcommand(name: &str) -> bool {
        VIEWS.iter().any(|view| view.name == name)
    }
}

fn is_list(view: &View) -> bool {
    !matches!(view.source, Source::Ledger)
}

/// What `/{id}` of a view means.
fn id_of(view: &View) -> &'static str {
    match view.source {
        Source::List(list) => list.of,
        Source::Everywhere => "",
        Source::Ledger if ["account", "service"].contains(&view.name) => "account",
        Source::Ledger if view.name == "enterprise" => "enterprise",
        Source::Ledger => "billing_account",
    }
}

fn can_be_watched(view: &View) -> bool {
    WATCHED.iter().any(|(name, _)| *name == view.name)
}

/// A view as arguments of the command line.
fn command(view: &View) -> clap::Command {
    let of = id_of(view);
    let is_whole = view.source == Source::Everywhere;
    let needs_id = view.source == Source::Ledger;
    let id = Arg::new("id").value_name(of.to_uppercase()).required(needs_id);
    let usage = match (is_whole, needs_id) {
        (true, _) => String::new(),
        (false, true) => format!(" <{}>", of.to_uppercase()),
        (false, false) => format!(" [{}]", of.to_uppercase()),
    };
    let mut command = clap::Command::new(view.name)
        .about(view.doc)
        .override_usage(format!("drawdown show {} [OPTIONS]{usage}", view.name));
    if !is_whole {
        command = command.arg(match needs_id {
            true => id.help(format!("Which {}", of.replace('_', " "))),
            false => id.help(format!("Only what belongs to this {}", of.replace('_', " "))),
        });
    }
    let example = match of {
        "account" | "enterprise" => "acme",
        "command" => "17",
        "day" => "2026-12-01",
        _ => "ba-acme",
    };
    let example = if is_whole { "" } else { example };
    let mut examples = format!("drawdown show {} {example}", view.name).trim_end().to_owned();
    if is_whole {
        let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::Append);
        command = command.args([
            flag("where")
                .value_name("FIELD=VALUE")
                .help("Only rows in which a field has this value"),
            flag("columns")
                .value_name("FIELD,...")
                .value_delimiter(',')
                .help("Only these columns, in this order"),
        ]);
    } else if is_list(view) {
        let flag = |name: &'static str| Arg::new(name).long(name);
        command = command.args([
            flag("where")
                .value_name("FIELD=VALUE")
                .action(ArgAction::Append)
                .help("Only rows in which a field has this value; again for more"),
            flag("limit")
                .value_name("ROWS")
                .value_parser(clap::value_parser!(u32).range(1..))
                .help(format!("So many rows at most; {ROWS} unless given")),
            flag("all").action(ArgAction::SetTrue).conflicts_with("limit").help("All rows"),
            flag("columns")
                .value_name("FIELD,...")
                .action(ArgAction::Append)
                .value_delimiter(',')
                .help("Only these columns, in this order"),
            flag("csv")
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["limit", "columns"])
                .help("CSV of all rows, with a header, for other programs"),
        ]);
        examples.push_str(&format!("\n  drawdown show {} --all --json", view.name));
    }
    if can_be_watched(view) {
        let watch = Arg::new("watch").long("watch").action(ArgAction::SetTrue);
        command = command.arg(watch.help("Goes on with what changes, until Ctrl-C"));
    }
    let mut fields = String::new();
    let record = (view.record)();
    let width = record.fields.iter().map(|field| field.name.len()).max().unwrap_or(0);
    for field in &record.fields {
        fields.push_str(format!("  {:width$}  {}", field.name, field.doc).trim_end());
        fields.push('\n');
    }
    command.after_help(format!("Fields:\n{fields}\nExamples:\n  {examples}"))
}

impl FromArgMatches for Wanted {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Wanted, clap::Error> {
        let raw = |why: String| clap::Error::raw(ErrorKind::ValueValidation, why);
        let (name, given) = matches.subcommand().ok_or_else(|| raw("no view".to_owned()))?;
        let view = VIEWS.iter().find(|view| view.name == name);
        let view = view.ok_or_else(|| raw(format!("there is no view {name}")))?;
        let usage = |why: String| raw(why).format(&mut command(view));
        let texts = |id: &str| -> Vec<String> {
            let texts = given.try_get_many::<String>(id).ok().flatten();
            texts.map(|texts| texts.cloned().collect()).unwrap_or_default()
        };
        let is_set =
            |id: &str| given.try_get_one::<bool>(id).ok().flatten().copied().unwrap_or(false);
        let mut filters = Vec::new();
        for filter in texts("where") {
            let (field, value) = filter
                .split_once('=')
                .ok_or_else(|| usage(format!("--where {filter}: it looks like FIELD=VALUE")))?;
            can_filter(view, field, value).map_err(usage)?;
            filters.push((field.to_owned(), value.to_owned()));
        }
        let columns = texts("columns");
        columns.iter().try_for_each(|column| known(view, column)).map_err(usage)?;
        let limit = given.try_get_one::<u32>("limit").ok().flatten().copied();
        let limit = limit.map_or(ROWS, |rows| rows as usize);
        let rows_max = if is_set("all") { None } else { Some(limit) };
        let id = given.try_get_one::<String>("id").ok().flatten().cloned();
        let is_watched = is_set("watch");
        if is_watched && id.is_none() {
            return Err(usage(format!("--watch needs to know which {} to watch", id_of(view))));
        }
        Ok(Wanted { view, id, filters, columns, rows_max, as_csv: is_set("csv"), is_watched })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Wanted::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Refuses a value that a field never has, and a field that the rows of a view do not have.
fn can_filter(view: &View, name: &str, value: &str) -> Result<(), String> {
    known(view, name)?;
    let record = (view.record)();
    let field = record.fields.iter().find(|field| field.name == name);
    field.map_or(Ok(()), |field| can_be(view, field, value))
}

/// Refuses a field that the rows of a view do not have.
fn known(view: &View, field: &str) -> Result<(), String> {
    let record = (view.record)();
    let names: Vec<&str> = record.fields.iter().map(|field| field.name).collect();
    if names.contains(&field) {
        return Ok(());
    }
    let near = names.iter().map(|name| (distance(name, field), *name)).min();
    let near = near.filter(|(distance, name)| *distance <= name.len().div_ceil(3));
    let near = near.map(|(_, name)| format!(" (is {name} meant?)")).unwrap_or_default();
    Err(format!("{} has no field {field}{near}; it has {}", view.name, names.join(", ")))
}

/// How many letters must change to make one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut above: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in one.chars().enumerate() {
        let mut here = vec![row + 1];
        for ((also, corner), up) in other.iter().zip(&above).zip(above.iter().skip(1)) {
            let left = here.last().copied().unwrap_or_default();
            here.push((corner + usize::from(letter != *also)).min(up + 1).min(left + 1));
        }
        above = here;
    }
    above.last().copied().unwrap_or_default()
}

/// Shows a view.
pub fn show(options: &ShowOptions, out: &mut dyn Write) -> anyhow::Result<()> {
    let wanted = &options.wanted;
    let mut client = Client::new(&options.server.server, options.server.key.as_deref())?;
    if wanted.is_watched {
        return watch(&mut client, wanted, options.server.json, out);
    }
    if is_list(wanted.view) && !is_one_row(wanted) {
        return list(&mut client, wanted, options.server.json, out);
    }
    let answer = get(&mut client, &path(wanted), ANSWERED_WITHIN)?;
    if options.server.json {
        return Ok(writeln!(out, "{}", text(&answer))?);
    }
    let record = (wanted.view.record)();
    Ok(write!(out, "{}", block(&record, &row(&answer.body)?))?)
}

/// One command is a row, though commands are a list.
fn is_one_row(wanted: &Wanted) -> bool {
    wanted.view.name == "commands" && wanted.id.is_some()
}

fn path(wanted: &Wanted) -> String {
    let id = wanted.id.as_deref().map(|id| format!("/{}", escaped(id))).unwrap_or_default();
    format!("/v1/show/{}{id}", wanted.view.name)
}

fn list(
    client: &mut Client,
    wanted: &Wanted,
    as_json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut query: Vec<String> = wanted
        .filters
        .iter()
        .map(|(field, value)| format!("{}={}", escaped(field), escaped(value)))
        .collect();
    if wanted.as_csv {
        query.push("format=csv".to_owned());
        let answer =
            get(client, &format!("{}?{}", path(wanted), query.join("&")), ANSWERED_WITHIN)?;
        return Ok(out.write_all(&answer.body)?);
    }
    let (rows, next) = some_rows(client, &path(wanted), &query, wanted.rows_max)?;
    if as_json {
        return Ok(writeln!(out, "{}", json!({ "rows": rows, "next": next }))?);
    }
    let record = (wanted.view.record)();
    let rows: Vec<Map<String, Value>> = rows
        .into_iter()
        .filter_map(|row| if let Value::Object(row) = row { Some(row) } else { None })
        .collect();
    let (shown, without) = table(&record, &wanted.columns, &rows, width_of_terminal());
    write!(out, "{shown}")?;
    if !without.is_empty() {
        writeln!(out, "no room for {}: choose with --columns", without.join(", "))?;
    }
    let count = counted(rows.len() as u64, "row");
    match next {
        Some(_) => writeln!(out, "{count}; there are more: --all, or --limit ROWS")?,
        None => writeln!(out, "{count}")?,
    }
    Ok(())
}

/// Rows of a list, a page after the other, and where to go on if there are more.
fn some_rows(
    client: &mut Client,
    path: &str,
    query: &[String],
    rows_max: Option<usize>,
) -> anyhow::Result<(Vec<Value>, Option<String>)> {
    let (mut rows, mut next): (Vec<Value>, Option<String>) = (Vec::new(), None);
    loop {
        let left = rows_max.map_or(usize::MAX, |max| max.saturating_sub(rows.len()));
        let mut query = query.to_vec();
        query.push(format!("limit={}", left.min(ROWS_PER_PAGE_MAX)));
        query.extend(next.take().map(|cursor| format!("cursor={}", escaped(&cursor))));
        let answer = get(client, &format!("{path}?{}", query.join("&")), ANSWERED_WITHIN)?;
        let mut page = row(&answer.body)?;
        match page.remove("rows") {
            Some(Value::Array(more)) => rows.extend(more),
            _ => bail!("the answer has no rows; is --server of this version?"),
        }
        next = page.get("next").and_then(Value::as_str).map(str::to_owned);
        if next.is_none() || rows_max.is_some_and(|max| rows.len() >= max) {
            return Ok((rows, next));
        }
    }
}

/// All rows of a list that a query names.
pub(super) fn all_rows(
    client: &mut Client,
    path: &str,
    query: &[String],
) -> anyhow::Result<Vec<Value>> {
    Ok(some_rows(client, path, query, None)?.0)
}

/// Shows what a view becomes, until the stream ends.
fn watch(
    client: &mut Client,
    wanted: &Wanted,
    as_json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let id = wanted.id.as_deref().unwrap_or_default();
    let path = format!("/v1/stream/{}/{}", wanted.view.name, escaped(id));
    let (mut event, mut last) = (String::new(), None::<Map<String, Value>>);
    let headers = [("accept", "text/event-stream")];
    let (body, within) = (Bytes::new(), SILENT_FOR_MAX);
    let asking = Asking { method: "GET", path: &path, headers: &headers, body: &body, within };
    let (record, mut ended) = ((wanted.view.record)(), None);
    let refused = client.each_line(asking, &mut |said| {
        let (field, value) = said.split_once(':').unwrap_or((said, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => event = value.to_owned(),
            "data" if event == "end" => ended = Some(value.to_owned()),
            "data" if as_json => writeln!(out, "{value}")?,
            "data" => {
                let row = row(value.as_bytes())?;
                match &last {
                    _ if is_list(wanted.view) => writeln!(out, "{}", line(&record, &row))?,
                    None => write!(out, "{}", block(&record, &row))?,
                    Some(before) => write!(out, "{}", changes(&record, before, &row))?,
                }
                last = Some(row);
            }
            _ => return Ok(()),
        }
        Ok(out.flush()?)
    })?;
    if let Some(answer) = refused {
        return Err(Problem::of(client, &answer).into());
    }
    let why = ended.unwrap_or_else(|| "the connection ended".to_owned());
    bail!("{} shows no more: {why}; ask again", client.server())
}

/// Asks for rows that show the caller's last command, if they come so far in time.
pub(super) fn get(client: &mut Client, path: &str, within: Duration) -> anyhow::Result<Answer> {
    let body = Bytes::new();
    let asking = Asking { method: "GET", path, headers: &[], body: &body, within };
    let position = remembered::last(client);
    let answer = match &position {
        Some(position) => {
            let headers = [(remembered::POSITION, position.as_str())];
            client.ask(Asking { headers: &headers, ..asking })?
        }
        None => client.ask(asking)?,
    };
    if answer.status == 200 {
        return Ok(answer);
    }
    // An installation that was made anew never comes so far.
    if answer.status == 503 && position.is_some() {
        let again = client.ask(asking)?;
        if again.status == 200 {
            remembered::forget(client);
            tracing::warn!("this may not show your last command yet");
            return Ok(again);
        }
    }
    Err(Problem::of(client, &answer).into())
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

fn row(json: &[u8]) -> anyhow::Result<Map<String, Value>> {
    serde_json::from_slice(json).context("the answer cannot be read; is --server of this version?")
}

#[cfg(test)]
#[path = "show_tests.rs"]
mod tests;

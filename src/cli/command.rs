//! `drawdown do`: a command by way of the API.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::error::ErrorKind;
use clap::{ArgMatches, FromArgMatches};
use drawdown_console::fields::{self, NotFields};
use drawdown_domain::commands::Command;
use drawdown_domain::refusal::Refusal;
use drawdown_domain::vocabulary::{Record, Shape};
use hyper::body::Bytes;
use serde_json::{Map, Value};

use super::problem::{Problem, ServerSays};
use super::remembered;
use super::server::{Answer, Asking, Client, ServerOptions, Unanswered};
use super::vocabulary::{self, example, flags};

/// The console answers within ten seconds what becomes of a command, or where to look.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);
/// How long an outcome that is still to come is waited for.
const DECIDED_WITHIN: Duration = Duration::from_secs(60);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// What `drawdown do` is told.
#[derive(Clone, Debug, clap::Args)]
pub struct DoOptions {
    #[command(flatten)]
    pub server: ServerOptions,
    /// Under which it is done once at most, however often it is asked for; made up unless given.
    #[arg(long, global = true, value_name = "KEY", help_heading = "Server")]
    pub idempotency_key: Option<String>,
    #[command(subcommand)]
    pub asked: Asked,
}

impl DoOptions {
    /// A command that is there already.
    pub(super) fn of(server: &ServerOptions, command: &Command) -> anyhow::Result<DoOptions> {
        let name = command.name().to_owned();
        let fields = match serde_json::to_value(command)? {
            Value::Object(mut whole) => whole.remove(&name),
            _ => None,
        };
        let Some(Value::Object(fields)) = fields else { bail!("{name} has no fields") };
        let asked = Asked { name, fields };
        Ok(DoOptions { server: server.clone(), idempotency_key: None, asked })
    }
}

/// A command of the vocabulary with fields that fit it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub name: String,
    pub fields: Map<String, Value>,
}

impl clap::Subcommand for Asked {
    fn augment_subcommands(parent: clap::Command) -> clap::Command {
        let commands = Command::described();
        let commands = commands.into_iter().map(|(name, record)| command(name, &record));
        parent.subcommands(commands).subcommand_required(true).arg_required_else_help(true)
    }

    fn augment_subcommands_for_update(parent: clap::Command) -> clap::Command {
        Asked::augment_subcommands(parent)
    }

    fn has_subcommand(name: &str) -> bool {
        Command::NAMES.contains(&name)
    }
}

/// A command as arguments of the command line.
fn command(name: &'static str, record: &Record) -> clap::Command {
    let (flags, example) = (flags(record), example(name, record));
    let mut usage = format!("drawdown do {name} [OPTIONS]");
    for flag in flags.iter().filter(|flag| flag.is_required_set()) {
        let long = flag.get_long().unwrap_or_default();
        let value = flag.get_value_names().and_then(|names| names.first());
        usage.push_str(&format!(" --{long} <{}>", value.map_or("", |name| name.as_str())));
    }
    clap::Command::new(name).about(record.doc.clone()).args(flags).override_usage(usage).after_help(
        format!(
            "A value that begins with @ is read from the file of that name.\n\nExample:\n  {example}"
        ),
    )
}

impl FromArgMatches for Asked {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Asked, clap::Error> {
        let raw = |why: String| clap::Error::raw(ErrorKind::ValueValidation, why);
        let (name, given) = matches.subcommand().ok_or_else(|| raw("no command".to_owned()))?;
        let described = Command::described().into_iter().find(|(known, _)| *known == name);
        let unknown = || raw(format!("there is no command {name}"));
        let (known, record) = described.ok_or_else(unknown)?;
        let usage = |why: String| raw(why).format(&mut command(known, &record));
        let fields = given_fields(name, &record, given).map_err(usage)?;
        let help = format!("`drawdown do {name} --help` lists its fields");
        match fields::read(name, &fields) {
            Some(Ok(_)) => Ok(Asked { name: name.to_owned(), fields }),
            Some(Err(NotFields { field: Some(field), why })) => {
                Err(usage(format!("--{field}: {why}; {help}")))
            }
            Some(Err(NotFields { field: None, why })) => Err(usage(format!("{why}; {help}"))),
            None => Err(unknown()),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Asked::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The fields that flags give.
fn given_fields(
    name: &str,
    record: &Record,
    given: &ArgMatches,
) -> Result<Map<String, Value>, String> {
    let (mut pairs, mut wholes) = (Vec::new(), Vec::new());
    for flag in flags(record) {
        let path = flag.get_id().as_str();
        let Some(texts) = given.get_many::<String>(path) else { continue };
        let texts = texts.map(|text| read(path, text)).collect::<Result<Vec<_>, _>>()?;
        let field = record.fields.iter().find(|field| field.name == path);
        match field.map(vocabulary::shape) {
            Some(Shape::List(_)) => pairs.push((path.to_owned(), texts.join(","))),
            Some(shape @ (Shape::Map(_) | Shape::Record(_) | Shape::OneOf { .. })) => {
                wholes.push((path.to_owned(), whole(path, shape, &texts)?));
            }
            _ => match texts.as_slice() {
                [text] => pairs.push((path.to_owned(), text.clone())),
                _ => {
                    return Err(format!("--{path} is given {} times; once is enough", texts.len()));
                }
            },
        }
    }
    let mut fields = fields::of_form(name, &pairs);
    for (path, value) in wholes {
        if fields.insert(path.clone(), value).is_some() {
            return Err(format!(
                "--{path} is given as a whole and in parts; one of them is enough"
            ));
        }
    }
    Ok(fields)
}

/// A value as it was typed, or what stands in the file that it names.
fn read(path: &str, text: &str) -> Result<String, String> {
    match text.strip_prefix('@') {
        // A second one is meant as it stands.
        Some(rest) if rest.starts_with('@') => Ok(rest.to_owned()),
        Some(file) => std::fs::read_to_string(file).map_err(|error| {
            format!(
                "--{path}: {file} cannot be read: {error}; a text that begins with @ is written @@"
            )
        }),
        None => Ok(text.to_owned()),
    }
}

/// A value with parts: JSON, or for a map also an entry a flag.
fn whole(path: &str, shape: &Shape, texts: &[String]) -> Result<Value, String> {
    if let [text] = texts
        && text.trim_start().starts_with('{')
    {
        return serde_json::from_str(text).map_err(|error| format!("--{path} is no JSON: {error}"));
    }
    let Shape::Map(inner) = shape else {
        return Err(format!(
            "--{path} is a JSON object such as '{{\"enabled\": true}}', or is given part by part: --{path}.PART"
        ));
    };
    let mut entries = Map::new();
    for text in texts {
        let (key, value) = text.split_once('=').ok_or_else(|| {
            format!("--{path} {text}: an entry looks like KEY=VALUE, all of it like '{{\"KEY\": VALUE}}'")
        })?;
        let items = value.split(',').map(str::trim).filter(|item| !item.is_empty());
        let value = match **inner {
            Shape::List(_) => items.collect::<Vec<_>>().into(),
            _ => Value::from(value),
        };
        entries.insert(key.to_owned(), value);
    }
    Ok(entries.into())
}

/// Asks for a command, and says what has become of it.
pub fn do_command(options: &DoOptions, out: &mut dyn Write) -> anyhow::Result<()> {
    let Asked { name, fields } = &options.asked;
    let mut client = Client::new(&options.server.server, options.server.key.as_deref())?;
    let key = match &options.idempotency_key {
        Some(key) => key.clone(),
        None => made_up_key()?,
    };
    let again =
        format!("Ask again with --idempotency-key {key}: under one key it is done once at most.");
    let body = Bytes::from(serde_json::to_vec(fields)?);
    let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
    let path = format!("/v1/do/{name}");
    let within = ANSWERED_WITHIN;
    let answer =
        client.ask(Asking { method: "POST", path: &path, headers: &headers, body: &body, within });
    let answer = answer.map_err(|error| match error {
        Unanswered::Lost { .. } => {
            anyhow::anyhow!("{error}\n  It is not known whether {name} was done. {again}")
        }
        Unanswered::Unreachable { .. } => error.into(),
    })?;
    remembered::keep(&client, &answer);
    match answer.status {
        200 => told(name, &answer, options.server.json, out),
        202 => {
            let mut found = awaited(&mut client, name, &answer).with_context(|| again.clone())?;
            found.body = with_secret(found.body, &answer)?;
            told(name, &found, options.server.json, out)
        }
        _ => {
            if options.server.json {
                writeln!(out, "{}", String::from_utf8_lossy(&answer.body))?;
            }
            let problem = Problem::of(&client, &answer);
            if problem.may_pass() {
                bail!("{problem}\n  {again}")
            }
            Err(problem.into())
        }
    }
}

/// Waits for an outcome that was still to come when the API answered.
fn awaited(client: &mut Client, name: &str, answer: &Answer) -> anyhow::Result<Answer> {
    let place =
        answer.header("location").context("the answer does not say where to look")?.to_owned();
    let (deadline, body) = (Instant::now() + DECIDED_WITHIN, Bytes::new());
    loop {
        let asking = Asking {
            method: "GET",
            path: &place,
            headers: &[],
            body: &body,
            within: ANSWERED_WITHIN,
        };
        match client.ask(asking) {
            Ok(found) if found.status == 200 => return Ok(found),
            Ok(found) if found.status != 404 && found.status != 503 => {
                return Err(Problem::of(client, &found).into());
            }
            Err(error @ Unanswered::Unreachable { .. }) => return Err(error.into()),
            Ok(_) | Err(Unanswered::Lost { .. }) => {}
        }
        if Instant::now() > deadline {
            let number = place.rsplit('/').next().unwrap_or_default();
            bail!(
                "{name} is on the log and not decided for {} seconds; do the workers run? It will be decided: `drawdown show commands {number}` says when",
                DECIDED_WITHIN.as_secs()
            );
        }
        std::thread::sleep(LOOK_AGAIN_AFTER);
    }
}

/// What was accepted, with the key that was shown before it was: no outcome knows it.
fn with_secret(found: Bytes, answer: &Answer) -> anyhow::Result<Bytes> {
    let answer: Map<String, Value> = serde_json::from_slice(&answer.body)?;
    let mut outcome: Map<String, Value> = serde_json::from_slice(&found)?;
    match answer.get("secret") {
        Some(secret) if outcome.get("refused").is_none_or(Value::is_null) => {
            outcome.insert("secret".to_owned(), secret.clone());
            Ok(serde_json::to_vec(&outcome)?.into())
        }
        _ => Ok(found),
    }
}

/// Says what has become of a command.
fn told(name: &str, answer: &Answer, as_json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let says: ServerSays = serde_json::from_slice(&answer.body)
        .context("the answer cannot be read; is --server of this version?")?;
    if as_json {
        writeln!(out, "{}", String::from_utf8_lossy(&answer.body))?;
    }
    if let Some(code) = &says.refused {
        let refusal = Refusal::ALL.iter().find(|refusal| refusal.code() == code);
        let help = refusal.map(|refusal| refusal.help().trim().to_owned());
        return Err(Problem::refused(code, says.detail, help).into());
    }
    if as_json {
        return Ok(());
    }
    let number = says.command;
    match says.repeats {
        Some(first) => {
            writeln!(out, "{name} was done before, as command {first}; nothing is done twice")?
        }
        None => {
            writeln!(out, "{name} is done: command {number} at {}", says.at.unwrap_or_default())?
        }
    }
    if let Some(detail) = says.detail {
        writeln!(out, "  {detail}")?;
    }
    if let Some(secret) = says.secret {
        writeln!(out, "  the key, which nobody can look up later: {secret}")?;
    }
    Ok(())
}

/// A key that nobody else has.
fn made_up_key() -> anyhow::Result<String> {
    use std::io::Read;
    let mut bytes = [0; 12];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("cli-{digits}"))
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;

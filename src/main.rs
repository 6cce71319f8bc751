//! The command line: thin.

use std::io::{self, ErrorKind, Stdout, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use drawdown::cli::{self, Setup};
use drawdown::rehearse::{Stage, rehearse};
use drawdown_console::counted;
use drawdown_domain::runs::RunId;
use drawdown_domain::time::Day;

/// A billing pipeline: usage in, balances out, exactly once.
#[derive(Parser)]
#[command(version, after_help = "Example: drawdown rehearse tests/scenarios/*.toml")]
struct Arguments {
    /// The configuration file.
    #[arg(
        long,
        global = true,
        env = "DRAWDOWN_CONFIG",
        value_name = "FILE",
        help_heading = "Configuration"
    )]
    config: Option<PathBuf>,
    /// Overrides a value of the configuration: section.key=value.
    #[arg(long, global = true, value_name = "NAME=VALUE", help_heading = "Configuration")]
    set: Vec<String>,
    #[command(subcommand)]
    command: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Runs everything on this machine, in one process tree: no Kafka, nothing to set up.
    #[command(
        after_help = "Examples:\n  drawdown up --demo --clock 600\n  drawdown up --data /var/lib/drawdown --port 8080"
    )]
    Up {
        /// Where everything is kept; made at the first start.
        #[arg(long, default_value = "data")]
        data: PathBuf,
        /// Where the API and the pages are, on this machine's loopback.
        #[arg(long, default_value_t = 8080)]
        port: u16,
        /// Where ClickHouse answers, on this machine's loopback; if that is taken, anywhere.
        #[arg(long, default_value_t = 8123)]
        sql_port: u16,
        /// `real`, or how many times faster than real time.
        #[arg(long, default_value = "real")]
        clock: String,
        /// Some companies with live usage, to look at.
        #[arg(long)]
        demo: bool,
    },
    /// Runs consumers on Kafka; many copies share the work.
    #[command(
        after_help = "Example: drawdown worker metering registry balance --config drawdown.toml"
    )]
    Worker {
        /// metering, registry, balance, payments, alerts, invoices, analytics, console
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// The broker's topics against schemas/topics.toml.
    #[command(after_help = "Example: drawdown topics apply --set kafka.bootstrap=127.0.0.1:9092")]
    Topics {
        #[command(subcommand)]
        verb: TopicsVerb,
    },
    /// Sends usage from NDJSON, CSV, Avro and Parquet files, or from standard input. Safe to repeat: what was
    /// counted is known.
    #[command(after_help = "Examples:\n  drawdown ingest usage.ndjson usage.csv.gz\n  \
        drawdown ingest - --format csv < usage.csv\n  \
        drawdown ingest usage.avro --server https://billing.example --key $KEY\n  \
        drawdown ingest usage.ndjson --config drawdown.toml\n\n\
        With --config or --set it writes straight to the log that the configuration names, else to the API.\n\
        Lines that are no usage records are named at once; what else cannot be used: drawdown rejects.")]
    Ingest(cli::IngestOptions),
    /// Asks for a command through the API: opens accounts, pays in, sets limits, and so on.
    #[command(after_help = "Examples:\n  drawdown do top_up --help\n  \
        drawdown do top_up --billing_account ba-acme --amount 100.00 --currency USD --method bank_transfer\n\n\
        Exit code 1: it was refused, or could not be asked; 2: it is not such a command.")]
    Do(cli::DoOptions),
    /// Shows a view through the API: balances, bills, payments, and so on.
    #[command(after_help = "Examples:\n  drawdown show balance ba-acme\n  \
        drawdown show bills ba-acme --where status=unpaid\n  drawdown show entries --all --json\n  \
        drawdown show balance ba-acme --watch")]
    Show(cli::ShowOptions),
    /// Says where an amount comes from: a bill, an entry, a payment or an invoice, back through charges and price
    /// versions to the usage records, added up again on each level.
    #[command(after_help = "Examples:\n  drawdown explain ba-acme.7\n  \
        drawdown explain SG-2026-000001 --records 0\n  drawdown explain ba-acme.e17 --json\n\n\
        `drawdown show bills`, `entries`, `payments` and `invoices` list what can be explained; entry 17 of ba-acme is\n\
        ba-acme.e17. Exit code 1: it is not known, may not be seen, or a sum does not come out.")]
    Explain(cli::ExplainOptions),
    /// Usage that could not be used: listed, mended, sent again within 7 days of its first arrival.
    #[command(
        after_help = "Examples:\n  drawdown rejects list --reason unknown_account\n  drawdown rejects replay --account acme\n  drawdown rejects mend 3-1187-0 --field quantity=5\n\nIt asks the API of what runs (--server, --key), or with --config the log of that configuration."
    )]
    Rejects {
        #[command(flatten)]
        server: cli::ServerOptions,
        #[command(subcommand)]
        verb: RejectsVerb,
    },
    /// Proves from the log alone that the books are right: decides every step again, books it as double
    /// entry, and holds it against what stands on the topics. Prints the proof; exit code 1 on any
    /// difference.
    #[command(
        after_help = "Examples:\n  drawdown audit --config drawdown.toml\n  drawdown audit --data data\n\n\
        An embedded log is audited while no worker holds it. On Kafka workers may go on."
    )]
    Audit {
        /// The folder of `drawdown up`, while it is down.
        #[arg(long)]
        data: Option<PathBuf>,
    },
    /// Runs scenario files on a virtual clock in memory and prints each expectation that fails.
    #[command(after_help = "Example: drawdown rehearse tests/scenarios/contract-example.toml")]
    Rehearse {
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Checks a price book, or loads it.
    #[command(
        after_help = "Examples:\n  drawdown prices check prices.toml\n  drawdown prices load prices.toml\n\nIt asks the API of what runs (--server, --key), or with --config the log of that configuration."
    )]
    Prices {
        #[command(flatten)]
        server: cli::ServerOptions,
        #[command(subcommand)]
        verb: PricesVerb,
    },
    /// Checks a file of settings, or loads it: ages, cycles, minima and waits.
    #[command(
        after_help = "Examples:\n  drawdown settings reference > settings.toml\n  drawdown settings check settings.toml\n  drawdown settings load settings.toml\n\nIt asks the API of what runs (--server, --key), or with --config the log of that configuration."
    )]
    Settings {
        #[command(flatten)]
        server: cli::ServerOptions,
        #[command(subcommand)]
        verb: SettingsVerb,
    },
    /// Invoice runs: what one will issue, how far it is, and those that wait for approval. What is due is issued
    /// by itself, on the 1st and the 16th.
    #[command(
        after_help = "Examples:\n  drawdown invoices preview --as-of 2026-03-16\n  drawdown invoices run --as-of 2026-03-16\n  drawdown invoices approve --as-of 2026-03-16\n\nAn embedded log is read while no worker holds it. On Kafka workers may go on."
    )]
    Invoices {
        #[command(subcommand)]
        verb: InvoicesVerb,
    },
    /// Copies the folder of `drawdown up`, while it is down, into a new folder.
    #[command(after_help = "Example: drawdown backup --data data --to /backups/2026-11-20")]
    Backup {
        #[arg(long, default_value = "data")]
        data: PathBuf,
        #[arg(long)]
        to: PathBuf,
    },
    /// Makes a folder for `drawdown up` from a backup, once it is proven whole.
    #[command(after_help = "Example: drawdown restore --from /backups/2026-11-20 --data data")]
    Restore {
        #[arg(long)]
        from: PathBuf,
        #[arg(long, default_value = "data")]
        data: PathBuf,
    },
    /// Serves the embedded ClickHouse engine over ClickHouse's HTTP protocol, for any of its clients. It
    /// listens on this machine only unless told otherwise: who may ask may read all that this process may,
    /// files included.
    #[command(
        after_help = "Example: drawdown clickhouse --data data/clickhouse --listen 127.0.0.1:8123"
    )]
    Clickhouse {
        /// The engine's folder, made if it is not there.
        #[arg(long, default_value = "data/clickhouse")]
        data: PathBuf,
        #[arg(long, default_value = "127.0.0.1:8123")]
        listen: SocketAddr,
        /// Ends when its input does.
        #[arg(long, hide = true)]
        ends_with_input: bool,
    },
    /// What is in force, secrets masked.
    #[command(after_help = "Example: drawdown config --reference")]
    Config {
        /// Everything that can be set, with its default and its meaning.
        #[arg(long)]
        reference: bool,
    },
    /// The version, of what decides and of what is kept too.
    #[command(after_help = "Example: drawdown version")]
    Version,
}

#[derive(Subcommand)]
enum TopicsVerb {
    /// Says where the broker differs from the plan.
    #[command(after_help = "Example: drawdown topics check --config drawdown.toml")]
    Check,
    /// Makes the topics that are missing.
    #[command(after_help = "Example: drawdown topics apply --set kafka.bootstrap=127.0.0.1:9092")]
    Apply,
}

#[derive(Subcommand)]
enum RejectsVerb {
    /// A line each: name, time, reason, account, source, id, detail.
    #[command(after_help = "Example: drawdown rejects list --reason unknown_account --json")]
    List {
        #[command(flatten)]
        selection: cli::Selection,
    },
    /// Changes fields of one, or all of it, and sends it.
    #[command(after_help = "Example: drawdown rejects mend 3-1187-0 --field quantity=5")]
    Mend {
        name: String,
        /// The whole record as JSON.
        #[arg(long)]
        record: Option<String>,
        /// field=value
        #[arg(long = "field")]
        fields: Vec<String>,
    },
    /// Sends some again as they are: those named, else those selected, else all.
    #[command(after_help = "Example: drawdown rejects replay --account acme")]
    Replay {
        names: Vec<String>,
        #[command(flatten)]
        selection: cli::Selection,
    },
}

#[derive(Subcommand)]
enum InvoicesVerb {
    /// The figures that a run on that day issues, as things stand; nothing is issued.
    #[command(after_help = "Example: drawdown invoices preview --as-of 2026-03-16")]
    Preview {
        /// The day of the run, such as 2026-03-16.
        #[arg(long)]
        as_of: Day,
        /// The folder of `drawdown up`, while it is down.
        #[arg(long)]
        data: Option<PathBuf>,
    },
    /// Shows how far the run of that day is, and waits until all of it is issued.
    #[command(
        after_help = "Example: drawdown invoices run --as-of 2026-03-16 --config drawdown.toml"
    )]
    Run {
        /// The day of the run, such as 2026-03-16.
        #[arg(long)]
        as_of: Day,
    },
    /// Approves the runs of that day that come to more than `invoices.hold_above`, by way of the API.
    #[command(
        after_help = "Examples:\n  drawdown invoices approve --as-of 2026-04-01\n  drawdown invoices approve --as-of 2026-04-01 --run 2026-04-01.usd.acme\n\n`drawdown show invoice_runs` lists them."
    )]
    Approve {
        /// The day of the runs, such as 2026-04-01.
        #[arg(long)]
        as_of: Day,
        /// Only this one.
        #[arg(long)]
        run: Option<RunId>,
        #[command(flatten)]
        server: cli::ServerOptions,
    },
}

#[derive(Subcommand)]
enum PricesVerb {
    /// Says whether a file is a price book by itself.
    #[command(after_help = "Example: drawdown prices check prices.toml")]
    Check { file: PathBuf },
    /// Loads a price book.
    #[command(after_help = "Example: drawdown prices load prices.toml")]
    Load { file: PathBuf },
}

#[derive(Subcommand)]
enum SettingsVerb {
    /// Says whether a file holds settings.
    #[command(after_help = "Example: drawdown settings check settings.toml")]
    Check { file: PathBuf },
    /// Prints every setting with its default, or an example where there is none, as a file that can be loaded.
    #[command(after_help = "Example: drawdown settings reference > settings.toml")]
    Reference,
    /// Loads settings, in place of all that were loaded before.
    #[command(after_help = "Example: drawdown settings load settings.toml")]
    Load { file: PathBuf },
}

#[allow(clippy::print_stderr)] // the command line talks to people
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let usual = match arguments.command {
        // A rehearsal starts and stops everything for each file: nobody wants to read that.
        Verb::Rehearse { .. } => "warn",
        // There all partitions and tables are this process's, and nobody else comes for them.
        Verb::Up { .. } => {
            "info,drawdown_runtime::worker::restoring=warn,drawdown_analytics::migrations=warn"
        }
        _ => "info",
    };
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("DRAWDOWN_LOG_FILTER")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(usual)),
        )
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
    let mut out = Output { out: std::io::stdout(), is_closed: false };
    match run(arguments, &mut out) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read has seen enough, such as `head`: it is ended as by the signal, and says nothing.
        Err(_) if out.is_closed => ExitCode::from(ENDED_BY_PIPE),
        Err(error) => {
            eprintln!("drawdown: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What a shell says of a program that SIGPIPE has ended.
const ENDED_BY_PIPE: u8 = 141;

/// Standard output, and whether somebody still reads it.
struct Output {
    out: Stdout,
    is_closed: bool,
}

impl Output {
    fn noted<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        done.inspect_err(|error| self.is_closed |= error.kind() == ErrorKind::BrokenPipe)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let done = self.out.write(bytes);
        self.noted(done)
    }

    fn flush(&mut self) -> io::Result<()> {
        let done = self.out.flush();
        self.noted(done)
    }
}

fn run(arguments: Arguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let (file, set) = (arguments.config.as_deref(), &arguments.set);
    let setup = || Setup::read(file, set);
    match arguments.command {
        Verb::Up { data, port, sql_port, clock, demo } => {
            let options = cli::UpOptions { data, port, sql_port, clock, demo };
            cli::up(file, set, &options, out)
        }
        Verb::Worker { names } => cli::run_workers(&setup()?, &names),
        Verb::Topics { verb: TopicsVerb::Check } => cli::check_topics(&setup()?, out),
        Verb::Topics { verb: TopicsVerb::Apply } => cli::apply_topics(&setup()?, out),
        Verb::Ingest(options) => cli::ingest(file, set, &options, out),
        Verb::Do(options) => cli::do_command(&options, out),
        Verb::Show(options) => cli::show(&options, out),
        Verb::Explain(options) => cli::explain(&options, out),
        Verb::Rejects { server, verb } => {
            let at = cli::At::of(file, set, &server)?;
            match verb {
                RejectsVerb::List { selection } => {
                    cli::list_rejects(&at, &selection, server.json, out)
                }
                RejectsVerb::Mend { name, record, fields } => {
                    cli::mend_reject(&at, &name, record.as_deref(), &fields, out)
                }
                RejectsVerb::Replay { names, selection } => {
                    cli::replay_rejects(&at, &names, &selection, out)
                }
            }
        }
        Verb::Audit { data } => {
            let mut audit = |setup: &Setup| cli::audit_log(setup, out, &mut std::io::stderr());
            match data {
                Some(data) => cli::with_folder(file, set, &data, audit),
                None => audit(&setup()?),
            }
        }
        Verb::Invoices { verb: InvoicesVerb::Preview { as_of, data } } => {
            let mut preview = |setup: &Setup| cli::preview_invoices(setup, as_of, out);
            match data {
                Some(data) => cli::with_folder(file, set, &data, preview),
                None => preview(&setup()?),
            }
        }
        Verb::Invoices { verb: InvoicesVerb::Run { as_of } } => {
            cli::await_invoices(&setup()?, as_of, out)
        }
        Verb::Invoices { verb: InvoicesVerb::Approve { as_of, run, server } } => {
            cli::approve_invoices(&server, as_of, run, out)
        }
        Verb::Rehearse { files } => rehearse_all(&files, out),
        Verb::Prices { verb: PricesVerb::Check { file }, .. } => cli::check_prices(&file, out),
        Verb::Prices { server, verb: PricesVerb::Load { file: prices } } => {
            cli::load_prices(&cli::At::of(file, set, &server)?, &prices, out)
        }
        Verb::Settings { verb: SettingsVerb::Check { file }, .. } => {
            cli::check_settings(&file, out)
        }
        Verb::Settings { verb: SettingsVerb::Reference, .. } => cli::settings_reference(out),
        Verb::Settings { server, verb: SettingsVerb::Load { file: settings } } => {
            cli::load_settings(&cli::At::of(file, set, &server)?, &settings, out)
        }
        Verb::Backup { data, to } => cli::backup(&data, &to, out),
        Verb::Restore { from, data } => cli::restore(&from, &data, out),
        Verb::Clickhouse { data, listen, ends_with_input } => {
            cli::serve_clickhouse(&setup()?, &data, listen, ends_with_input, out)
        }
        Verb::Config { reference } => cli::show_config(&setup()?, reference, out),
        Verb::Version => cli::show_version(out),
    }
}

fn rehearse_all(files: &[PathBuf], out: &mut dyn Write) -> anyhow::Result<()> {
    let (mut failed, mut steps) = (0, 0);
    for file in files {
        match Stage::memory().and_then(|stage| rehearse(file, &stage)) {
            Ok(report) if report.failures.is_empty() => {
                steps += report.steps;
                let steps_of_it = counted(report.steps as u64, "step");
                writeln!(out, "ok      {} ({steps_of_it}): {}", file.display(), report.title)?;
            }
            Ok(report) => {
                failed += 1;
                writeln!(out, "failed  {}: {}", file.display(), report.title)?;
                for failure in report.failures {
                    writeln!(out, "        {failure}")?;
                }
            }
            Err(error) => {
                failed += 1;
                writeln!(out, "broken  {}: {error:#}", file.display())?;
            }
        }
    }
    let all = counted(files.len() as u64, "scenario");
    if failed > 0 {
        anyhow::bail!("{failed} of {all} did not come out as they say");
    }
    Ok(writeln!(out, "{all}, {}: all as expected", counted(steps as u64, "step"))?)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn check(command: &mut clap::Command, path: &str) {
        let help = command.render_long_help().to_string();
        assert!(help.contains("Example"), "{path} --help has no example:\n{help}");
        assert!(command.get_about().is_some(), "{path} says nothing of itself");
        // What the library adds by itself explains itself.
        let known = |command: &&mut clap::Command| command.get_name() != "help";
        for command in command.get_subcommands_mut().filter(known) {
            check(command, &format!("{path} {}", command.get_name().to_owned()));
        }
    }

    #[test]
    fn every_command_has_help_with_an_example() {
        let mut command = Arguments::command();
        command.clone().debug_assert();
        check(&mut command, "drawdown");
    }
}

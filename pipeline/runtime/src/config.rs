//! The configuration: one TOML file, overridden by `DRAWDOWN_...` variables, overridden by flags.
//! Every value is declared once, with its default and its meaning; the reference is made from that.

use std::collections::BTreeMap;
use std::path::Path;

use drawdown_domain::settings::Settings;
use drawdown_domain::time::Span;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

/// One value of the configuration, for the reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub section: &'static str,
    pub key: &'static str,
    pub default: String,
    pub doc: String,
    pub secret: bool,
}

macro_rules! sections {
    ($($(#[doc = $section_doc:literal])* [$section:ident: $name:ident] {
        $($(#[doc = $doc:literal])* $key:ident: $type:ty = $default:expr,)*
    })*) => {
        $(
            $(#[doc = $section_doc])*
            #[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
            #[serde(default, deny_unknown_fields)]
            pub struct $name {
                $($(#[doc = $doc])* pub $key: $type,)*
            }

            impl Default for $name {
                fn default() -> $name {
                    $name { $($key: $default,)* }
                }
            }
        )*

        /// All of the configuration but the domain's settings.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        struct Sections {
            $($section: $name,)*
        }

        const SECTIONS: &[&str] = &[$(stringify!($section)),*];

        /// Every value there is, with its default and its meaning.
        pub fn reference() -> Vec<Known> {
            let mut known = Vec::new();
            $({
                let defaults = $name::default();
                $(known.push(Known {
                    section: stringify!($section),
                    key: stringify!($key),
                    default: shown(&defaults.$key),
                    doc: drawdown_domain::vocabulary::doc(&[$($doc),*]),
                    secret: is_secret(stringify!($key)),
                });)*
            })*
            known
        }

        impl Sections {
            fn values(&self) -> Vec<String> {
                let mut values = Vec::new();
                $({
                    let section = &self.$section;
                    $(values.push(shown(&section.$key));)*
                })*
                values
            }
        }
    };
}

/// What is never shown, and is text whatever it looks like.
fn is_secret(key: &str) -> bool {
    matches!(key, "secret" | "password" | "demo_key")
}

/// As it is written in a configuration file.
fn shown(value: &impl Serialize) -> String {
    match toml::Value::try_from(value) {
        Ok(toml::Value::Table(table)) if table.is_empty() => "{}".to_owned(),
        Ok(value) => value.to_string(),
        // TOML has no way to say that something is not set.
        Err(_) => "not set".to_owned(),
    }
}

sections! {
    /// What the installation is called and which topics it has.
    [installation: InstallationSection] {
        /// Precedes the names of topics and groups.
        prefix: String = "drawdown.".to_owned(),
        /// 64 hexadecimal digits. Signs what our own consumers write where others write too, and keys the memory of duplicates: all workers need the same one, for good.
        secret: String = String::new(),
        /// Names this process among those that share the work. Stable over restarts, different for each.
        instance: String = "1".to_owned(),
        /// A file that replaces the topics' plan that comes with this version (schemas/topics.toml).
        topics: Option<String> = None,
    }
    /// Which log everything stands on.
    [log: LogSection] {
        /// `kafka`, or `embedded` for one machine.
        engine: String = "kafka".to_owned(),
    }
    /// Apache Kafka.
    [kafka: KafkaSection] {
        /// Host and port of some brokers, separated by commas.
        bootstrap: String = "127.0.0.1:9092".to_owned(),
        /// Anything else for the client, by librdkafka's names: TLS, SASL.
        properties: BTreeMap<String, String> = BTreeMap::new(),
        /// How long readers wait at most for a worker that froze in the middle of a commit.
        transaction_timeout: Span = Span::micros(10_000_000),
        /// After which a silent worker's partitions go to others.
        session_timeout: Span = Span::micros(10_000_000),
        /// On how many brokers `topics apply` keeps each message.
        replication: i32 = 1,
    }
    /// A registry of Avro schemas (Confluent's, or one with its API), for usage that names its schema by number.
    [schema_registry: SchemaRegistrySection] {
        /// Where it is asked, such as `http://127.0.0.1:8081`; empty: such usage is malformed.
        url: String = String::new(),
        /// Who asks; empty: nobody in particular.
        user: String = String::new(),
        /// Of the user.
        password: String = String::new(),
    }
    /// The embedded log.
    [embedded: EmbeddedSection] {
        /// Where it keeps its files.
        directory: String = "data".to_owned(),
    }
    /// How the consumers work.
    [worker: WorkerSection] {
        /// How long a step is collected at most before it is committed, or for twice as long as the last commit took; one that has all that is there does not wait for the interval, but 25 ms on Kafka and 2 ms on the embedded log.
        commit_interval: Span = Span::micros(40_000),
        /// A snapshot of a partition's state begins after so many bytes of changes, but not before they are twice as many as the last one had.
        snapshot_after_bytes: u64 = 4 * 1024 * 1024,
        /// Where the workers keep, under the name of their instance, what they would otherwise read from the log at each start; nothing is lost with it. Empty: in memory.
        data: String = "local".to_owned(),
        /// `real`, or for demonstrations and tests a faster one: its factor, what it shows, and when it showed it.
        clock: String = "real".to_owned(),
        /// A consumer that is stuck in a call for so long ends its process, so that it starts anew.
        watchdog: Span = Span::micros(120_000_000),
        /// Where metrics, health and views are served; empty: nowhere.
        http: String = "127.0.0.1:9464".to_owned(),
    }
    /// ClickHouse, and the engine that `drawdown clickhouse` serves.
    [clickhouse: ClickhouseSection] {
        /// Where ClickHouse is asked.
        url: String = "http://127.0.0.1:8123".to_owned(),
        /// Who asks.
        user: String = "default".to_owned(),
        /// The database of ours. One that is dropped is made and filled again.
        database: String = "drawdown".to_owned(),
        /// Of the user; for the engine, the one it asks for. Empty: none.
        password: String = String::new(),
        /// The engine's library, if it is not where `make prepare` puts it.
        library: String = String::new(),
        /// What the engine may hold in memory.
        memory_bytes_max: u64 = 2 * 1024 * 1024 * 1024,
        /// Clients that the engine serves at once; more wait.
        connections_max: usize = 256,
        /// Queries that the engine runs at once; more wait, and are refused in the end.
        queries_max: usize = 32,
    }
    /// ANALYTICS, which fills ClickHouse.
    [analytics: AnalyticsSection] {
        /// How long rows wait for others to be inserted with, where many come; lists are behind by this at most.
        insert_after: Span = Span::micros(1_000_000),
        /// A partition whose messages have come to this is inserted at once.
        block_bytes_max: usize = 8 * 1024 * 1024,
        /// So much of each topic is kept in memory at most while ClickHouse is slow or away; the rest waits on the log.
        kept_bytes_max: usize = 32 * 1024 * 1024,
        /// A call that ClickHouse has not answered by then is made again.
        deadline: Span = Span::micros(60_000_000),
    }
    /// METERING.
    [metering: MeteringSection] {
        /// So many records are remembered at most by one process, to find duplicates: each takes 2 bytes of memory and 36 on disk, all of them in memory without `worker.data`. At 80% there is an alarm, at 100% no usage is taken.
        identities_max: u64 = 400_000_000,
        /// So many of them are kept in memory, at 50 bytes each, before they are written to the disk; for each partition.
        identities_table_max: usize = 256 * 1024,
    }
    /// CONSOLE.
    [console: ConsoleSection] {
        /// Who may ask from the beginning (`create_key` makes more): principals with the SHA-256 of their keys, as 64 hexadecimal digits (`printf %s "$KEY" | sha256sum`).
        keys: BTreeMap<String, String> = BTreeMap::new(),
        /// A key that acts as the operator and opens the pages to every visitor: for demonstrations only. Empty: none.
        demo_key: String = String::new(),
        /// Where workers that keep ledgers serve their rows, as `host:port`, separated by commas; they are asked in turn. Not needed where the ledgers are in the same process.
        workers: String = String::new(),
        /// Where captured mails are put. Empty: they are not shown.
        mails: String = String::new(),
        /// A command that is not decided by then is answered with where to look.
        command_answered_within: Span = Span::micros(10_000_000),
        /// Usage that is taken and not yet on the log; beyond it senders get 429.
        usage_queue_bytes_max: usize = 64 * 1024 * 1024,
    }
    /// PAYMENTS.
    [payments: PaymentsSection] {
        /// Which gateway moves the money: `sandbox`, which moves none and keeps a book of what it would have done.
        gateway: String = "sandbox".to_owned(),
        /// The sandbox's book: a file of one line of JSON for each charge, hold and release. Processes of one machine may share it.
        sandbox_book: String = "sandbox.jsonl".to_owned(),
        /// A gateway that has not answered by then is asked again under the same key.
        deadline: Span = Span::micros(30_000_000),
        /// So many payments are asked for at a time by one process.
        in_flight_max: usize = 32,
        /// With so many payments whose outcome is not known a partition takes no more.
        open_per_partition_max: usize = 10_000,
    }
    /// Invoices as PDFs.
    [documents: DocumentsSection] {
        /// Folders with Noto's fonts, separated by commas. Empty: where Debian's fonts-noto-core and fonts-noto-cjk put them.
        fonts: String = String::new(),
    }
    /// ALERTS and INVOICES, which send mail.
    [mail: MailSection] {
        /// `smtp`, or `captured` for demonstrations: nobody gets it, and it is kept in a folder.
        delivery: String = "captured".to_owned(),
        /// Where captured mail is kept, a file each.
        folder: String = "mail".to_owned(),
        /// Whom mail comes from; what stands behind its `@` ends each Message-ID, too.
        from: String = "Billing <billing@localhost>".to_owned(),
        /// The mail server.
        host: String = "127.0.0.1".to_owned(),
        /// The mail server's port.
        port: u16 = 587,
        /// How the connection is kept from being read: `starttls`, `tls` from the first byte, or `none` for a server of this machine.
        security: String = "starttls".to_owned(),
        /// Who we are to the server; empty: it takes mail from anybody.
        user: String = String::new(),
        /// The password for it.
        password: String = String::new(),
        /// A file with a certificate, as PEM, that is trusted beside the system's; empty: none.
        certificate: String = String::new(),
        /// A mail that is not sent by then is tried again.
        deadline: Span = Span::micros(30_000_000),
        /// So many mails are sent at a time by one process.
        in_flight_max: usize = 32,
        /// With so many mails that are not sent yet a partition takes no more.
        open_per_partition_max: usize = 10_000,
        /// A mail that no server has taken after so long is given up.
        give_up_after: Span = Span::days(4),
    }
}

/// What is in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    sections: Sections,
    pub settings: Settings,
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NotAConfig {
    #[error("{file} cannot be read: {error}")]
    Unreadable { file: String, error: std::io::Error },
    #[error("{whence}: {error}")]
    Invalid { whence: String, error: String },
    #[error("{name} is no value of the configuration; `drawdown config --reference` lists them")]
    Unknown { name: String },
}

const PREFIX: &str = "DRAWDOWN_";
/// Variables that have another meaning.
const NOT_CONFIGURATION: [&str; 6] = [
    "DRAWDOWN_KILL_AT",
    "DRAWDOWN_FREEZE_AT",
    "DRAWDOWN_CONFIG",
    "DRAWDOWN_LOG_FILTER",
    "DRAWDOWN_SERVER",
    "DRAWDOWN_KEY",
];

impl Config {
    /// Reads the file, if there is one, then the variables, then the flags (`section.key=value`).
    pub fn read(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
        flags: &[String],
    ) -> Result<Config, NotAConfig> {
        let mut table = match file {
            None => Table::new(),
            Some(path) => {
                let whence = path.display().to_string();
                let text = std::fs::read_to_string(path)
                    .map_err(|error| NotAConfig::Unreadable { file: whence.clone(), error })?;
                toml::from_str(&text).map_err(|error| invalid(&whence, &error))?
            }
        };
        let whence = file.map(|path| path.display().to_string()).unwrap_or_default();
        check(&table, &whence)?;
        for (name, value) in variables {
            if let Some(path) =
                name.strip_prefix(PREFIX).filter(|_| !NOT_CONFIGURATION.contains(&name.as_str()))
            {
                let (section, key) = known(&path.to_lowercase().replace("__", "."), '_')
                    .ok_or_else(|| NotAConfig::Unknown { name: name.clone() })?;
                set(&mut table, &section, &key, &value);
            }
        }
        for flag in flags {
            let (path, value) = flag.split_once('=').unwrap_or((flag, ""));
            let (section, key) =
                known(path, '.').ok_or_else(|| NotAConfig::Unknown { name: path.to_owned() })?;
            set(&mut table, &section, &key, value);
        }
        Config::from_table(table)
    }

    fn from_table(table: Table) -> Result<Config, NotAConfig> {
        let (sections, settings): (Table, Table) =
            table.into_iter().partition(|(section, _)| SECTIONS.contains(&section.as_str()));
        let whence = "the configuration";
        Ok(Config {
            sections: sections.try_into().map_err(|error| invalid(whence, &error))?,
            settings: settings.try_into().map_err(|error| invalid(whence, &error))?,
        })
    }

    pub fn installation(&self) -> &InstallationSection {
        &self.sections.installation
    }

    pub fn log(&self) -> &LogSection {
        &self.sections.log
    }

    pub fn kafka(&self) -> &KafkaSection {
        &self.sections.kafka
    }

    pub fn schema_registry(&self) -> &SchemaRegistrySection {
        &self.sections.schema_registry
    }

    pub fn embedded(&self) -> &EmbeddedSection {
        &self.sections.embedded
    }

    pub fn worker(&self) -> &WorkerSection {
        &self.sections.worker
    }

    pub fn clickhouse(&self) -> &ClickhouseSection {
        &self.sections.clickhouse
    }

    pub fn analytics(&self) -> &AnalyticsSection {
        &self.sections.analytics
    }

    pub fn metering(&self) -> &MeteringSection {
        &self.sections.metering
    }

    pub fn console(&self) -> &ConsoleSection {
        &self.sections.console
    }

    pub fn payments(&self) -> &PaymentsSection {
        &self.sections.payments
    }

    pub fn documents(&self) -> &DocumentsSection {
        &self.sections.documents
    }

    pub fn mail(&self) -> &MailSection {
        &self.sections.mail
    }

    /// Every value that is in force, secrets masked.
    pub fn in_force(&self) -> Vec<(String, String)> {
        let values = reference().into_iter().zip(self.sections.values());
        let shown = values.map(|(known, value)| {
            let masked = known.secret && value != known.default;
            let value = if masked { "\"(masked)\"".to_owned() } else { value };
            (format!("{}.{}", known.section, known.key), value)
        });
        shown.collect()
    }
}

fn invalid(whence: &str, error: &dyn std::fmt::Display) -> NotAConfig {
    NotAConfig::Invalid {
        whence: whence.to_owned(),
        error: error.to_string().trim_end().to_owned(),
    }
}

/// Unknown names are refused where they are written, before anything overrides them.
fn check(table: &Table, whence: &str) -> Result<(), NotAConfig> {
    Config::from_table(table.clone()).map(|_| ()).map_err(|error| match error {
        NotAConfig::Invalid { error, .. } => {
            let error = format!("{error}; `drawdown config --reference` lists all that can be set");
            NotAConfig::Invalid { whence: whence.to_owned(), error }
        }
        other => other,
    })
}

/// The section and key that a path of a variable or flag means.
fn known(path: &str, separator: char) -> Option<(String, String)> {
    let (section, key) = path.split_once(['.', separator])?;
    // `kafka.properties` and `console.keys` have keys of their own.
    let is_known = reference().iter().any(|known| known.section == section && known.key == key);
    let is_property = (section == "kafka" && key.starts_with("properties."))
        || (section == "console" && key.starts_with("keys."));
    (is_known || is_property).then(|| (section.to_owned(), key.to_owned()))
}

fn set(table: &mut Table, section: &str, key: &str, text: &str) {
    // Numbers and booleans are what they look like; everything else is text.
    let value = match text.parse::<i64>() {
        Ok(number) if !is_secret(key) && key != "instance" => Value::Integer(number),
        _ => Value::String(text.to_owned()),
    };
    let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    let Some(section) = section.as_table_mut() else { return };
    match key.split_once('.') {
        Some((outer, inner)) => {
            let outer = section.entry(outer).or_insert_with(|| Value::Table(Table::new()));
            if let Some(outer) = outer.as_table_mut() {
                outer.insert(inner.to_owned(), Value::String(text.to_owned()));
            }
        }
        None => {
            section.insert(key.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str, variables: &[(&str, &str)], flags: &[&str]) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("drawdown.toml");
        std::fs::write(&path, file).unwrap();
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        Config::read(Some(&path), variables, &flags).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_override_variables_and_variables_override_the_file() {
        let file = "[kafka]\nbootstrap = \"a:1\"\n[worker]\nsnapshot_after_bytes = 5\n[usage]\nmax_age = \"40d\"";
        let config = read(file, &[], &[]).unwrap();
        assert_eq!(config.kafka().bootstrap, "a:1");
        assert_eq!(config.settings.usage.max_age, Span::days(40));
        let variables =
            [("DRAWDOWN_KAFKA_BOOTSTRAP", "b:2"), ("DRAWDOWN_WORKER_SNAPSHOT_AFTER_BYTES", "6")];
        let config = read(file, &variables, &[]).unwrap();
        assert_eq!(
            (config.kafka().bootstrap.as_str(), config.worker().snapshot_after_bytes),
            ("b:2", 6)
        );
        let flags = ["kafka.bootstrap=c:3", "kafka.properties.sasl.username=me"];
        let config = read(file, &variables, &flags).unwrap();
        assert_eq!(config.kafka().bootstrap, "c:3");
        assert_eq!(config.kafka().properties["sasl.username"], "me");
    }

    #[test]
    fn unknown_names_are_refused_with_their_name() {
        assert!(read("[kafka]\nbootstrp = \"a\"", &[], &[]).unwrap_err().contains("bootstrp"));
        assert!(read("[usage]\nmax_aeg = \"1d\"", &[], &[]).unwrap_err().contains("max_aeg"));
        assert!(
            read("", &[("DRAWDOWN_KAFKA_BOOT", "x")], &[])
                .unwrap_err()
                .contains("DRAWDOWN_KAFKA_BOOT")
        );
        assert!(read("", &[], &["kafka.boot=x"]).unwrap_err().contains("kafka.boot"));
        assert!(
            read("[worker]\ncommit_interval = \"fast\"", &[], &[])
                .unwrap_err()
                .contains("a span is")
        );
    }

    #[test]
    fn secrets_are_masked() {
        let config =
            read("[installation]\nsecret = \"abc\"", &[("DRAWDOWN_MAIL_PASSWORD", "4711")], &[])
                .unwrap();
        assert_eq!(config.mail().password, "4711");
        assert!(config.in_force().iter().all(|(_, value)| !value.contains("4711")));
        assert!(config.in_force().iter().all(|(_, value)| !value.contains("abc")));
        assert!(
            config
                .in_force()
                .iter()
                .any(|(name, value)| name == "installation.secret" && value.contains("masked"))
        );
    }

    #[test]
    fn every_value_has_a_meaning() {
        assert!(reference().iter().all(|known| !known.doc.is_empty()));
    }
}

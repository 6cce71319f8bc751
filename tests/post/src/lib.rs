//! What every consumer that sends letters must stand: a real mail server that is slow, refuses, loses its
//! answers or is away, with a worker that is killed. Nothing is lost, and nothing comes twice but what the
//! server took without our hearing it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // tests, all of it

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};

use drawdown_components::{Accepted, Behaviour, MailServer};
use drawdown_domain::time::{Span, Timestamp};
use drawdown_log::embedded::{self, Embedded, EmbeddedConfig};
use drawdown_log::{Log, Membership, Next, Point};
use drawdown_ports::mail::{Sender, Smtp, SmtpOptions, Tls};
use drawdown_post::{Letters, Post, PostOptions};
use drawdown_runtime::clock::Clock;
use drawdown_runtime::errands::{Errands, Outside, OutsideOptions};
use drawdown_runtime::{Worker, WorkerOptions, read_to_end};
use drawdown_wire::messages::{Mail, MailState, Mails};
use drawdown_wire::schemas;
use drawdown_wire::topics::{DEFAULT_PLAN, Topic, TopicPlan, Topics};
use tempfile::TempDir;

/// A consumer that sends letters.
pub trait Sends {
    type Letters: Letters;
    const CONSUMER: &'static str;
    const INPUT: Topic;
    const STATE: Topic;

    fn letters() -> Self::Letters;

    /// The name and the message of a wish for `ba-acme`, different for each number. The keys of its letters
    /// are the name and the place of their recipient.
    fn wish(number: usize, recipients: &[&str]) -> (String, Vec<u8>);
}

/// When clocks begin.
fn at() -> Timestamp {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

const FOLDER: &str = "DRAWDOWN_TEST_FOLDER";
const CLOCK: &str = "DRAWDOWN_TEST_CLOCK";
const PORT: &str = "DRAWDOWN_TEST_PORT";
const PARTITIONS: u32 = 2;
/// So many mails are under way at a time.
const IN_FLIGHT_MAX: usize = 8;
const WITHIN: Duration = Duration::from_secs(60);

fn log<S: Sends>(folder: &Path, clock: &Clock) -> Embedded {
    let topic =
        |name: &str| embedded::Topic { name: name.to_owned(), partitions: PARTITIONS, keep: None };
    let topics = [S::INPUT, Topic::Mails, S::STATE].map(|of| topic(of.name()));
    let clock = clock.clone();
    let config = EmbeddedConfig::new(folder.join("log"), topics, Arc::new(move || clock.now()));
    Embedded::open(config).unwrap()
}

fn worker<S: Sends>(
    log: Arc<Embedded>,
    clock: &Clock,
    port: u16,
) -> Worker<Errands<Post<S::Letters>>> {
    let options = WorkerOptions {
        membership: Membership {
            group: S::CONSUMER.to_owned(),
            topic: S::INPUT.name().to_owned(),
            instance: "1".to_owned(),
        },
        state_topic: S::STATE.name().to_owned(),
        rules_version: 1,
        commit_interval: Duration::ZERO,
        step_bytes_max: 1 << 20,
        snapshot_after_bytes: 1 << 14,
        state_kept_for: Some(Span::ZERO),
    };
    let smtp = SmtpOptions {
        host: "127.0.0.1".to_owned(),
        port,
        tls: Tls::None,
        credentials: None,
        certificate: None,
        hello: "billing.example".to_owned(),
        from: Sender::parse("Billing <billing@billing.example>").unwrap(),
        deadline: Duration::from_secs(2),
        idle_max: 8,
    };
    let options_of_post = PostOptions {
        topics: Topics::new("", &TopicPlan::parse(DEFAULT_PLAN).unwrap()),
        mailer: Arc::new(Smtp::new(smtp).unwrap()),
        domain: "billing.example".to_owned(),
        give_up_after: Span::days(4),
    };
    let outside = OutsideOptions {
        consumer: S::CONSUMER,
        deadline: Duration::from_secs(4),
        in_flight_max: IN_FLIGHT_MAX,
        open_per_partition_max: 1_000,
    };
    let outside = Outside::new(Post::new(S::letters(), options_of_post), outside).unwrap();
    let make = move |partition| Errands::new(outside.clone(), partition);
    Worker::new(options, log, clock.clone(), make)
}

/// The process that sends, until every letter has come to its end or it is killed. A test of the name
/// `child` calls it, which is ignored but for those here.
pub fn child<S: Sends>() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let clock: Clock = std::env::var(CLOCK).unwrap().parse().unwrap();
    let log = Arc::new(log::<S>(folder, &clock));
    let mut worker = worker::<S>(log, &clock, std::env::var(PORT).unwrap().parse().unwrap());
    let deadline = Instant::now() + WITHIN;
    while !worker.has_read_all().unwrap() || worker.stations().any(|errands| errands.open() > 0) {
        assert!(Instant::now() < deadline, "not every mail came to its end");
        worker.turn(Duration::from_millis(1)).unwrap();
    }
    worker.stop().unwrap();
}

/// A mail server, and a log whose letters go to it.
struct Site<S> {
    server: MailServer,
    folder: TempDir,
    clock: Clock,
    /// The Message-ID of every mail that is wanted.
    wanted: Vec<String>,
    sends: PhantomData<S>,
}

impl<S: Sends> Site<S> {
    fn new() -> Site<S> {
        // A minute in half a second.
        let clock = Clock::fast(120, at());
        let (server, folder) = (MailServer::start().unwrap(), tempfile::tempdir().unwrap());
        Site { server, folder, clock, wanted: Vec::new(), sends: PhantomData }
    }

    /// Puts so many wishes on each partition, each for two people, while no worker holds the log.
    fn want(&mut self, wishes: u32) {
        let log = log::<S>(self.folder.path(), &self.clock);
        for partition in 0..PARTITIONS {
            for _ in 0..wishes {
                let people = ["ann@acme.example", "bob@acme.example", "ann@acme.example"];
                let (name, message) = S::wish(self.wanted.len(), &people);
                self.wanted.extend([0, 1].map(|place| format!("{name}.{place}@billing.example")));
                log.append(S::INPUT.name(), partition, self.clock.now(), &[&message]).unwrap();
            }
        }
    }

    fn start(&self, armed: Option<String>) -> Child {
        let Clock::Fast(fast) = &self.clock else { unreachable!() };
        let clock = format!("{} {} {}", fast.factor, fast.shown, fast.real);
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "child"]).env(FOLDER, self.folder.path());
        command.env(CLOCK, clock).env(PORT, self.server.port().to_string());
        command.envs(armed.map(|armed| ("DRAWDOWN_KILL_AT", armed)));
        command.stdout(std::process::Stdio::null()).spawn().unwrap()
    }

    fn run(&self, armed: Option<String>) -> ExitStatus {
        self.start(armed).wait().unwrap()
    }

    /// Waits until the server was shown so many mails more.
    fn await_asked(&self, more: usize, child: &mut Child) {
        let before = self.server.asked().unwrap();
        let deadline = Instant::now() + WITHIN;
        while self.server.asked().unwrap() < before + more {
            assert!(child.try_wait().unwrap().is_none(), "the worker has ended");
            assert!(Instant::now() < deadline, "nobody asks");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// How often the server accepted each Message-ID.
    fn accepted(&self) -> BTreeMap<String, usize> {
        let mut accepted = BTreeMap::new();
        for mail in self.server.accepted().unwrap() {
            *accepted.entry(mail.message_id).or_insert(0) += 1;
        }
        accepted
    }

    fn mails(&self) -> Vec<Mail> {
        let (log, mut found) = (log::<S>(self.folder.path(), &self.clock), Vec::new());
        for partition in 0..PARTITIONS {
            read_to_end(&log, "mails", partition, Next::START, &mut |message| {
                let Mails { mails } = schemas::MAILS.read(message.value).unwrap();
                found.extend(mails);
                Ok(())
            })
            .unwrap();
        }
        found
    }

    /// Every wanted mail is on the list of mails once, in this state.
    fn check_told(&self, state: MailState) {
        let mails = self.mails();
        let mut told: Vec<&str> = mails.iter().map(|mail| mail.mail.as_str()).collect();
        told.sort_unstable();
        let mut wanted: Vec<&str> = self.wanted.iter().map(String::as_str).collect();
        wanted.sort_unstable();
        assert_eq!(told, wanted);
        for mail in mails {
            assert_eq!(mail.state, state, "{mail:?}");
            assert!(mail.tries >= 1 && mail.subject.contains("(ba-acme)"), "{mail:?}");
        }
    }

    /// The server accepted every wanted mail, and none more than once but for so many repetitions.
    fn check_accepted(&self, repeated_max: usize, what: &str) {
        let accepted = self.accepted();
        for wanted in &self.wanted {
            assert!(accepted.contains_key(wanted), "{what}: {wanted} is lost");
        }
        assert_eq!(accepted.len(), self.wanted.len(), "{what}: somebody got what nobody wanted");
        let sends: usize = accepted.values().sum();
        let repeated = sends - accepted.len();
        let most = accepted.values().max().unwrap();
        println!(
            "{what}: {} Message-IDs, {sends} sends, {repeated} repeated, {most} at most under one",
            accepted.len()
        );
        assert!(repeated <= repeated_max, "{what}: {accepted:?}");
    }
}

/// Each recipient gets one mail, and what was sent is listed. Says what the server got.
pub fn every_recipient_gets_one_mail_and_what_was_sent_is_listed<S: Sends>() -> Vec<Accepted> {
    let mut site = Site::<S>::new();
    site.want(20);
    assert!(site.run(None).success());
    site.check_accepted(0, "a server that does its duty");
    site.check_told(MailState::Sent);
    let accepted = site.server.accepted().unwrap();
    let ann = accepted.iter().filter(|mail| mail.to == ["ann@acme.example"]).count();
    assert_eq!(ann * 2, accepted.len());
    assert!(accepted.iter().all(|mail| mail.text.as_ref().unwrap().contains(&mail.to[0])));
    accepted
}

/// A server that is busy, and then away, loses nothing.
pub fn a_server_that_asks_to_be_asked_later_or_is_away_loses_nothing<S: Sends>() {
    let mut site = Site::<S>::new();
    site.want(5);
    site.server.behave(Behaviour::Later).unwrap();
    let mut child = site.start(None);
    site.await_asked(10, &mut child);
    site.server.behave(Behaviour::Accept).unwrap();
    assert!(child.wait().unwrap().success());
    let tries: u32 = site.mails().iter().map(|mail| mail.tries).sum();
    assert!(tries as usize >= site.wanted.len() + 10, "{tries}");
    site.server.kill().unwrap();
    site.want(15);
    // Somebody listens in its place, and breaks every connection.
    let nobody = TcpListener::bind(("127.0.0.1", site.server.port())).unwrap();
    let mut child = site.start(None);
    for _ in 0..20 {
        drop(nobody.accept().unwrap());
    }
    drop(nobody);
    site.server.resume().unwrap();
    assert!(child.wait().unwrap().success());
    site.check_accepted(0, "a server that is busy, then away");
    site.check_told(MailState::Sent);
}

/// What a server refuses is listed as that, and not tried again.
pub fn what_a_server_refuses_is_listed_as_refused_and_not_tried_again<S: Sends>() {
    let mut site = Site::<S>::new();
    site.want(5);
    site.server.behave(Behaviour::Refuse).unwrap();
    assert!(site.run(None).success());
    assert_eq!(site.accepted(), BTreeMap::new());
    site.check_told(MailState::Refused);
    for mail in site.mails() {
        assert_eq!(mail.tries, 1);
        assert!(mail.detail.unwrap().contains("nobody of that name"));
    }
}

/// The one repetition there is, first case: the server took a mail, and its `250` was lost.
pub fn a_lost_250_repeats_that_mail_and_no_other<S: Sends>() {
    let mut site = Site::<S>::new();
    site.want(8);
    site.server.behave(Behaviour::Lose).unwrap();
    let mut child = site.start(None);
    site.await_asked(1, &mut child);
    site.server.behave(Behaviour::Accept).unwrap();
    assert!(child.wait().unwrap().success());
    let repeated: Vec<u32> =
        site.mails().iter().map(|mail| mail.tries).filter(|tries| *tries > 1).collect();
    let lost: usize = repeated.iter().map(|tries| *tries as usize - 1).sum();
    assert!(lost > 0, "no 250 was lost");
    site.check_accepted(lost, "a server whose 250 is lost");
    // Each try that was lost is one send more, and nothing else is.
    let sends: usize = site.accepted().values().sum();
    assert_eq!(sends, site.wanted.len() + lost);
    site.check_told(MailState::Sent);
}

/// The one repetition there is, second case: killed between the server's `250` and our commit.
pub fn a_kill_repeats_at_most_what_was_under_way<S: Sends>() {
    let mut site = Site::<S>::new();
    let mut kills = 0;
    for (point, times) in [
        (Point::Read, 1),
        (Point::Decided, 1),
        (Point::FrameSynced, 1),
        (Point::Committed, 1),
        (Point::Committed, 2),
        (Point::Performing, 1),
        (Point::Performing, 3),
        (Point::Performed, 1),
        (Point::Performed, 2),
        (Point::Decided, 4),
        (Point::FrameWritten, 3),
    ] {
        site.want(4);
        let before = site.server.accepted().unwrap().len();
        let told: Vec<String> = site.mails().into_iter().map(|mail| mail.mail).collect();
        let ended = site.run(Some(format!("{}:{times}", point.name())));
        assert_eq!(ended.signal(), Some(9), "{} was not reached {times} times", point.name());
        kills += 1;
        // Whatever is on the list is never sent again.
        for mail in &site.server.accepted().unwrap()[before..] {
            assert!(!told.contains(&mail.message_id), "{mail:?}");
        }
    }
    assert!(site.run(None).success(), "the rest is not sent");
    site.check_accepted(kills * IN_FLIGHT_MAX, "a worker that is killed");
    site.check_told(MailState::Sent);
}

//! Usage from producers that know drawdown only by Kafka and a schema registry.

use std::process::Command;

use drawdown_components::{SchemaRegistry, confluent_kafka};
use drawdown_domain::time::Timestamp;
use drawdown_wire::identities::Packed;
use drawdown_wire::messages::Charges;
use drawdown_wire::schemas;
use drawdown_wire::topics::Topic;

use crate::end_to_end::faults::rig::{Rig, RigOptions};

const RECORDS: usize = 300;

/// Confluent's own client and serializer, with a schema that has its fields in another order and one more.
const PRODUCER: &str = r#"
import datetime, decimal, json, sys
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

bootstrap, topic, url, time, count = sys.argv[1:]
schema = json.load(open("schemas/avro/UsageRecord.avsc"))
schema["namespace"] = "com.acme"
schema["fields"].reverse()
schema["fields"].append({"name": "rack", "type": ["null", "string"], "default": None})
serialize = AvroSerializer(SchemaRegistryClient({"url": url}), json.dumps(schema))
context = SerializationContext(topic, MessageField.VALUE)
failed = []
producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
time = datetime.datetime.fromisoformat(time)
for number in range(int(count)):
    record = {"source": "acme", "id": str(number), "account": f"a{number % 7}", "product": "compute", "meter": "hours",
        "quantity": decimal.Decimal("1.500000000000"), "time": time, "region": None, "unit": None,
        "tags": {"team": "search"}, "rack": "r1"}
    producer.produce(topic, value=serialize(record, context), key=record["id"],
        timestamp=int(time.timestamp() * 1000), on_delivery=lambda error, _: error and failed.append(error))
producer.flush()
assert not failed, failed
"#;

fn produce(rig: &Rig, registry: &SchemaRegistry, used: Timestamp) {
    let output = Command::new(confluent_kafka().unwrap())
        .args(["-c", PRODUCER, &rig.brokers.bootstrap(), rig.setup.topics.name(Topic::Usage)])
        .args([registry.url(), &used.to_string(), &RECORDS.to_string()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// Shows all values of a topic.
fn each(rig: &Rig, topic: Topic, mut visit: impl FnMut(&[u8])) {
    let name = rig.setup.topics.name(topic);
    for partition in 0..rig.setup.plan.partitions(topic) {
        let bounds = rig.log.bounds(name, partition).unwrap();
        rig.log
            .scan(name, partition, bounds.first, bounds.stable, &mut |message| {
                visit(message.value);
                true
            })
            .unwrap();
    }
}

/// R2.1, R2.2: each record counts once, though every one is sent twice, to whichever partition the client likes.
#[test]
fn r2_2_usage_in_confluents_wire_format_is_counted_once() {
    let registry = SchemaRegistry::start().unwrap();
    let port = registry.url().rsplit(':').next().unwrap().parse().unwrap();
    let mut rig = Rig::start(RigOptions { schema_registry: Some(port), ..RigOptions::default() });
    rig.open_accounts();
    let used = rig.clock.now();
    produce(&rig, &registry, used);
    produce(&rig, &registry, used);
    rig.come_to_rest();
    let (mut counted, mut charged, mut rejected) = (0, 0, 0);
    each(&rig, Topic::Identities, |value| {
        Packed::open(value).unwrap().each(&mut |_| counted += 1).unwrap();
    });
    each(&rig, Topic::Charges, |value| {
        let Charges { groups, .. } = schemas::CHARGES.read(value).unwrap();
        let lines = groups.iter().flat_map(|group| &group.lines);
        charged += lines.map(|line| line.records).sum::<i64>();
    });
    each(&rig, Topic::Rejects, |_| rejected += 1);
    assert_eq!((counted, charged, rejected), (RECORDS, RECORDS as i64, 0));
}

package peer;

import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;

/** Runs the job over a given number of records and prints one line of JSON about it. */
public final class Peer {
    private static final Duration POLL = Duration.ofMillis(200);

    private Peer() {
    }

    public static void main(String[] arguments) throws Exception {
        if (Arrays.asList(arguments).contains("--generate")) {
            System.out.println(Generator.run(arguments));
        } else {
            System.out.println(run(Settings.parse(arguments)));
        }
    }

    private static String run(Settings settings) throws Exception {
        if (settings.records() < 1) {
            throw new IllegalArgumentException("--records must be at least 1");
        }
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", settings.bootstrap()))) {
            createTopic(admin, settings.output(), settings.partitions(), Map.of("cleanup.policy", "compact"));
            refuseForeignOutput(admin, settings);

            Progress progress = new Progress();
            Progress.Moment end;
            KafkaStreams streams = new KafkaStreams(
                Billing.topology(settings, progress), settings.streamsConfig());
            try {
                streams.setUncaughtExceptionHandler(error -> {
                    error.printStackTrace();
                    return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
                });
                streams.start();
                waitUntilProcessed(streams, settings, progress);
                waitUntilCommitted(streams, admin, settings, progress);
                end = Progress.Moment.now();
            } finally {
                streams.close();
            }
            return report(settings, progress, end, readBalances(settings));
        }
    }

    /** Leaves a topic alone that is there already. */
    static void createTopic(Admin admin, String name, int partitions, Map<String, String> config) throws Exception {
        NewTopic topic = new NewTopic(name, Optional.of(partitions), Optional.empty()).configs(config);
        try {
            admin.createTopics(List.of(topic)).all().get();
        } catch (ExecutionException e) {
            if (!(e.getCause() instanceof TopicExistsException)) {
                throw e;
            }
        }
    }

    /** The total is the sum of the output topic, so values of another application would falsify it. */
    private static void refuseForeignOutput(Admin admin, Settings settings) throws Exception {
        try (KafkaConsumer<byte[], byte[]> consumer = outputConsumer(settings)) {
            List<TopicPartition> partitions = partitionsOf(consumer, settings.output());
            boolean empty = consumer.endOffsets(partitions).values().stream().allMatch(offset -> offset == 0);
            if (!empty && committed(admin, settings).isEmpty()) {
                throw new IllegalStateException(
                    settings.output() + " is not empty, but " + settings.applicationId() + " has never committed");
            }
        }
    }

    private static void waitUntilProcessed(KafkaStreams streams, Settings settings, Progress progress)
        throws InterruptedException {
        long seen = -1;
        long seenAt = System.nanoTime();
        while (true) {
            checkHealth(streams, progress);
            long records = progress.records();
            long booked = progress.booked();
            boolean allBooked = settings.hops() == 1 || booked == records - progress.duplicates();
            if (records >= settings.records() && allBooked) {
                break;
            }
            if (records + booked != seen) {
                seen = records + booked;
                seenAt = System.nanoTime();
            } else if (System.nanoTime() - seenAt > TimeUnit.SECONDS.toNanos(settings.idleSeconds())) {
                throw new IllegalStateException("no progress after " + records + " records");
            }
            Thread.sleep(5);
        }
        if (progress.records() != settings.records()) {
            throw new IllegalStateException("there are more records than " + settings.records());
        }
    }

    private static void waitUntilCommitted(KafkaStreams streams, Admin admin, Settings settings, Progress progress)
        throws Exception {
        Map<TopicPartition, Long> expected = progress.offsetsToCommit();
        while (true) {
            checkHealth(streams, progress);
            Map<TopicPartition, OffsetAndMetadata> committed = committed(admin, settings);
            boolean all = expected.entrySet().stream().allMatch(entry -> {
                OffsetAndMetadata offset = committed.get(entry.getKey());
                return offset != null && offset.offset() >= entry.getValue();
            });
            if (all) {
                return;
            }
            Thread.sleep(2);
        }
    }

    private static void checkHealth(KafkaStreams streams, Progress progress) {
        KafkaStreams.State state = streams.state();
        if (state.hasStartedOrFinishedShuttingDown()) {
            throw new IllegalStateException("Kafka Streams is in state " + state);
        }
        if (progress.replayed()) {
            throw new IllegalStateException("a transaction was aborted, so this run counts for nothing");
        }
    }

    private static Map<TopicPartition, OffsetAndMetadata> committed(Admin admin, Settings settings) throws Exception {
        return admin.listConsumerGroupOffsets(settings.applicationId()).partitionsToOffsetAndMetadata().get();
    }

    private static KafkaConsumer<byte[], byte[]> outputConsumer(Settings settings) {
        Map<String, Object> config = Map.of(
            "bootstrap.servers", settings.bootstrap(),
            "isolation.level", "read_committed",
            "max.poll.records", 10_000,
            "max.partition.fetch.bytes", 8 << 20);
        return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private static List<TopicPartition> partitionsOf(KafkaConsumer<?, ?> consumer, String topic) {
        return consumer.partitionsFor(topic).stream()
            .map(partition -> new TopicPartition(topic, partition.partition()))
            .toList();
    }

    /** The last committed balance of each account, read from the output topic as anyone would. */
    private static Map<Bytes, Amount> readBalances(Settings settings) {
        Map<Bytes, Amount> balances = new HashMap<>();
        try (KafkaConsumer<byte[], byte[]> consumer = outputConsumer(settings)) {
            List<TopicPartition> partitions = partitionsOf(consumer, settings.output());
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (ends.entrySet().stream().anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
                    balances.put(Bytes.wrap(record.key()), Amount.read(record.value()));
                }
            }
        }
        return balances;
    }

    private static String report(
        Settings settings, Progress progress, Progress.Moment end, Map<Bytes, Amount> balances) {
        double seconds = (end.nanos() - progress.first().nanos()) / 1e9;
        Amount total = balances.values().stream().reduce(Amount.ZERO, Amount::plus);
        return String.format(Locale.ROOT,
            "{\"peer\":\"kafka-streams\",\"records\":%d,\"duplicates\":%d,\"seconds\":%.3f,\"rate\":%.0f,"
                + "\"cpu_seconds\":%.2f,\"cpu_seconds_with_start\":%.2f,\"commit_ms\":%d,\"store\":\"%s\","
                + "\"layout\":\"%s\",\"hops\":%d,\"packed\":%b,\"threads\":%d,\"cache_mb\":%d,\"total_charged\":\"%s\","
                + "\"distinct_accounts\":%d}",
            progress.records(), progress.duplicates(), seconds, progress.records() / seconds,
            (end.cpuNanos() - progress.first().cpuNanos()) / 1e9, end.cpuNanos() / 1e9,
            settings.commitMs(), settings.inMemory() ? "memory" : "rocksdb",
            settings.joined() ? "joined" : "split",
            settings.hops(), settings.packed(), settings.threads(), settings.cacheMb(), total, balances.size());
    }
}

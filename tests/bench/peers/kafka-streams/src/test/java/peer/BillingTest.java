package peer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Stream;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TestOutputTopic;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.errors.StreamsException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every form of the job gives, account by account, what the plain computation gives. */
class BillingTest {
    @TempDir
    Path stateDir;

    static Stream<String> forms() {
        List<String> forms = new ArrayList<>();
        for (String hops : List.of("1", "2")) {
            for (String store : List.of("rocksdb", "memory")) {
                for (String layout : List.of("split", "joined")) {
                    for (String packed : List.of("", " --packed")) {
                        forms.add("--hops " + hops + " --store " + store + " --layout " + layout + packed);
                    }
                }
            }
        }
        return forms.stream();
    }

    @ParameterizedTest
    @MethodSource("forms")
    void everyFormGivesThePlainResult(String flags) {
        List<Generator.UsageRecord> input = new ArrayList<>();
        Generator.Expected expected = new Generator.Expected();
        Generator.generate(4_000, 40, 7, 0.05, 11, usage -> {
            input.add(usage);
            expected.add(usage);
        });
        check(flags, input, expected.balances(), expected.duplicates());
    }

    /** Used on both sides of the start of a bucket, an identity counts again only after 35 days. */
    @ParameterizedTest
    @MethodSource("forms")
    void anIdentityIsForgottenAfter35Days(String flags) {
        Instant bucket = Instant.ofEpochSecond(589 * Billing.RETENTION.toSeconds());
        Instant first = bucket.minus(Duration.ofDays(1));
        List<Generator.UsageRecord> input = List.of(
            usage("a", "200", first),
            usage("a", "200", first.plus(Billing.RETENTION)),
            usage("a", "200", first.minus(Duration.ofDays(3))),
            usage("b", "200", bucket),
            usage("b", "200", bucket.minusMillis(1)),
            usage("a", "200", first.plus(Billing.RETENTION).plusNanos(1_000)));
        check(flags, input, Map.of("e1.a1", new BigDecimal("40.000000000000")), 3);
    }

    @Test
    void aBrokenMessageStopsTheRun() {
        byte[] message = Generator.message(usage("a", "1", Instant.EPOCH));
        message[message.length - 1] = 1;
        try (TopologyTestDriver driver = driver(settings("--hops 1"), new Progress())) {
            TestInputTopic<byte[], byte[]> topic =
                driver.createInputTopic("usage", new ByteArraySerializer(), new ByteArraySerializer());
            assertThrows(StreamsException.class, () -> topic.pipeInput(message));
        }
    }

    private void check(
        String flags, List<Generator.UsageRecord> input, Map<String, BigDecimal> balances, long duplicates) {
        Settings settings = settings(flags);
        Progress progress = new Progress();
        try (TopologyTestDriver driver = driver(settings, progress)) {
            TestInputTopic<byte[], byte[]> topic =
                driver.createInputTopic("usage", new ByteArraySerializer(), new ByteArraySerializer());
            int pack = settings.packed() ? 70 : 1;
            for (int from = 0; from < input.size(); from += pack) {
                List<Generator.UsageRecord> records = input.subList(from, Math.min(from + pack, input.size()));
                if (settings.packed()) {
                    topic.pipeInput(Generator.message(records));
                } else {
                    byte[] key = records.get(0).account().getBytes(StandardCharsets.UTF_8);
                    topic.pipeInput(key, Generator.message(records.get(0)));
                }
            }
            assertEquals(balances, lastBalances(driver));
        }
        assertEquals(input.size(), progress.records());
        assertEquals(duplicates, progress.duplicates());
        assertEquals(settings.hops() == 1 ? 0 : input.size() - duplicates, progress.booked());
    }

    private static Map<String, BigDecimal> lastBalances(TopologyTestDriver driver) {
        TestOutputTopic<byte[], byte[]> topic =
            driver.createOutputTopic("balances", new ByteArrayDeserializer(), new ByteArrayDeserializer());
        Map<String, BigDecimal> balances = new HashMap<>();
        for (KeyValue<byte[], byte[]> balance : topic.readKeyValuesToList()) {
            balances.put(new String(balance.key, StandardCharsets.UTF_8), Amount.read(balance.value).toBigDecimal());
        }
        return balances;
    }

    private Settings settings(String flags) {
        String all = flags + " --records 0 --partitions 1 --cache-mb 1 --state-dir " + stateDir;
        return Settings.parse(all.split(" "));
    }

    private static TopologyTestDriver driver(Settings settings, Progress progress) {
        Properties config = settings.streamsConfig();
        return new TopologyTestDriver(Billing.topology(settings, progress), config);
    }

    private static Generator.UsageRecord usage(String id, String quantity, Instant time) {
        return new Generator.UsageRecord(
            "source", id, "e1.a1", "product", "meter", new BigDecimal(quantity), time, null, null, Map.of());
    }
}

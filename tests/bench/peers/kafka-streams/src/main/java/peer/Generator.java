package peer;

import java.io.ByteArrayOutputStream;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.utils.Utils;

/**
 * Makes usage for functional tests, and says what the result must be. The expected result is
 * computed record by record with BigDecimal and plain maps; it shares no code with the job.
 */
final class Generator {
    private static final Set<String> FLAGS = Set.of(
        "generate", "accounts", "enterprises", "duplicates", "seed", "bootstrap", "topic", "partitions", "packed");
    private static final int RECORDS_PER_PACKED_MESSAGE = 100;
    private static final int REPEATS_REACH_BACK = 50_000;

    record UsageRecord(
        String source, String id, String account, String product, String meter, BigDecimal quantity,
        Instant time, String region, String unit, Map<String, String> tags) {
    }

    private Generator() {
    }

    static String run(String[] arguments) throws Exception {
        Map<String, String> flags = Settings.flags(arguments, FLAGS, new HashMap<>());
        boolean packed = flags.containsKey("packed");
        int partitions = Integer.parseInt(flags.getOrDefault("partitions", "8"));
        String topic = flags.getOrDefault("topic", "usage");
        String bootstrap = flags.getOrDefault("bootstrap", "127.0.0.1:9092");
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            Peer.createTopic(admin, topic, partitions, Map.of());
        }
        Expected expected = new Expected();
        Map<String, Object> config = Map.of(
            "bootstrap.servers", bootstrap,
            "compression.type", "lz4", "linger.ms", 20, "batch.size", 256 << 10);
        try (var producer = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer())) {
            List<List<UsageRecord>> waiting = new ArrayList<>();
            for (int i = 0; i < partitions; i++) {
                waiting.add(new ArrayList<>());
            }
            generate(
                Long.parseLong(Settings.required(flags, "generate")),
                Integer.parseInt(flags.getOrDefault("accounts", "1000")),
                Integer.parseInt(flags.getOrDefault("enterprises", "100")),
                Double.parseDouble(flags.getOrDefault("duplicates", "5%").replace("%", "")) / 100,
                Long.parseLong(flags.getOrDefault("seed", "1")),
                usage -> {
                    expected.add(usage);
                    byte[] key = usage.account().getBytes(StandardCharsets.UTF_8);
                    if (!packed) {
                        producer.send(new ProducerRecord<>(topic, key, message(usage)));
                        return;
                    }
                    // A packed message holds records of one partition, so its key names no account.
                    int partition = Utils.toPositive(Utils.murmur2(key)) % partitions;
                    List<UsageRecord> pack = waiting.get(partition);
                    pack.add(usage);
                    if (pack.size() == RECORDS_PER_PACKED_MESSAGE) {
                        producer.send(new ProducerRecord<>(topic, partition, null, message(pack)));
                        pack.clear();
                    }
                });
            for (int partition = 0; partition < partitions; partition++) {
                if (!waiting.get(partition).isEmpty()) {
                    producer.send(new ProducerRecord<>(topic, partition, null, message(waiting.get(partition))));
                }
            }
        }
        return expected.toString();
    }

    /** The same arguments give the same records. Times span two months and all stay within 35 days. */
    static void generate(
        long records, int accounts, int enterprises, double duplicates, long seed, Consumer<UsageRecord> consumer) {
        Random random = new Random(seed);
        List<UsageRecord> recent = new ArrayList<>();
        long start = Instant.parse("2026-06-15T00:00:00Z").getEpochSecond();
        for (long i = 0; i < records; i++) {
            if (!recent.isEmpty() && random.nextDouble() < duplicates) {
                consumer.accept(recent.get(random.nextInt(recent.size())));
                continue;
            }
            int account = random.nextInt(accounts);
            Instant time = Instant.ofEpochSecond(start + random.nextInt(30 * 86_400), random.nextInt(1_000_000) * 1_000L);
            Map<String, String> tags = new TreeMap<>();
            for (int tag = random.nextInt(3); tag > 0; tag--) {
                tags.put("tag" + tag, "value" + random.nextInt(10));
            }
            UsageRecord usage = new UsageRecord(
                "gateway-" + random.nextInt(4),
                Long.toHexString(seed) + "-" + Long.toHexString(i),
                "e" + account % enterprises + ".a" + account,
                "product-" + random.nextInt(3),
                "meter-" + random.nextInt(2),
                quantity(random),
                time,
                random.nextBoolean() ? "region-" + random.nextInt(5) : null,
                random.nextBoolean() ? "GB" : null,
                tags);
            if (recent.size() < REPEATS_REACH_BACK) {
                recent.add(usage);
            } else {
                recent.set(random.nextInt(recent.size()), usage);
            }
            consumer.accept(usage);
        }
    }

    /** Mostly small, some with all twelve places so that rounding shows, a few beyond 64 bits. */
    private static BigDecimal quantity(Random random) {
        int kind = random.nextInt(1_000);
        if (kind == 0) {
            return new BigDecimal(new BigInteger(86, random), Amount.PLACES);
        }
        if (kind < 300) {
            return BigDecimal.valueOf(random.nextLong(200_000_000_000_000L), Amount.PLACES);
        }
        return BigDecimal.valueOf(random.nextInt(50_000), 3).setScale(Amount.PLACES);
    }

    static byte[] message(UsageRecord usage) {
        ByteArrayOutputStream out = header(1);
        write(out, usage);
        return out.toByteArray();
    }

    /** Two blocks, one of each form that Avro allows, so that the decoder meets both. */
    static byte[] message(List<UsageRecord> pack) {
        ByteArrayOutputStream out = header(2);
        int half = pack.size() / 2;
        if (half > 0) {
            ByteArrayOutputStream block = new ByteArrayOutputStream();
            pack.subList(0, half).forEach(usage -> write(block, usage));
            writeLong(out, -half);
            writeLong(out, block.size());
            out.writeBytes(block.toByteArray());
        }
        writeLong(out, pack.size() - half);
        pack.subList(half, pack.size()).forEach(usage -> write(out, usage));
        writeLong(out, 0);
        return out.toByteArray();
    }

    /** The job does not look at the fingerprint, so any number will do. */
    private static ByteArrayOutputStream header(int fingerprint) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(new byte[] {(byte) 0xc3, 0x01, (byte) fingerprint, 0, 0, 0, 0, 0, 0, 0});
        return out;
    }

    static void write(ByteArrayOutputStream out, UsageRecord usage) {
        writeText(out, usage.source());
        writeText(out, usage.id());
        writeText(out, usage.account());
        writeText(out, usage.product());
        writeText(out, usage.meter());
        writeBytes(out, usage.quantity().setScale(Amount.PLACES).unscaledValue().toByteArray());
        writeLong(out, usage.time().getEpochSecond() * 1_000_000 + usage.time().getNano() / 1_000);
        writeOptional(out, usage.region());
        writeOptional(out, usage.unit());
        if (!usage.tags().isEmpty()) {
            writeLong(out, usage.tags().size());
            usage.tags().forEach((key, value) -> {
                writeText(out, key);
                writeText(out, value);
            });
        }
        writeLong(out, 0);
    }

    private static void writeOptional(ByteArrayOutputStream out, String text) {
        writeLong(out, text == null ? 0 : 1);
        if (text != null) {
            writeText(out, text);
        }
    }

    private static void writeText(ByteArrayOutputStream out, String text) {
        writeBytes(out, text.getBytes(StandardCharsets.UTF_8));
    }

    private static void writeBytes(ByteArrayOutputStream out, byte[] bytes) {
        writeLong(out, bytes.length);
        out.writeBytes(bytes);
    }

    private static void writeLong(ByteArrayOutputStream out, long value) {
        long zigzag = value << 1 ^ value >> 63;
        while ((zigzag & ~0x7fL) != 0) {
            out.write((int) (zigzag & 0x7f | 0x80));
            zigzag >>>= 7;
        }
        out.write((int) zigzag);
    }

    /** The plain computation that the job's result is held against. */
    static final class Expected {
        private final Set<List<String>> identities = new HashSet<>();
        private final Map<List<Object>, BigDecimal> quantities = new HashMap<>();
        private final Map<String, BigDecimal> balances = new HashMap<>();
        private long records;
        private long duplicates;

        void add(UsageRecord usage) {
            records++;
            if (!identities.add(List.of(usage.account(), usage.source(), usage.id()))) {
                duplicates++;
                return;
            }
            LocalDate month = usage.time().atZone(ZoneOffset.UTC).toLocalDate().withDayOfMonth(1);
            List<Object> key = List.of(usage.account(), usage.product(), usage.meter(), month);
            BigDecimal before = quantities.getOrDefault(key, BigDecimal.ZERO);
            BigDecimal after = before.add(usage.quantity());
            quantities.put(key, after);
            balances.merge(usage.account(), price(after).subtract(price(before)), BigDecimal::add);
        }

        static BigDecimal price(BigDecimal quantity) {
            BigDecimal hundred = new BigDecimal("100");
            BigDecimal thousand = new BigDecimal("1000");
            BigDecimal atFirst = quantity.min(thousand).subtract(hundred).max(BigDecimal.ZERO);
            BigDecimal atSecond = quantity.subtract(thousand).max(BigDecimal.ZERO);
            return atFirst.multiply(new BigDecimal("0.10"))
                .add(atSecond.multiply(new BigDecimal("0.05")))
                .setScale(Amount.PLACES, RoundingMode.HALF_EVEN);
        }

        Map<String, BigDecimal> balances() {
            return balances;
        }

        long records() {
            return records;
        }

        long duplicates() {
            return duplicates;
        }

        BigDecimal total() {
            return balances.values().stream().reduce(BigDecimal.ZERO.setScale(Amount.PLACES), BigDecimal::add);
        }

        @Override
        public String toString() {
            return String.format(
                "{\"records\":%d,\"duplicates\":%d,\"total_charged\":\"%s\",\"distinct_accounts\":%d}",
                records, duplicates, total().toPlainString(), balances.size());
        }
    }
}

package peer;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowStore;

/** The job itself: drop duplicates, price what is left, keep a balance for each account. */
final class Billing {
    static final Duration RETENTION = Duration.ofDays(35);

    private static final String IDENTITIES = "identities";
    private static final Serde<byte[]> BYTES = Serdes.ByteArray();

    private Billing() {
    }

    static Topology topology(Settings settings, Progress progress) {
        StreamsBuilder builder = new StreamsBuilder();
        KStream<byte[], byte[]> usage = builder.stream(settings.input(), Consumed.with(BYTES, BYTES));
        builder.addStateStore(identities(settings));
        if (settings.hops() == 1) {
            String[] ledgerStores = addLedgerStores(builder, settings, usage);
            String[] stores = Arrays.copyOf(ledgerStores, ledgerStores.length + 1);
            stores[ledgerStores.length] = IDENTITIES;
            usage.process(() -> new Metering(settings, progress, new LedgerHere(settings)), stores);
        } else {
            KStream<byte[], byte[]> lines = usage
                .process(() -> new Metering(settings, progress, new LedgerBehindRepartition()), IDENTITIES)
                .repartition(Repartitioned.with(BYTES, BYTES)
                    .withName("by-enterprise")
                    .withNumberOfPartitions(settings.partitions()));
            String[] stores = addLedgerStores(builder, settings, lines);
            lines.process(() -> new LedgerAfterRepartition(settings, progress), stores);
        }
        return builder.build();
    }

    /**
     * Caching would only delay these writes: an identity is written once. A retention of two
     * buckets makes Kafka Streams keep each bucket in a segment of its own, see {@link Identities}.
     */
    private static StoreBuilder<WindowStore<byte[], byte[]>> identities(Settings settings) {
        Duration retention = RETENTION.multipliedBy(2);
        return Stores.windowStoreBuilder(
            settings.inMemory()
                ? Stores.inMemoryWindowStore(IDENTITIES, retention, RETENTION, false)
                : Stores.persistentWindowStore(IDENTITIES, retention, RETENTION, false),
            BYTES, BYTES).withCachingDisabled();
    }

    /**
     * The balances are a table of the DSL, because a table with a cache sends each changed key on
     * once per commit. No record reaches the table by itself: the ledger writes into its store, so
     * that one message may change any number of accounts without a repartition topic between.
     *
     * @return the names of the stores that the ledger needs
     */
    private static String[] addLedgerStores(
        StreamsBuilder builder, Settings settings, KStream<byte[], byte[]> stream) {
        KStream<byte[], byte[]> changed = stream.filter((key, value) -> false)
            .toTable(Materialized.<byte[], byte[]>as(settings.inMemory()
                    ? Stores.inMemoryKeyValueStore(Ledger.BALANCES)
                    : Stores.persistentTimestampedKeyValueStore(Ledger.BALANCES))
                .withKeySerde(BYTES)
                .withValueSerde(BYTES)
                .withCachingEnabled())
            .toStream();
        if (settings.joined()) {
            changed.mapValues(Ledger.Joined::balanceOf).to(settings.output(), Produced.with(BYTES, BYTES));
            return new String[] {Ledger.BALANCES};
        }
        changed.to(settings.output(), Produced.with(BYTES, BYTES));
        builder.addStateStore(Stores.keyValueStoreBuilder(
            settings.inMemory()
                ? Stores.inMemoryKeyValueStore(Ledger.QUANTITIES)
                : Stores.persistentKeyValueStore(Ledger.QUANTITIES),
            BYTES, BYTES).withCachingDisabled());
        return new String[] {Ledger.BALANCES, Ledger.QUANTITIES};
    }

    private static Ledger ledger(Settings settings, ProcessorContext<?, ?> context) {
        return settings.joined() ? new Ledger.Joined(context) : new Ledger.Split(context);
    }

    /** Reads usage messages and passes on the records whose identity is new. */
    private static final class Metering implements Processor<byte[], byte[], byte[], byte[]> {
        private final Usage usage;
        private final Progress progress;
        private final Next next;
        private ProcessorContext<byte[], byte[]> context;
        private Identities identities;

        Metering(Settings settings, Progress progress, Next next) {
            this.usage = new Usage(settings.packed());
            this.progress = progress;
            this.next = next;
        }

        @Override
        public void init(ProcessorContext<byte[], byte[]> context) {
            this.context = context;
            identities = new Identities(context.getStateStore(IDENTITIES));
            next.init(context);
        }

        @Override
        public void process(Record<byte[], byte[]> message) {
            progress.started();
            long records = 0;
            long duplicates = 0;
            usage.open(message.value());
            while (usage.next()) {
                records++;
                if (identities.remember(usage)) {
                    next.accept(usage, message.timestamp());
                } else {
                    duplicates++;
                }
            }
            progress.metered(context.recordMetadata().orElseThrow(), records, duplicates);
        }
    }

    /**
     * The identities seen, in a window store so that old ones leave with their segment. A range
     * fetch would open iterators for each record and, in memory, walk every timestamp in range.
     * So identities are stored under the start of their bucket of 35 days, and looked up by
     * point reads in the bucket of the record and its two neighbours; a bucket without data
     * answers at once. The value is the time of the first record.
     */
    private static final class Identities {
        private static final long BUCKET_MS = RETENTION.toMillis();
        private static final long RETENTION_MICROS = TimeUnit.MILLISECONDS.toMicros(BUCKET_MS);

        private final WindowStore<byte[], byte[]> store;

        Identities(WindowStore<byte[], byte[]> store) {
            this.store = store;
        }

        /** Answers false if the identity is there already, else stores it and answers true. */
        boolean remember(Usage usage) {
            byte[] identity = usage.identity();
            long time = usage.timeMicros;
            long bucket = Math.floorDiv(time, RETENTION_MICROS) * BUCKET_MS;
            if (seenIn(bucket, identity, time)
                || seenIn(bucket - BUCKET_MS, identity, time)
                || seenIn(bucket + BUCKET_MS, identity, time)) {
                return false;
            }
            store.put(identity, ByteBuffer.allocate(Long.BYTES).putLong(time).array(), bucket);
            return true;
        }

        private boolean seenIn(long bucket, byte[] identity, long time) {
            byte[] seen = store.fetch(identity, bucket);
            return seen != null && Math.abs(time - ByteBuffer.wrap(seen).getLong()) <= RETENTION_MICROS;
        }
    }

    /** Where a new record goes after metering. */
    private interface Next {
        void init(ProcessorContext<byte[], byte[]> context);

        void accept(Usage usage, long timestamp);
    }

    private static final class LedgerHere implements Next {
        private final Settings settings;
        private Ledger ledger;

        LedgerHere(Settings settings) {
            this.settings = settings;
        }

        @Override
        public void init(ProcessorContext<byte[], byte[]> context) {
            ledger = ledger(settings, context);
        }

        @Override
        public void accept(Usage usage, long timestamp) {
            ledger.book(usage.quantityKey(), usage.quantity, timestamp);
        }
    }

    /** A line on the repartition topic is the key of the quantity followed by the quantity. */
    private static final class LedgerBehindRepartition implements Next {
        private ProcessorContext<byte[], byte[]> context;

        @Override
        public void init(ProcessorContext<byte[], byte[]> context) {
            this.context = context;
        }

        @Override
        public void accept(Usage usage, long timestamp) {
            byte[] quantityKey = usage.quantityKey();
            byte[] line = Arrays.copyOf(quantityKey, quantityKey.length + Amount.SIZE_BYTES);
            usage.quantity.write(line, quantityKey.length);
            context.forward(new Record<>(usage.enterprise(), line, timestamp));
        }
    }

    private static final class LedgerAfterRepartition implements Processor<byte[], byte[], Void, Void> {
        private final Settings settings;
        private final Progress progress;
        private ProcessorContext<Void, Void> context;
        private Ledger ledger;

        LedgerAfterRepartition(Settings settings, Progress progress) {
            this.settings = settings;
            this.progress = progress;
        }

        @Override
        public void init(ProcessorContext<Void, Void> context) {
            this.context = context;
            ledger = ledger(settings, context);
        }

        @Override
        public void process(Record<byte[], byte[]> message) {
            byte[] line = message.value();
            int keyLength = line.length - Amount.SIZE_BYTES;
            ledger.book(
                Arrays.copyOf(line, keyLength),
                Amount.read(line, keyLength, Amount.SIZE_BYTES),
                message.timestamp());
            progress.booked(context.recordMetadata().orElseThrow());
        }
    }
}

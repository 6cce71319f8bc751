package peer;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.state.RocksDBConfigSetter;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.Cache;
import org.rocksdb.LRUCache;
import org.rocksdb.Options;

/** The flags of a run, and the configuration of Kafka Streams that follows from them. */
record Settings(
    String bootstrap,
    String applicationId,
    String stateDir,
    String input,
    String output,
    long records,
    int threads,
    long commitMs,
    long cacheMb,
    boolean inMemory,
    boolean joined,
    int hops,
    boolean packed,
    int partitions,
    long idleSeconds,
    Map<String, String> overrides) {

    private static final Set<String> FLAGS = Set.of(
        "bootstrap", "application-id", "state-dir", "input", "output", "records", "threads", "commit-ms",
        "cache-mb", "store", "layout", "hops", "packed", "partitions", "idle-seconds", "set");

    static Settings parse(String[] arguments) {
        Map<String, String> overrides = new LinkedHashMap<>();
        Map<String, String> flags = flags(arguments, FLAGS, overrides);
        long commitMs = Long.parseLong(flags.getOrDefault("commit-ms", "100"));
        return new Settings(
            flags.getOrDefault("bootstrap", "127.0.0.1:9092"),
            flags.getOrDefault("application-id", "kafka-streams-peer"),
            required(flags, "state-dir"),
            flags.getOrDefault("input", "usage"),
            flags.getOrDefault("output", "balances"),
            Long.parseLong(required(flags, "records")),
            Integer.parseInt(flags.getOrDefault("threads", "2")),
            commitMs,
            Long.parseLong(flags.getOrDefault("cache-mb", String.valueOf(defaultCacheMb(commitMs)))),
            oneOf(flags.getOrDefault("store", "rocksdb"), "rocksdb", "memory").equals("memory"),
            oneOf(flags.getOrDefault("layout", "joined"), "split", "joined").equals("joined"),
            Integer.parseInt(oneOf(flags.getOrDefault("hops", "1"), "1", "2")),
            flags.containsKey("packed"),
            Integer.parseInt(flags.getOrDefault("partitions", "8")),
            Long.parseLong(flags.getOrDefault("idle-seconds", "120")),
            overrides);
    }

    /**
     * Enough for what changes between two commits, and little more: the cache is a red-black tree
     * in front of the store, so entries that stay in it only make each look-up longer.
     */
    private static long defaultCacheMb(long commitMs) {
        return Math.min(256, Math.max(8, commitMs / 16));
    }

    /** Reads {@code --name value}; {@code --packed} stands alone and {@code --set key=value} may repeat. */
    static Map<String, String> flags(String[] arguments, Set<String> known, Map<String, String> overrides) {
        Map<String, String> flags = new HashMap<>();
        for (int i = 0; i < arguments.length; i++) {
            String name = arguments[i].startsWith("--") ? arguments[i].substring(2) : "";
            if (!known.contains(name)) {
                throw new IllegalArgumentException("unknown flag " + arguments[i]);
            }
            if (name.equals("packed")) {
                flags.put(name, "true");
                continue;
            }
            if (++i == arguments.length) {
                throw new IllegalArgumentException("--" + name + " needs a value");
            }
            if (name.equals("set")) {
                String[] pair = arguments[i].split("=", 2);
                if (pair.length != 2) {
                    throw new IllegalArgumentException("--set needs key=value, not " + arguments[i]);
                }
                overrides.put(pair[0], pair[1]);
            } else {
                flags.put(name, arguments[i]);
            }
        }
        return flags;
    }

    static String required(Map<String, String> flags, String name) {
        String value = flags.get(name);
        if (value == null) {
            throw new IllegalArgumentException("--" + name + " is required");
        }
        return value;
    }

    private static String oneOf(String value, String first, String second) {
        if (!value.equals(first) && !value.equals(second)) {
            throw new IllegalArgumentException(value + " is neither " + first + " nor " + second);
        }
        return value;
    }

    /** README.md gives the reason for each value. What {@code --set} gives goes before all of them. */
    Properties streamsConfig() {
        Properties config = new Properties();
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, applicationId);
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        config.put(StreamsConfig.STATE_DIR_CONFIG, stateDir);
        config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        config.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, threads);
        config.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, commitMs);
        config.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, cacheMb << 20);
        config.put(StreamsConfig.ROCKSDB_CONFIG_SETTER_CLASS_CONFIG, RocksSettings.class);
        config.put(RocksSettings.BLOCK_CACHE_MB, "512");
        config.put(RocksSettings.WRITE_BUFFER_MB, "32");

        // These count messages, and a packed message may hold a hundred records.
        String messages = packed ? "100" : "10000";
        config.put("buffered.records.per.partition", messages);
        config.put("main.consumer.max.poll.records", messages);
        config.put("main.consumer.max.partition.fetch.bytes", String.valueOf(4 << 20));
        config.put("main.consumer.fetch.min.bytes", String.valueOf(64 << 10));
        config.put("main.consumer.fetch.max.wait.ms", "50");
        config.put("main.consumer.receive.buffer.bytes", String.valueOf(1 << 20));

        config.put("producer.batch.size", String.valueOf(256 << 10));
        config.put("producer.linger.ms", "100");
        config.put("producer.compression.type", "lz4");
        config.put("producer.buffer.memory", String.valueOf(128 << 20));
        config.put("producer.max.request.size", String.valueOf(8 << 20));
        config.put("producer.send.buffer.bytes", String.valueOf(1 << 20));
        config.putAll(overrides);
        return config;
    }

    /** Kafka Streams makes one of these for each RocksDB instance; the block cache is shared. */
    public static final class RocksSettings implements RocksDBConfigSetter {
        static final String BLOCK_CACHE_MB = "rocksdb.block.cache.mb";
        static final String WRITE_BUFFER_MB = "rocksdb.write.buffer.mb";

        private static Cache sharedCache;

        private static synchronized Cache sharedCache(long bytes) {
            if (sharedCache == null) {
                sharedCache = new LRUCache(bytes);
            }
            return sharedCache;
        }

        @Override
        public void setConfig(String storeName, Options options, Map<String, Object> configs) {
            BlockBasedTableConfig table = (BlockBasedTableConfig) options.tableFormatConfig();
            table.setBlockCache(sharedCache(megabytes(configs, BLOCK_CACHE_MB)));
            options.setTableFormatConfig(table);
            options.setWriteBufferSize(megabytes(configs, WRITE_BUFFER_MB));
            // Kafka Streams leaves out the Bloom filters of the last level, which pays if most keys
            // are found. Here most lookups are for identities that are new.
            options.setOptimizeFiltersForHits(false);
        }

        @Override
        public void close(String storeName, Options options) {
            // The cache belongs to the process, so no single store may close it.
        }

        private static long megabytes(Map<String, Object> configs, String key) {
            return Long.parseLong(configs.get(key).toString()) << 20;
        }
    }
}

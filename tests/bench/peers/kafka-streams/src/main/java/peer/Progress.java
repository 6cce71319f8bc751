package peer;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.streams.processor.api.RecordMetadata;

/**
 * Counts what the processors have done, so that the run knows when to stop. The result does not
 * rest on these counts: it is read from the committed output.
 */
final class Progress {
    /** The moment of the first record, by the clock and by the CPU time of this process. */
    record Moment(long nanos, long cpuNanos) {
        static Moment now() {
            var system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
            return new Moment(System.nanoTime(), system.getProcessCpuTime());
        }
    }

    /** The counts of one input partition. Only the thread that owns the partition writes them. */
    private static final class Counter {
        volatile long records;
        volatile long duplicates;
        volatile long lastOffset = -1;
    }

    private final AtomicReference<Moment> first = new AtomicReference<>();
    private final Map<TopicPartition, Counter> metering = new ConcurrentHashMap<>();
    private final Map<TopicPartition, Counter> booking = new ConcurrentHashMap<>();
    private volatile boolean replayed;

    void started() {
        if (first.get() == null) {
            first.compareAndSet(null, Moment.now());
        }
    }

    void metered(RecordMetadata message, long records, long duplicates) {
        count(metering, message, records, duplicates);
    }

    void booked(RecordMetadata message) {
        count(booking, message, 1, 0);
    }

    /**
     * Offsets of a partition only grow, so one that comes again means that a transaction was
     * aborted. The committed result stays right then, but these counts do not.
     */
    private void count(Map<TopicPartition, Counter> counters, RecordMetadata message, long records, long duplicates) {
        Counter counter = counters.computeIfAbsent(
            new TopicPartition(message.topic(), message.partition()), partition -> new Counter());
        if (message.offset() <= counter.lastOffset) {
            replayed = true;
        }
        counter.records += records;
        counter.duplicates += duplicates;
        counter.lastOffset = message.offset();
    }

    Moment first() {
        return first.get();
    }

    boolean replayed() {
        return replayed;
    }

    long records() {
        return metering.values().stream().mapToLong(counter -> counter.records).sum();
    }

    long duplicates() {
        return metering.values().stream().mapToLong(counter -> counter.duplicates).sum();
    }

    long booked() {
        return booking.values().stream().mapToLong(counter -> counter.records).sum();
    }

    /** For each partition read, the offset that must be committed for its last record to count. */
    Map<TopicPartition, Long> offsetsToCommit() {
        Map<TopicPartition, Long> offsets = new HashMap<>();
        metering.forEach((partition, counter) -> offsets.put(partition, counter.lastOffset + 1));
        booking.forEach((partition, counter) -> offsets.put(partition, counter.lastOffset + 1));
        return offsets;
    }
}

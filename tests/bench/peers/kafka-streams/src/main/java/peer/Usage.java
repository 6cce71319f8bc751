package peer;

import java.nio.ByteBuffer;
import java.time.LocalDate;

/**
 * Reads the records of a usage message in place. Text fields are kept as positions in the message:
 * the job compares and copies them but never looks inside, so a String for each would be waste.
 *
 * <p>One object is used again and again: {@code open} a message, then call {@code next} until it
 * answers false.
 */
final class Usage {
    static final int HEADER_BYTES = 10;

    private static final long MICROS_PER_DAY = 86_400_000_000L;
    private static final Amount QUANTITY_LIMIT = Amount.of(new java.math.BigDecimal("1e15"));

    /** Where a text or bytes field stands in the message. */
    static final class Field {
        int at;
        int length;
    }

    final Field source = new Field();
    final Field id = new Field();
    final Field account = new Field();
    final Field product = new Field();
    final Field meter = new Field();
    Amount quantity;
    long timeMicros;

    private final Field ignored = new Field();
    private final boolean packed;
    private byte[] bytes;
    private int at;
    private long leftInBlock;
    private boolean lastBlockRead;

    /** A packed message holds an Avro array of records, another one a single record. */
    Usage(boolean packed) {
        this.packed = packed;
    }

    void open(byte[] message) {
        if (message == null || message.length <= HEADER_BYTES
            || (message[0] & 0xff) != 0xc3 || message[1] != 0x01) {
            throw new IllegalArgumentException("not an Avro single-object message");
        }
        bytes = message;
        at = HEADER_BYTES;
        leftInBlock = packed ? 0 : 1;
        lastBlockRead = !packed;
    }

    boolean next() {
        while (leftInBlock == 0) {
            if (lastBlockRead) {
                if (at != bytes.length) {
                    throw new IllegalArgumentException("bytes after the last record");
                }
                return false;
            }
            leftInBlock = readBlockCount();
            lastBlockRead = leftInBlock == 0;
        }
        leftInBlock--;
        readRecord();
        return true;
    }

    private void readRecord() {
        readBytes(source);
        readBytes(id);
        readBytes(account);
        readBytes(product);
        readBytes(meter);
        readBytes(ignored);
        quantity = Amount.read(bytes, ignored.at, ignored.length);
        if (quantity.isNegative() || !quantity.minus(QUANTITY_LIMIT).isNegative()) {
            throw new ArithmeticException("a quantity must be from 0 to 10^15: " + quantity);
        }
        timeMicros = readLong();
        skipOptionalText();
        skipOptionalText();
        for (long pairs = readBlockCount(); pairs != 0; pairs = readBlockCount()) {
            for (long i = 0; i < pairs; i++) {
                readBytes(ignored);
                readBytes(ignored);
            }
        }
    }

    private void skipOptionalText() {
        long branch = readLong();
        if (branch == 1) {
            readBytes(ignored);
        } else if (branch != 0) {
            throw new IllegalArgumentException("no such branch of a union: " + branch);
        }
    }

    /** A negative count of an Avro block is followed by the size of the block in bytes. */
    private long readBlockCount() {
        long count = readLong();
        if (count < 0) {
            readLong();
            count = Math.negateExact(count);
        }
        return count;
    }

    private void readBytes(Field field) {
        long length = readLong();
        if (length < 0 || length > bytes.length - at) {
            throw new IllegalArgumentException("a field of " + length + " bytes at " + at);
        }
        field.at = at;
        field.length = (int) length;
        at += (int) length;
    }

    private long readLong() {
        long zigzag = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            byte next = bytes[at++];
            zigzag |= (long) (next & 0x7f) << shift;
            if (next >= 0) {
                return zigzag >>> 1 ^ -(zigzag & 1);
            }
        }
        throw new IllegalArgumentException("a number of more than ten bytes");
    }

    /** The part of the account up to the first dot, or all of it. */
    byte[] enterprise() {
        int end = account.at;
        while (end < account.at + account.length && bytes[end] != '.') {
            end++;
        }
        return java.util.Arrays.copyOfRange(bytes, account.at, end);
    }

    /** Account, source and id: what makes a record the same as another. */
    byte[] identity() {
        ByteBuffer key = ByteBuffer.allocate(6 + account.length + source.length + id.length);
        put(key, account);
        put(key, source);
        put(key, id);
        return key.array();
    }

    /** Account, product, meter and month: where quantities add up. The account comes first. */
    byte[] quantityKey() {
        ByteBuffer key = ByteBuffer.allocate(10 + account.length + product.length + meter.length);
        put(key, account);
        put(key, product);
        put(key, meter);
        key.putInt(month());
        return key.array();
    }

    /** Months since the year 0, in UTC. */
    private int month() {
        LocalDate day = LocalDate.ofEpochDay(Math.floorDiv(timeMicros, MICROS_PER_DAY));
        return day.getYear() * 12 + day.getMonthValue() - 1;
    }

    private void put(ByteBuffer key, Field field) {
        if (field.length > 0xffff) {
            throw new IllegalArgumentException("a text of " + field.length + " bytes");
        }
        key.putShort((short) field.length).put(bytes, field.at, field.length);
    }
}

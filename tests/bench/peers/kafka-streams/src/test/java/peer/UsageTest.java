package peer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.message.BinaryMessageEncoder;
import org.junit.jupiter.api.Test;

/** The decoder, and the encoder of the generator, agree with Avro's own. */
class UsageTest {
    private static final Schema RECORD = new Schema.Parser().parse("""
        {"type": "record", "name": "Usage", "fields": [
          {"name": "source", "type": "string"},
          {"name": "id", "type": "string"},
          {"name": "account", "type": "string"},
          {"name": "product", "type": "string"},
          {"name": "meter", "type": "string"},
          {"name": "quantity", "type":
            {"type": "bytes", "logicalType": "decimal", "precision": 27, "scale": 12}},
          {"name": "time", "type": {"type": "long", "logicalType": "timestamp-micros"}},
          {"name": "region", "type": ["null", "string"], "default": null},
          {"name": "unit", "type": ["null", "string"], "default": null},
          {"name": "tags", "type": {"type": "map", "values": "string"}}]}
        """);

    private static List<Generator.UsageRecord> records() {
        List<Generator.UsageRecord> records = new ArrayList<>();
        Generator.generate(2_000, 50, 5, 0, 3, records::add);
        return records;
    }

    @Test
    void aSingleRecordIsReadAsAvroWroteIt() throws IOException {
        var encoder = new BinaryMessageEncoder<GenericRecord>(GenericData.get(), RECORD);
        Usage usage = new Usage(false);
        for (Generator.UsageRecord record : records()) {
            byte[] message = bytes(encoder.encode(generic(record)));
            usage.open(message);
            assertTrue(usage.next());
            check(record, usage);
            assertFalse(usage.next());
            byte[] generated = Generator.message(record);
            assertArrayEquals(body(message), body(generated));
        }
    }

    @Test
    void aPackedMessageIsReadAsAvroWroteIt() throws IOException {
        var encoder = new BinaryMessageEncoder<List<GenericRecord>>(GenericData.get(), Schema.createArray(RECORD));
        List<Generator.UsageRecord> records = records();
        byte[] byAvro = bytes(encoder.encode(records.stream().map(UsageTest::generic).toList()));
        for (byte[] message : List.of(byAvro, Generator.message(records), Generator.message(records.subList(0, 1)))) {
            Usage usage = new Usage(true);
            usage.open(message);
            int read = 0;
            while (usage.next()) {
                check(records.get(read++), usage);
            }
            assertEquals(message.length < 1_000 ? 1 : records.size(), read);
        }
    }

    @Test
    void anythingElseIsRefused() {
        byte[] message = Generator.message(records().get(0));
        byte[] otherMagic = message.clone();
        otherMagic[0] = 0;
        assertThrows(IllegalArgumentException.class, () -> new Usage(false).open(otherMagic));
        assertThrows(IllegalArgumentException.class, () -> new Usage(false).open(new byte[Usage.HEADER_BYTES]));
        assertThrows(IllegalArgumentException.class, () -> new Usage(false).open(null));
        refuse(Arrays.copyOf(message, message.length + 1));
        for (int length = Usage.HEADER_BYTES + 1; length < message.length; length++) {
            refuse(Arrays.copyOf(message, length));
        }
        refuse(Generator.message(withQuantity(records().get(0), "-0.000000000001")));
        refuse(Generator.message(withQuantity(records().get(0), "1000000000000000")));
    }

    private static void refuse(byte[] message) {
        Usage usage = new Usage(false);
        usage.open(message);
        assertThrows(RuntimeException.class, () -> {
            while (usage.next()) {
                continue;
            }
        });
    }

    private static void check(Generator.UsageRecord record, Usage usage) {
        assertEquals(record.quantity(), usage.quantity.toBigDecimal());
        assertEquals(
            record.time().getEpochSecond() * 1_000_000 + record.time().getNano() / 1_000, usage.timeMicros);
        assertEquals(record.account().split("\\.")[0], new String(usage.enterprise()));
        assertArrayEquals(key(record.account(), record.source(), record.id()), usage.identity());
        byte[] quantityKey = usage.quantityKey();
        byte[] texts = key(record.account(), record.product(), record.meter());
        assertArrayEquals(texts, Arrays.copyOf(quantityKey, quantityKey.length - Integer.BYTES));
        var day = record.time().atZone(java.time.ZoneOffset.UTC);
        assertEquals(
            day.getYear() * 12 + day.getMonthValue() - 1,
            ByteBuffer.wrap(quantityKey).getInt(quantityKey.length - Integer.BYTES));
    }

    private static byte[] key(String... texts) {
        ByteBuffer key = ByteBuffer.allocate(1_000);
        for (String text : texts) {
            key.putShort((short) text.length()).put(text.getBytes());
        }
        return Arrays.copyOf(key.array(), key.position());
    }

    private static GenericRecord generic(Generator.UsageRecord usage) {
        GenericRecord record = new GenericData.Record(RECORD);
        record.put("source", usage.source());
        record.put("id", usage.id());
        record.put("account", usage.account());
        record.put("product", usage.product());
        record.put("meter", usage.meter());
        record.put("quantity", ByteBuffer.wrap(usage.quantity().unscaledValue().toByteArray()));
        record.put("time", usage.time().getEpochSecond() * 1_000_000 + usage.time().getNano() / 1_000);
        record.put("region", usage.region());
        record.put("unit", usage.unit());
        record.put("tags", usage.tags());
        return record;
    }

    private static Generator.UsageRecord withQuantity(Generator.UsageRecord usage, String quantity) {
        return new Generator.UsageRecord(
            usage.source(), usage.id(), usage.account(), usage.product(), usage.meter(), new BigDecimal(quantity),
            usage.time(), usage.region(), usage.unit(), usage.tags());
    }

    private static byte[] bytes(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return bytes;
    }

    private static byte[] body(byte[] message) {
        return Arrays.copyOfRange(message, Usage.HEADER_BYTES, message.length);
    }
}

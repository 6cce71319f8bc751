package peer;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.TimestampedKeyValueStore;
import org.apache.kafka.streams.state.ValueAndTimestamp;

/** Prices each record by what its month holds already, and adds the charge to the balance. */
interface Ledger {
    String QUANTITIES = "quantities";
    String BALANCES = "balances";

    /** The key of a quantity, see {@link Usage#quantityKey}, begins with the account. */
    void book(byte[] quantityKey, Amount quantity, long timestamp);

    /** Quantities in a store of their own: short values, but two changelogs. */
    final class Split implements Ledger {
        private final KeyValueStore<byte[], byte[]> quantities;
        private final TimestampedKeyValueStore<byte[], byte[]> balances;

        Split(ProcessorContext<?, ?> context) {
            quantities = context.getStateStore(QUANTITIES);
            balances = context.getStateStore(BALANCES);
        }

        @Override
        public void book(byte[] quantityKey, Amount quantity, long timestamp) {
            byte[] stored = quantities.get(quantityKey);
            Amount before = stored == null ? Amount.ZERO : Amount.read(stored);
            Amount after = before.plus(quantity);
            quantities.put(quantityKey, after.toBytes());

            Amount charge = after.graduatedPrice().minus(before.graduatedPrice());
            byte[] account = accountOf(quantityKey);
            ValueAndTimestamp<byte[]> balance = balances.get(account);
            if (balance == null) {
                balances.put(account, ValueAndTimestamp.make(charge.toBytes(), timestamp));
            } else if (!charge.isZero()) {
                Amount sum = Amount.read(balance.value()).plus(charge);
                balances.put(account, ValueAndTimestamp.make(sum.toBytes(), timestamp));
            }
        }
    }

    /**
     * Quantities in the entry of their account, after its balance: one look-up and one changelog,
     * but a value that grows with the number of products, meters and months of the account. Each
     * quantity stands after the length and the bytes of its key without the account.
     */
    final class Joined implements Ledger {
        private final TimestampedKeyValueStore<byte[], byte[]> accounts;

        Joined(ProcessorContext<?, ?> context) {
            accounts = context.getStateStore(BALANCES);
        }

        static byte[] balanceOf(byte[] entry) {
            return Arrays.copyOf(entry, Amount.SIZE_BYTES);
        }

        @Override
        public void book(byte[] quantityKey, Amount quantity, long timestamp) {
            byte[] account = accountOf(quantityKey);
            int keyAt = Short.BYTES + account.length;
            int keyLength = quantityKey.length - keyAt;
            ValueAndTimestamp<byte[]> stored = accounts.get(account);
            byte[] old = stored == null ? Amount.ZERO.toBytes() : stored.value();

            int found = find(old, quantityKey, keyAt);
            int quantityAt = found + Short.BYTES + keyLength;
            byte[] entry = Arrays.copyOf(old, Math.max(old.length, quantityAt + Amount.SIZE_BYTES));
            if (found == old.length) {
                ByteBuffer.wrap(entry, found, Short.BYTES + keyLength)
                    .putShort((short) keyLength)
                    .put(quantityKey, keyAt, keyLength);
            }
            Amount before = Amount.read(entry, quantityAt, Amount.SIZE_BYTES);
            Amount after = before.plus(quantity);
            after.write(entry, quantityAt);

            Amount charge = after.graduatedPrice().minus(before.graduatedPrice());
            Amount.read(entry, 0, Amount.SIZE_BYTES).plus(charge).write(entry, 0);
            accounts.put(account, ValueAndTimestamp.make(entry, timestamp));
        }

        /** Where the quantity with this key begins, or the end of the entry if it is not there. */
        private static int find(byte[] entry, byte[] quantityKey, int keyAt) {
            ByteBuffer buffer = ByteBuffer.wrap(entry);
            int at = Amount.SIZE_BYTES;
            while (at < entry.length) {
                int keyEnd = at + Short.BYTES + (buffer.getShort(at) & 0xffff);
                if (Arrays.equals(entry, at + Short.BYTES, keyEnd, quantityKey, keyAt, quantityKey.length)) {
                    return at;
                }
                at = keyEnd + Amount.SIZE_BYTES;
            }
            return at;
        }
    }

    private static byte[] accountOf(byte[] quantityKey) {
        int length = ByteBuffer.wrap(quantityKey).getShort() & 0xffff;
        return Arrays.copyOfRange(quantityKey, Short.BYTES, Short.BYTES + length);
    }
}

package peer;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;

/**
 * An exact decimal with twelve places, held as a 128-bit count of 10^-12. Every operation that
 * would overflow throws an ArithmeticException instead.
 */
final class Amount {
    static final int PLACES = 12;
    static final int SIZE_BYTES = 16;
    static final Amount ZERO = new Amount(0, 0);

    private static final long ONE = 1_000_000_000_000L;
    private static final long FREE_UP_TO = 100 * ONE;
    private static final long FIRST_PRICE_UP_TO = 1_000 * ONE;
    /** A price of 0.10 divides by ten, one of 0.05 by twenty: both stay within 64 bits. */
    private static final long FIRST_DIVISOR = 10;
    private static final long SECOND_DIVISOR = 20;
    private static final long CHARGE_AT_SECOND_PRICE = (FIRST_PRICE_UP_TO - FREE_UP_TO) / FIRST_DIVISOR;

    private final long high;
    private final long low;

    private Amount(long high, long low) {
        this.high = high;
        this.low = low;
    }

    /** Reads a big-endian two's complement number, as Avro writes a decimal. */
    static Amount read(byte[] bytes, int at, int length) {
        if (length < 1 || length > SIZE_BYTES) {
            throw new ArithmeticException("a decimal of " + length + " bytes");
        }
        long high = bytes[at] < 0 ? -1 : 0;
        long low = high;
        for (int i = at; i < at + length; i++) {
            high = high << 8 | low >>> 56;
            low = low << 8 | bytes[i] & 0xff;
        }
        return new Amount(high, low);
    }

    static Amount read(byte[] bytes) {
        if (bytes.length != SIZE_BYTES) {
            throw new ArithmeticException("a stored amount of " + bytes.length + " bytes");
        }
        return read(bytes, 0, SIZE_BYTES);
    }

    static Amount of(BigDecimal value) {
        return of(value.setScale(PLACES).unscaledValue());
    }

    private static Amount of(BigInteger unscaled) {
        byte[] bytes = unscaled.toByteArray();
        return read(bytes, 0, bytes.length);
    }

    private static Amount of(long unscaled) {
        return new Amount(unscaled >> 63, unscaled);
    }

    void write(byte[] target, int at) {
        ByteBuffer.wrap(target).putLong(at, high).putLong(at + 8, low);
    }

    byte[] toBytes() {
        byte[] bytes = new byte[SIZE_BYTES];
        write(bytes, 0);
        return bytes;
    }

    Amount plus(Amount other) {
        long lowSum = low + other.low;
        long carry = Long.compareUnsigned(lowSum, low) < 0 ? 1 : 0;
        return new Amount(Math.addExact(Math.addExact(high, other.high), carry), lowSum);
    }

    Amount minus(Amount other) {
        long borrow = Long.compareUnsigned(low, other.low) < 0 ? 1 : 0;
        return new Amount(Math.subtractExact(Math.subtractExact(high, other.high), borrow), low - other.low);
    }

    boolean isNegative() {
        return high < 0;
    }

    boolean isZero() {
        return (high | low) == 0;
    }

    /**
     * What this month's quantity costs in all: up to 100 nothing, up to 1,000 0.10 each, above 0.05
     * each, rounded half to even at the twelfth place. Charges are differences of this function, so
     * rounding never drifts, whatever the order of the records.
     */
    Amount graduatedPrice() {
        if (isNegative()) {
            throw new ArithmeticException("a negative quantity has no price");
        }
        if (high != 0 || low < 0) {
            return graduatedPriceOfLarge();
        }
        if (low <= FREE_UP_TO) {
            return ZERO;
        }
        if (low <= FIRST_PRICE_UP_TO) {
            return of(divideHalfEven(low - FREE_UP_TO, FIRST_DIVISOR));
        }
        return of(CHARGE_AT_SECOND_PRICE + divideHalfEven(low - FIRST_PRICE_UP_TO, SECOND_DIVISOR));
    }

    /** Quantities beyond nine million do not fit 64 bits; they are rare enough for BigInteger. */
    private Amount graduatedPriceOfLarge() {
        BigInteger above = new BigInteger(toBytes()).subtract(BigInteger.valueOf(FIRST_PRICE_UP_TO));
        BigInteger rounded = new BigDecimal(above)
            .divide(BigDecimal.valueOf(SECOND_DIVISOR), 0, java.math.RoundingMode.HALF_EVEN)
            .toBigIntegerExact();
        return of(rounded.add(BigInteger.valueOf(CHARGE_AT_SECOND_PRICE)));
    }

    private static long divideHalfEven(long value, long divisor) {
        long quotient = value / divisor;
        long twiceRemainder = 2 * (value % divisor);
        boolean up = twiceRemainder > divisor || twiceRemainder == divisor && (quotient & 1) == 1;
        return up ? quotient + 1 : quotient;
    }

    BigDecimal toBigDecimal() {
        return new BigDecimal(new BigInteger(toBytes()), PLACES);
    }

    @Override
    public String toString() {
        return toBigDecimal().toPlainString();
    }
}

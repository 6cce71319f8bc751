package peer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The arithmetic agrees with BigDecimal, and refuses what does not fit. */
class AmountTest {
    @Test
    void sumsDifferencesAndPricesAreThoseOfBigDecimal() {
        Random random = new Random(5);
        for (int i = 0; i < 200_000; i++) {
            BigDecimal a = new BigDecimal(new BigInteger(1 + random.nextInt(100), random), Amount.PLACES);
            BigDecimal b = new BigDecimal(new BigInteger(1 + random.nextInt(100), random), Amount.PLACES);
            assertEquals(a.add(b), Amount.of(a).plus(Amount.of(b)).toBigDecimal());
            assertEquals(a.subtract(b), Amount.of(a).minus(Amount.of(b)).toBigDecimal());
            assertEquals(Generator.Expected.price(a), Amount.of(a).graduatedPrice().toBigDecimal());
        }
    }

    @Test
    void pricesAreExactAroundTheTiersAndRoundHalfToEven() {
        for (String tier : new String[] {"0", "100", "1000", "9223372.036854775807", "500000000000000"}) {
            for (long step = -60; step <= 60; step++) {
                BigDecimal quantity = new BigDecimal(tier).add(BigDecimal.valueOf(step, Amount.PLACES));
                if (quantity.signum() >= 0) {
                    assertEquals(
                        Generator.Expected.price(quantity), Amount.of(quantity).graduatedPrice().toBigDecimal());
                }
            }
        }
        assertEquals("0.000000000000", price("100.000000000005"));
        assertEquals("0.000000000001", price("100.000000000006"));
        assertEquals("0.000000000002", price("100.000000000015"));
        assertEquals("90.000000000000", price("1000"));
        assertEquals("90.050000000000", price("1001"));
    }

    @Test
    void whatDoesNotFitIsRefused() {
        byte[] most = new byte[Amount.SIZE_BYTES];
        Arrays.fill(most, (byte) 0xff);
        most[0] = 0x7f;
        Amount largest = Amount.read(most);
        Amount smallest = Amount.of(new BigDecimal("0.000000000001"));
        assertThrows(ArithmeticException.class, () -> largest.plus(smallest));
        assertThrows(ArithmeticException.class, () -> Amount.ZERO.minus(largest).minus(smallest).minus(smallest));
        assertThrows(ArithmeticException.class, () -> Amount.ZERO.minus(smallest).graduatedPrice());
        assertThrows(ArithmeticException.class, () -> Amount.read(new byte[17], 0, 17));
        assertThrows(ArithmeticException.class, () -> Amount.read(new byte[0], 0, 0));
        assertThrows(ArithmeticException.class, () -> Amount.of(new BigDecimal("0.0000000000001")));
    }

    private static String price(String quantity) {
        return Amount.of(new BigDecimal(quantity)).graduatedPrice().toString();
    }
}

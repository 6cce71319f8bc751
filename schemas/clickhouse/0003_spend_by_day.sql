-- Charges of a day say their currency, as sums over several of them mean nothing.

CREATE OR REPLACE VIEW spend_by_day AS
SELECT
    billing_account,
    currency,
    toString(toDate(used)) AS day,
    sum(charges.charge) AS charge,
    sum(charges.records) AS records
FROM charges
LEFT JOIN currencies USING (billing_account)
GROUP BY billing_account, currency, day
COMMENT 'Charges by the day of use, before coupons and tax';

-- What the console lists beside the tables, and what analysts ask for. Days and months are those of UTC, but for
-- the month of a bill, which is its billing account's. Now is the time to which the log has come, so that it is
-- right on every clock.

CREATE OR REPLACE VIEW bills AS
SELECT
    bill,
    billing_account,
    account,
    product,
    month,
    cycle_end,
    amount,
    currency,
    paid,
    issued_at,
    invoice,
    credit_note,
    `order`,
    multiIf(paid >= amount, 'paid', paid > 0, 'partly_paid', 'unpaid') AS status
FROM bills_issued
LEFT JOIN
(
    SELECT billing_account, bill, sum(amount) AS paid
    FROM bill_payments
    GROUP BY billing_account, bill
) AS payments USING (billing_account, bill)
COMMENT 'Bills as they stand';

CREATE OR REPLACE VIEW payments_now AS
SELECT
    *,
    -- What shows that a method can pay goes back, and what is asked for may be declined: neither moves money.
    if(status = 'succeeded' AND cause NOT IN ('test', 'preauthorisation'), amount, toDecimal128(0, 12)) AS moved
FROM payments
ORDER BY at DESC
LIMIT 1 BY payment
COMMENT 'Payments as they stand, and what each moved';

-- A payment for bills becomes an entry only as far as it is more than they still need, in the same step.
CREATE OR REPLACE VIEW paid_directly AS
SELECT
    billing_account,
    at,
    brought_by AS cause,
    brought - kept AS amount
FROM
(
    SELECT billing_account, at, min(cause) AS brought_by, sum(moved) AS brought
    FROM payments_now
    WHERE moved > 0 AND cause NOT IN ('recharge', 'top_up')
    GROUP BY billing_account, at
) AS payments
LEFT JOIN
(
    SELECT billing_account, at, sum(amount) AS kept
    FROM entries
    WHERE cause = 'payment'
    GROUP BY billing_account, at
) AS entries USING (billing_account, at)
WHERE amount > 0
COMMENT 'What payment methods paid for bills or requests: it came in and went out at once, past the wallet';

CREATE OR REPLACE VIEW money_by_month AS
SELECT
    billing_account,
    formatDateTime(at, '%Y-%m') AS month,
    sumIf(amount, amount > 0) AS money_in,
    sumIf(amount, amount < 0) AS money_out
FROM
(
    SELECT billing_account, at, amount FROM entries
    UNION ALL
    SELECT billing_account, at, amount FROM paid_directly
    UNION ALL
    SELECT billing_account, at, -amount AS amount FROM paid_directly
)
GROUP BY billing_account, month
COMMENT 'What came in and what went out, over all assets and payment methods';

-- Whatever is given back is booked at once; what was still unpaid is owed no longer, and moves nothing.
CREATE OR REPLACE VIEW refunds AS
SELECT
    billing_account,
    number,
    at,
    remark AS `order`,
    asset,
    lot,
    amount,
    'done' AS status
FROM entries
WHERE cause = 'refund'
COMMENT 'What was given back of orders, and where it went';

CREATE OR REPLACE VIEW invoices_now AS
WITH
    toDecimal128(0, 12) AS nothing,
    arraySum(line -> line.amount, arrayFilter(line -> line.kind = 'coupons', lines)) AS coupons,
    -- What none of the bills here comes to is open: its bill is on its way.
    least(greatest(total - coupons - billed, nothing), greatest(total, nothing)) AS coming
SELECT
    invoices.*,
    if(type = 'invoice' AND corrects IS NULL, owed + coming, nothing) AS open,
    if(total > open, total - open, nothing) AS paid,
    multiIf(type != 'invoice', 'credited', open <= 0, 'paid', open >= total, 'open', 'partly_paid') AS status
FROM invoices
LEFT JOIN
(
    -- A cycle belongs to the period of its last instant, or of its bill's issue if that comes before, an order to that
    -- of its issue. The tax names its invoice.
    SELECT number, sum(if(paid < amount, amount - paid, nothing)) AS owed, sum(amount) AS billed
    FROM
    (
        SELECT
            billing_account,
            invoice,
            amount,
            paid,
            if(`order` IS NULL, least(cycle_end - toIntervalMicrosecond(1), issued_at), issued_at) AS covered
        FROM bills
        WHERE credit_note IS NULL
    ) AS own
    INNER JOIN
    (
        SELECT number, billing_account, `from`, until FROM invoices WHERE type = 'invoice' AND corrects IS NULL
    ) AS issued USING (billing_account)
    WHERE if(invoice IS NULL, covered >= `from` AND covered < until, invoice = number)
    GROUP BY number
) AS bills USING (number)
COMMENT 'Invoices, and what of them is paid';

CREATE OR REPLACE VIEW usage_standing AS
SELECT *
FROM usage
WHERE (_partition, _offset, _index) NOT IN
(
    SELECT usage_partition, first_offset, assumeNotNull(voids)
    FROM charges
    WHERE voids IS NOT NULL
)
COMMENT 'Usage records that were counted and not taken back';

CREATE OR REPLACE VIEW spend_by_day AS
SELECT
    billing_account,
    toString(toDate(used)) AS day,
    sum(charge) AS charge,
    sum(records) AS records
FROM charges
GROUP BY billing_account, day
COMMENT 'Charges by the day of use, before coupons and tax';

CREATE OR REPLACE VIEW spend_by_month AS
SELECT
    billing_account,
    month,
    currency,
    sumIf(amount, invoice IS NULL) AS net,
    sumIf(amount, invoice IS NOT NULL) AS tax,
    sum(amount) AS total
FROM bills_issued
GROUP BY billing_account, month, currency
COMMENT 'What was billed for each month, and the tax that its invoices came to';

CREATE OR REPLACE VIEW spend AS
SELECT
    billing_account,
    month,
    currency,
    sumIf(amount, invoice IS NULL) AS net,
    sumIf(amount, invoice IS NOT NULL) AS tax,
    sum(amount) AS total,
    sumIf(amount - paid, paid < amount) AS due
FROM bills
GROUP BY billing_account, month, currency
COMMENT 'What was billed for each month, with tax, and what of it is still unpaid';

CREATE OR REPLACE VIEW spend_by AS
SELECT
    billing_account,
    formatDateTime(used, '%Y-%m') AS month,
    account,
    product,
    ifNull(charges.region, '') AS region,
    sum(charges.charge) AS charge,
    sum(charges.records) AS records
FROM charges
GROUP BY billing_account, month, account, product, region
COMMENT 'Charges by the month of use, account, product and region, before coupons and tax';

-- A charge is that of many records: those of an hour share what the hour's meter came to, by their quantities if it
-- adds these up, else alike. A record with several tags counts under each.
CREATE OR REPLACE VIEW spend_by_tag AS
SELECT
    hours.billing_account AS billing_account,
    formatDateTime(hours.hour, '%Y-%m') AS month,
    tagged.account AS account,
    tagged.product AS product,
    tagged.tag AS tag,
    tagged.value AS value,
    sum(toDecimal128(divideDecimal(
        multiplyDecimal(hours.charge, if(hours.quantity = whole.quantity, tagged.quantity, toDecimal256(tagged.records, 12)), 24),
        if(hours.quantity = whole.quantity, whole.quantity, toDecimal256(whole.records, 12)),
        12
    ), 12)) AS charge,
    sum(tagged.records) AS records
FROM
(
    SELECT
        account, product, meter, ifNull(region, '') AS place, toStartOfHour(time) AS hour, tag, value,
        toDecimal256(sum(used.quantity), 12) AS quantity, count() AS records
    FROM usage_standing AS used
    ARRAY JOIN mapKeys(tags) AS tag, mapValues(tags) AS value
    GROUP BY account, product, meter, place, hour, tag, value
) AS tagged
INNER JOIN
(
    SELECT
        account, product, meter, ifNull(region, '') AS place, toStartOfHour(time) AS hour,
        toDecimal256(sum(used.quantity), 12) AS quantity, count() AS records
    FROM usage_standing AS used
    GROUP BY account, product, meter, place, hour
) AS whole USING (account, product, meter, place, hour)
INNER JOIN
(
    SELECT
        billing_account, account, product, meter, ifNull(region, '') AS place, toStartOfHour(used) AS hour,
        toDecimal256(sum(lines.charge), 12) AS charge, toDecimal256(sum(lines.quantity), 12) AS quantity
    FROM charges AS lines
    GROUP BY billing_account, account, product, meter, place, hour
) AS hours USING (account, product, meter, place, hour)
GROUP BY billing_account, month, account, product, tag, value
COMMENT 'Charges by the tags of their records, before coupons and tax';

CREATE OR REPLACE VIEW balance_now AS
SELECT *
FROM balance
ORDER BY at DESC, _offset DESC, _index DESC
LIMIT 1 BY billing_account
COMMENT 'How billing accounts stand';

CREATE OR REPLACE VIEW payment_requests_now AS
SELECT *
FROM payment_requests
ORDER BY at DESC, _offset DESC, _index DESC
LIMIT 1 BY billing_account, request
COMMENT 'Requests to pay as they stand, a row for each of their two sides';

CREATE OR REPLACE VIEW remittances_now AS
SELECT *
FROM remittances
ORDER BY at DESC, _offset DESC, _index DESC
LIMIT 1 BY reference
COMMENT 'Bank transfers that named no account, as they stand';

CREATE OR REPLACE VIEW invoice_runs_now AS
SELECT *
FROM invoice_runs
ORDER BY at DESC, _offset DESC, _index DESC
LIMIT 1 BY run
COMMENT 'Invoice runs as they stand';

CREATE OR REPLACE VIEW payment_request_totals AS
SELECT
    billing_account,
    direction,
    status,
    currency,
    count() AS requests,
    sum(amount) AS total,
    sum(in_flight) AS total_in_flight
FROM payment_requests_now
GROUP BY billing_account, direction, status, currency
COMMENT 'How many requests to pay there are of each kind, and what they come to';

CREATE OR REPLACE VIEW burn AS
WITH (SELECT max(at) FROM blocks) AS now
SELECT
    billing_account,
    sumIf(charges.charge, used > now - INTERVAL 7 DAY) AS charge,
    least(toInt64(604800), greatest(toInt64(86400), dateDiff('second', min(used), now))) AS seconds,
    charge * 86400 / seconds AS burn_per_day
FROM charges
GROUP BY billing_account
COMMENT 'Charges a day over the last seven days of use, or since the first use if that is later';

CREATE OR REPLACE VIEW runway AS
WITH (SELECT max(at) FROM blocks) AS now
SELECT
    billing_account,
    currency,
    available,
    burn_per_day,
    if(burn_per_day > 0,
        floor(toDecimal256(greatest(available, 0), 12) / if(burn_per_day > 0, burn_per_day, 1), 2),
        NULL) AS days_left,
    now + toIntervalSecond(toInt64(days_left * 86400)) AS empty_on
FROM balance_now
LEFT JOIN (SELECT billing_account, burn_per_day FROM burn) AS burning USING (billing_account)
COMMENT 'How long what is available lasts at the present burn';

CREATE OR REPLACE VIEW currencies AS
SELECT billing_account, any(currency) AS currency
FROM balance
GROUP BY billing_account
COMMENT 'The currency of each billing account';

CREATE OR REPLACE VIEW top_accounts AS
SELECT
    formatDateTime(used, '%Y-%m') AS month,
    currency,
    account,
    any(billing_account) AS billing_account,
    sum(charges.charge) AS charge,
    sum(charges.records) AS records,
    rank() OVER (PARTITION BY month, currency ORDER BY charge DESC) AS place
FROM charges
LEFT JOIN currencies USING (billing_account)
GROUP BY month, currency, account
COMMENT 'Who spends most, by month of use and currency';

CREATE OR REPLACE VIEW meter_by_hour AS
SELECT
    product,
    meter,
    region,
    toStartOfHour(used) AS hour,
    sum(used_up.quantity) AS quantity,
    sum(used_up.covered) AS covered,
    sum(used_up.records) AS records,
    uniqExact(account) AS accounts
FROM
(
    SELECT product, meter, region, used, account, quantity, toDecimal128(0, 12) AS covered, records
    FROM charges
    UNION ALL
    SELECT product, meter, region, used, account, quantity, quantity AS covered, toUInt32(0) AS records
    FROM covered
) AS used_up
GROUP BY product, meter, region, hour
COMMENT 'How much of each meter was used in each hour, and what of that benefits covered';

CREATE OR REPLACE VIEW cash_flow AS
SELECT
    toDate(at) AS day,
    currency,
    cause,
    sumIf(amount, amount > 0) AS money_in,
    sumIf(amount, amount < 0) AS money_out
FROM
(
    SELECT billing_account, at, cause, amount FROM entries WHERE asset = 'cash'
    UNION ALL
    SELECT billing_account, at, cause, amount FROM paid_directly
    UNION ALL
    SELECT billing_account, at, cause, -amount AS amount FROM paid_directly
) AS moves
LEFT JOIN currencies USING (billing_account)
GROUP BY day, currency, cause
COMMENT 'Money in and out by day and cause: cash, and what payment methods paid for bills past it';

CREATE OR REPLACE VIEW receivables_by_age AS
WITH (SELECT max(at) FROM blocks) AS now
SELECT
    currency,
    multiIf(days < 30, '0-29', days < 60, '30-59', days < 90, '60-89', '90 and more') AS days_old,
    count() AS bills,
    sum(owed) AS owed
FROM
(
    SELECT currency, amount - paid AS owed, dateDiff('day', issued_at, now) AS days
    FROM bills
    WHERE paid < amount
)
GROUP BY currency, days_old
COMMENT 'What is unpaid of issued bills, by how long ago they were issued';

CREATE OR REPLACE VIEW focus AS
SELECT
    charges.charge AS BilledCost,
    billing_account AS BillingAccountId,
    billing_account AS BillingAccountName,
    'Billing Account' AS BillingAccountType,
    currency AS BillingCurrency,
    addMonths(BillingPeriodStart, 1) AS BillingPeriodEnd,
    toDateTime(toStartOfMonth(used), 'UTC') AS BillingPeriodStart,
    CAST(NULL, 'Nullable(String)') AS CapacityReservationId,
    CAST(NULL, 'Nullable(String)') AS CapacityReservationStatus,
    'Usage' AS ChargeCategory,
    if(adjustment, 'Correction', NULL) AS ChargeClass,
    concat(product, ' ', meter) AS ChargeDescription,
    'Usage-Based' AS ChargeFrequency,
    addMinutes(toDateTime(used, 'UTC'), 1) AS ChargePeriodEnd,
    toDateTime(used, 'UTC') AS ChargePeriodStart,
    multiIf(benefit IS NULL, NULL, kind = 'savings_plan', 'Spend', 'Usage') AS CommitmentDiscountCategory,
    if(benefit IS NULL, NULL, concat(holder, '/', benefit)) AS CommitmentDiscountId,
    benefit AS CommitmentDiscountName,
    drawn AS CommitmentDiscountQuantity,
    if(benefit IS NULL, NULL, 'Used') AS CommitmentDiscountStatus,
    kind AS CommitmentDiscountType,
    multiIf(benefit IS NULL, NULL, kind = 'savings_plan', currency, meter) AS CommitmentDiscountUnit,
    charges.quantity AS ConsumedQuantity,
    meter AS ConsumedUnit,
    charges.charge AS ContractedCost,
    CAST(NULL, 'Nullable(Decimal(38, 12))') AS ContractedUnitPrice,
    charges.charge AS EffectiveCost,
    CAST(NULL, 'Nullable(String)') AS InvoiceId,
    'drawdown' AS InvoiceIssuerName,
    charges.charge AS ListCost,
    CAST(NULL, 'Nullable(Decimal(38, 12))') AS ListUnitPrice,
    if(benefit IS NULL, 'Standard', 'Committed') AS PricingCategory,
    currency AS PricingCurrency,
    charges.charge AS PricingCurrencyEffectiveCost,
    charges.quantity AS PricingQuantity,
    meter AS PricingUnit,
    'drawdown' AS ProviderName,
    'drawdown' AS PublisherName,
    region AS RegionId,
    region AS RegionName,
    CAST(NULL, 'Nullable(String)') AS ResourceId,
    CAST(NULL, 'Nullable(String)') AS ResourceName,
    CAST(NULL, 'Nullable(String)') AS ResourceType,
    'Other' AS ServiceCategory,
    product AS ServiceName,
    'Other (Other)' AS ServiceSubcategory,
    concat(product, '/', meter) AS SkuId,
    meter AS SkuMeter,
    if(benefit IS NULL, toString(price), NULL) AS SkuPriceId,
    account AS SubAccountId,
    account AS SubAccountName,
    'Account' AS SubAccountType,
    CAST(map(), 'Map(String, String)') AS Tags
FROM
(
    SELECT
        account,
        billing_account,
        product,
        meter,
        region,
        price,
        used,
        quantity,
        charge,
        adjustment,
        CAST(NULL, 'Nullable(String)') AS holder,
        CAST(NULL, 'Nullable(String)') AS benefit,
        CAST(NULL, 'Nullable(String)') AS kind,
        CAST(NULL, 'Nullable(Decimal(38, 12))') AS drawn
    FROM charges
    UNION ALL
    SELECT
        account,
        billing_account,
        product,
        meter,
        region,
        toUInt32(0) AS price,
        used,
        quantity,
        toDecimal128(0, 12) AS charge,
        false AS adjustment,
        CAST(holder, 'Nullable(String)') AS holder,
        CAST(benefit, 'Nullable(String)') AS benefit,
        CAST(kind, 'Nullable(String)') AS kind,
        CAST(drawn, 'Nullable(Decimal(38, 12))') AS drawn
    FROM covered
) AS charges
LEFT JOIN currencies USING (billing_account)
COMMENT 'Charges in the columns of FOCUS 1.2, exact and before coupons and tax, beside what benefits covered; months are those of use';

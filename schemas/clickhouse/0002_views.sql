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
    multiIf(paid >= amount, 'paid', paid > 0, 'partly_paid', 'unpaid') AS status
FROM bills_issued
LEFT JOIN
(
    SELECT billing_account, bill, sum(amount) AS paid
    FROM bill_payments
    GROUP BY billing_account, bill
) AS payments USING (billing_account, bill)
COMMENT 'Bills as they stand';

CREATE OR REPLACE VIEW money_by_month AS
SELECT
    billing_account,
    formatDateTime(at, '%Y-%m') AS month,
    sumIf(amount, amount > 0) AS money_in,
    sumIf(amount, amount < 0) AS money_out
FROM entries
GROUP BY billing_account, month
COMMENT 'What came in and what went out, over all assets';

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

CREATE OR REPLACE VIEW balance_now AS
SELECT *
FROM balance
ORDER BY at DESC, _offset DESC, _index DESC
LIMIT 1 BY billing_account
COMMENT 'How billing accounts stand';

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
    sum(quantity) AS quantity,
    sum(records) AS records,
    uniqExact(account) AS accounts
FROM charges
GROUP BY product, meter, region, hour
COMMENT 'How much of each meter was used in each hour';

CREATE OR REPLACE VIEW cash_flow AS
SELECT
    toDate(at) AS day,
    currency,
    cause,
    sumIf(amount, amount > 0) AS money_in,
    sumIf(amount, amount < 0) AS money_out
FROM entries
LEFT JOIN currencies USING (billing_account)
WHERE asset = 'cash'
GROUP BY day, currency, cause
COMMENT 'Cash in and out by day and cause';

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
    CAST(NULL, 'Nullable(String)') AS CommitmentDiscountCategory,
    CAST(NULL, 'Nullable(String)') AS CommitmentDiscountId,
    CAST(NULL, 'Nullable(String)') AS CommitmentDiscountName,
    CAST(NULL, 'Nullable(Decimal(38, 12))') AS CommitmentDiscountQuantity,
    CAST(NULL, 'Nullable(String)') AS CommitmentDiscountStatus,
    CAST(NULL, 'Nullable(String)') AS CommitmentDiscountType,
    CAST(NULL, 'Nullable(String)') AS CommitmentDiscountUnit,
    charges.quantity AS ConsumedQuantity,
    meter AS ConsumedUnit,
    charges.charge AS ContractedCost,
    CAST(NULL, 'Nullable(Decimal(38, 12))') AS ContractedUnitPrice,
    charges.charge AS EffectiveCost,
    CAST(NULL, 'Nullable(String)') AS InvoiceId,
    'drawdown' AS InvoiceIssuerName,
    charges.charge AS ListCost,
    CAST(NULL, 'Nullable(Decimal(38, 12))') AS ListUnitPrice,
    'Standard' AS PricingCategory,
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
    toString(price) AS SkuPriceId,
    account AS SubAccountId,
    account AS SubAccountName,
    'Account' AS SubAccountType,
    CAST(map(), 'Map(String, String)') AS Tags
FROM charges
LEFT JOIN currencies USING (billing_account)
COMMENT 'Charges in the columns of FOCUS 1.2, exact and before coupons and tax; months are those of use';

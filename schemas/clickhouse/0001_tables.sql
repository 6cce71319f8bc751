-- One table for each kind of row that the topics carry, each row once. `_partition`, `_offset` and `_index` say
-- where it stands on its topic, so that a row can be found there and none be inserted twice.
--
-- An insert that is repeated under its token is dropped as long as the table remembers the token, which counts
-- inserts; ClickHouse remembers none unless told so. It answers once the rows are on the disk.

CREATE TABLE IF NOT EXISTS blocks
(
    topic LowCardinality(String) COMMENT 'Without the prefix of the installation',
    `partition` UInt32,
    first Int64 COMMENT 'The offset of the first message of the newest block',
    last Int64 COMMENT 'The offset of its last one',
    beside Int64 COMMENT 'Where what is needed beside the topic begins: identities, for usage',
    at DateTime64(6, 'UTC') COMMENT 'When the log took the last message',
    claimed_by String
)
ENGINE = ReplacingMergeTree(first)
ORDER BY (topic, `partition`)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'How the rows of each partition are inserted: cut into blocks whose ends are written down first';

CREATE TABLE IF NOT EXISTS entries
(
    billing_account String,
    number UInt64,
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    asset LowCardinality(String),
    lot String,
    before Decimal(38, 12),
    amount Decimal(38, 12),
    after Decimal(38, 12),
    cause LowCardinality(String),
    bill Nullable(String),
    remark Nullable(String),
    _partition UInt32 CODEC(ZSTD(1)),
    _offset Int64 CODEC(Delta, ZSTD(1)),
    _index UInt32 CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (billing_account, at, number)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Changes of assets';

CREATE TABLE IF NOT EXISTS bills_issued
(
    bill String,
    billing_account String,
    account String,
    product LowCardinality(Nullable(String)),
    month LowCardinality(String),
    cycle_end DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    amount Decimal(38, 12),
    currency LowCardinality(String),
    issued_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    invoice Nullable(String),
    credit_note Nullable(String),
    `order` Nullable(String),
    _partition UInt32 CODEC(ZSTD(1)),
    _offset Int64 CODEC(Delta, ZSTD(1)),
    _index UInt32 CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(issued_at)
ORDER BY (billing_account, issued_at, bill)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Bills as they were issued';

CREATE TABLE IF NOT EXISTS bill_payments
(
    bill String,
    billing_account String COMMENT 'Whose bill it is',
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    amount Decimal(38, 12),
    _partition UInt32 CODEC(ZSTD(1)),
    _offset Int64 CODEC(Delta, ZSTD(1)),
    _index UInt32 CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (billing_account, bill, at)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'What was paid of bills';

CREATE TABLE IF NOT EXISTS charges
(
    account String,
    billing_account String,
    product LowCardinality(String),
    meter LowCardinality(String),
    region LowCardinality(Nullable(String)),
    price UInt32,
    used DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    quantity Decimal(38, 12) CODEC(ZSTD(1)),
    charge Decimal(38, 12) CODEC(ZSTD(1)),
    records Int64 COMMENT '-1 where a usage record is taken back' CODEC(ZSTD(1)),
    adjustment Bool,
    cycle_end DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    usage_partition UInt32 CODEC(ZSTD(1)),
    first_offset Int64 COMMENT 'The records stand on the usage partition from here' CODEC(Delta, ZSTD(1)),
    last_offset Int64 COMMENT 'up to here' CODEC(Delta, ZSTD(1)),
    voids Nullable(UInt32) COMMENT 'The record at first_offset with this place in its message is taken back' CODEC(ZSTD(1)),
    _partition UInt32 CODEC(ZSTD(1)),
    _offset Int64 CODEC(Delta, ZSTD(1)),
    _index UInt32 CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(used)
ORDER BY (billing_account, account, product, meter, used)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Priced usage, exact, without what benefits covered';

CREATE TABLE IF NOT EXISTS covered
(
    account String,
    billing_account String COMMENT 'Who pays for the rest',
    product LowCardinality(String),
    meter LowCardinality(String),
    region LowCardinality(Nullable(String)),
    used DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    holder String COMMENT 'Whose benefit it is',
    benefit String,
    kind LowCardinality(String),
    quantity Decimal(38, 12) CODEC(ZSTD(1)),
    drawn Decimal(38, 12) COMMENT 'On the benefit: quantity, or money of a savings plan' CODEC(ZSTD(1)),
    _partition UInt32 CODEC(ZSTD(1)),
    _offset Int64 CODEC(Delta, ZSTD(1)),
    _index UInt32 CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(used)
ORDER BY (billing_account, account, product, meter, used)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Usage that benefits covered';

CREATE TABLE IF NOT EXISTS payments
(
    payment String,
    billing_account String,
    status LowCardinality(String),
    cause LowCardinality(String),
    amount Decimal(38, 12),
    currency LowCardinality(String),
    method String,
    begun_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    reason Nullable(String),
    bills Array(String),
    _partition UInt32 CODEC(ZSTD(1)),
    _offset Int64 CODEC(Delta, ZSTD(1)),
    _index UInt32 CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (billing_account, payment, at)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Payments, a row for each status they came to';

CREATE TABLE IF NOT EXISTS payment_requests
(
    request String,
    billing_account String,
    direction LowCardinality(String),
    requester String,
    payer String,
    service String,
    amount Decimal(38, 12),
    currency LowCardinality(String),
    note Nullable(String),
    resends Nullable(String),
    status LowCardinality(String),
    reason Nullable(String),
    in_flight Decimal(38, 12),
    asked_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    _partition UInt32 CODEC(ZSTD(1)),
    _offset Int64 CODEC(Delta, ZSTD(1)),
    _index UInt32 CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (billing_account, request, at)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Requests to pay, a row for each status they came to on each of their two sides';

CREATE TABLE IF NOT EXISTS balance
(
    billing_account String,
    currency LowCardinality(String),
    state LowCardinality(String),
    cash Decimal(38, 12),
    cash_transferred_in Decimal(38, 12),
    credit_limit Decimal(38, 12),
    credit_limit_pending Decimal(38, 12),
    credit_refund Decimal(38, 12),
    unsettled_current Decimal(38, 12),
    unsettled_previous Decimal(38, 12),
    available Decimal(38, 12),
    quota Decimal(38, 12),
    quota_consumed Decimal(38, 12),
    unbilled Decimal(38, 12),
    overdue Bool,
    transferable Decimal(38, 12),
    in_flight Decimal(38, 12),
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    _partition UInt32 CODEC(ZSTD(1)),
    _offset Int64 CODEC(Delta, ZSTD(1)),
    _index UInt32 CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (billing_account, at)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'How billing accounts stood, at most once a second each';

CREATE TABLE IF NOT EXISTS messages
(
    notice String,
    kind LowCardinality(String),
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    billing_account String,
    enterprise_name String,
    country LowCardinality(String),
    language LowCardinality(Nullable(String)),
    time_zone LowCardinality(String),
    currency LowCardinality(String),
    recipients Array(String),
    standing Tuple(
        available Decimal(38, 12),
        owed Decimal(38, 12),
        burn_per_day Decimal(38, 12),
        days_left Nullable(Decimal(38, 12)),
        empty_on Nullable(DateTime64(6, 'UTC')),
        costliest Array(Tuple(account String, product String, meter String, charge Decimal(38, 12)))),
    threshold Nullable(Decimal(38, 12)),
    of_series Nullable(UInt32),
    service Nullable(Tuple(
        account String,
        billing_account String,
        state String,
        since DateTime64(6, 'UTC'),
        cause Nullable(String))),
    payment Nullable(Tuple(
        payment String,
        billing_account String,
        status String,
        cause String,
        amount Decimal(38, 12),
        currency String,
        method String,
        begun_at DateTime64(6, 'UTC'),
        at DateTime64(6, 'UTC'),
        reason Nullable(String),
        bills Array(String))),
    request Nullable(Tuple(
        request String,
        billing_account String,
        direction String,
        requester String,
        payer String,
        service String,
        amount Decimal(38, 12),
        currency String,
        note Nullable(String),
        resends Nullable(String),
        status String,
        reason Nullable(String),
        in_flight Decimal(38, 12),
        asked_at DateTime64(6, 'UTC'),
        at DateTime64(6, 'UTC'))),
    plan Nullable(String),
    cap Nullable(Tuple(
        account String,
        month String,
        percent UInt32,
        monthly_cap Decimal(38, 12),
        charged Decimal(38, 12))),
    credit_limit Nullable(Tuple(limit Decimal(38, 12), pending Nullable(Decimal(38, 12)))),
    _partition UInt32 CODEC(ZSTD(1)),
    _offset Int64 CODEC(Delta, ZSTD(1)),
    _index UInt32 CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (billing_account, at, notice)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'What people were told';

CREATE TABLE IF NOT EXISTS services
(
    account String,
    billing_account String,
    state LowCardinality(String),
    since DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    cause LowCardinality(Nullable(String)),
    _partition UInt32 CODEC(ZSTD(1)),
    _offset Int64 CODEC(Delta, ZSTD(1)),
    _index UInt32 CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(since)
ORDER BY (account, since)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Services that stopped and went on';

CREATE TABLE IF NOT EXISTS invoice_runs
(
    run String,
    enterprise String,
    day String,
    currency LowCardinality(String),
    status LowCardinality(String),
    held_for LowCardinality(Nullable(String)),
    invoices UInt32,
    issued UInt32,
    held UInt32,
    net Decimal(38, 12),
    tax Decimal(38, 12),
    total Decimal(38, 12),
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    _partition UInt32 CODEC(ZSTD(1)),
    _offset Int64 CODEC(Delta, ZSTD(1)),
    _index UInt32 CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (day, run, at)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Invoice runs, a row whenever something about one has changed';

CREATE TABLE IF NOT EXISTS invoices
(
    number String,
    type LowCardinality(String),
    corrects Nullable(String),
    reason Nullable(String),
    billing_account String,
    enterprise String,
    enterprise_name String,
    country LowCardinality(String),
    tax_id Nullable(String),
    language LowCardinality(Nullable(String)),
    recipients Array(String),
    time_zone LowCardinality(String),
    `from` DateTime64(6, 'UTC'),
    until DateTime64(6, 'UTC'),
    period String COMMENT 'The first and the last day, in its zone',
    issued_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    issuer_country LowCardinality(String),
    issuer_name Nullable(String),
    issuer_address Nullable(String),
    issuer_tax_id Nullable(String),
    currency LowCardinality(String),
    lines Array(Tuple(
        kind String,
        account Nullable(String),
        product Nullable(String),
        meter Nullable(String),
        region Nullable(String),
        tier Nullable(UInt8),
        quantity Nullable(Decimal(38, 12)),
        amount Decimal(38, 12),
        `order` Nullable(String))),
    top_ups Array(Tuple(at DateTime64(6, 'UTC'), amount Decimal(38, 12), method Nullable(String))),
    net Decimal(38, 12),
    tax_rate Decimal(38, 12),
    tax_note LowCardinality(String),
    tax Decimal(38, 12),
    total Decimal(38, 12),
    settlement_currency LowCardinality(Nullable(String)),
    settlement_rate Nullable(Decimal(38, 12)),
    settled_net Nullable(Decimal(38, 12)),
    settled_tax Nullable(Decimal(38, 12)),
    settled_total Nullable(Decimal(38, 12)),
    _partition UInt32 CODEC(ZSTD(1)),
    _offset Int64 CODEC(Delta, ZSTD(1)),
    _index UInt32 CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(issued_at)
ORDER BY (billing_account, issued_at, number)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Issued invoices and credit notes, whole';

CREATE TABLE IF NOT EXISTS mail
(
    mail String,
    `to` String,
    kind LowCardinality(String),
    billing_account String,
    subject String,
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    state LowCardinality(String),
    tries UInt32,
    detail Nullable(String),
    _partition UInt32 CODEC(ZSTD(1)),
    _offset Int64 CODEC(Delta, ZSTD(1)),
    _index UInt32 CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (billing_account, at, mail)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Mails and what became of them';

CREATE TABLE IF NOT EXISTS commands
(
    command UInt64,
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    principal String,
    key Nullable(String),
    origin Nullable(String),
    name LowCardinality(String),
    refused LowCardinality(Nullable(String)),
    detail Nullable(String),
    repeats Nullable(UInt64),
    _partition UInt32 CODEC(ZSTD(1)),
    _offset Int64 CODEC(Delta, ZSTD(1)),
    _index UInt32 CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY command
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Every command and what became of it';

CREATE TABLE IF NOT EXISTS remittances
(
    reference String,
    amount Decimal(38, 12),
    currency LowCardinality(String),
    remark Nullable(String),
    received_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    billing_account Nullable(String),
    status LowCardinality(String),
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    _partition UInt32 CODEC(ZSTD(1)),
    _offset Int64 CODEC(Delta, ZSTD(1)),
    _index UInt32 CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (reference, at)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Bank transfers that named no account, a row for each status they came to';

CREATE TABLE IF NOT EXISTS rejects
(
    usage_partition UInt32,
    `offset` Int64 CODEC(Delta, ZSTD(1)),
    `index` UInt32,
    at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    first_arrival DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    reason LowCardinality(String),
    detail Nullable(String),
    account Nullable(String),
    source Nullable(String),
    id Nullable(String),
    message String COMMENT 'The record as it came, in its own message, in base64',
    _partition UInt32 CODEC(ZSTD(1)),
    _offset Int64 CODEC(Delta, ZSTD(1)),
    _index UInt32 CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (usage_partition, `offset`, `index`)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Usage that could not be used, whole, with the first reason that holds';

CREATE TABLE IF NOT EXISTS usage
(
    account String,
    source LowCardinality(String),
    id String,
    product LowCardinality(String),
    meter LowCardinality(String),
    quantity Decimal(38, 12) CODEC(ZSTD(1)),
    time DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    region LowCardinality(Nullable(String)),
    unit LowCardinality(Nullable(String)),
    tags Map(LowCardinality(String), String),
    _partition UInt32 CODEC(ZSTD(1)),
    _offset Int64 CODEC(Delta, ZSTD(1)),
    _index UInt32 CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (account, product, meter, time)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Usage records that were counted: no repeats, no rejects; usage_standing leaves out those that were taken back';

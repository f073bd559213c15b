CREATE OR REPLACE TEMP TABLE missed AS
SELECT offer_id, missed_runs::INTEGER AS missing_runs, missing_since FROM disappeared;

CREATE OR REPLACE TEMP TABLE facts AS
SELECT provider, arg_max(title, observed_at) AS title,
    arg_max(json_extract_string(facts_json, '$.homepage'), observed_at) AS homepage,
    arg_max(json_extract_string(facts_json, '$.kind'), observed_at) AS kind,
    arg_max(TRY_CAST(json_extract_string(facts_json, '$.first_party') AS BOOLEAN), observed_at) AS first_party,
    arg_max(from_json(json_extract(facts_json, '$.price_kinds'), '["VARCHAR"]'), observed_at) AS price_kinds,
    arg_max(TRY_CAST(json_extract_string(facts_json, '$.refetch_hours') AS DOUBLE), observed_at) AS refetch_hours,
    arg_max(json_extract_string(facts_json, '$.proof'), observed_at) AS proof,
    arg_max(TRY_CAST(json_extract_string(facts_json, '$.billing_increment_seconds') AS INTEGER), observed_at)
        AS billing_increment_seconds,
    arg_max(TRY_CAST(json_extract_string(facts_json, '$.minimum_seconds') AS INTEGER), observed_at) AS minimum_seconds
FROM runs GROUP BY provider;

-- Since when an offer has had its price: spans that only differ in availability belong together.
CREATE OR REPLACE TEMP TABLE price_since AS
WITH marked AS (
    SELECT s.offer_id, s.valid_from, s.valid_to, (lag(s.price_per_hour) OVER w IS DISTINCT FROM s.price_per_hour
        OR lag(s.valid_to) OVER w IS DISTINCT FROM s.valid_from)::INTEGER AS starts
    FROM core_spans AS s
    WHERE s.offer_id IN (SELECT offer_id FROM core_spans WHERE valid_to IS NULL)
    WINDOW w AS (PARTITION BY s.offer_id ORDER BY s.valid_from)
)
SELECT offer_id, max(valid_from) AS price_since FROM marked WHERE starts = 1 GROUP BY offer_id;

-- Where each open span was last seen: what the newest run lists, else the last word about its state by then.
CREATE OR REPLACE TEMP TABLE open_places AS
WITH newest AS (SELECT p.crawler, max(b.run_no) AS run_no FROM raw_bodies AS b JOIN raw_places AS p USING (place_no) GROUP BY ALL),
late AS (
    SELECT s.state_no, s.last_run_no, k.place_no FROM core_spans AS s
    LEFT JOIN newest AS n ON n.crawler = s.crawler AND n.run_no = s.last_run_no
    LEFT JOIN core_listed AS k ON k.state_no = s.state_no AND n.run_no IS NOT NULL
    WHERE s.valid_to IS NULL
),
older AS (
    SELECT l.state_no, l.last_run_no, arg_max(g.place_no, g.run_no) AS place_no
    FROM late AS l JOIN raw_listings AS g ON g.state_no = l.state_no AND g.run_no <= l.last_run_no
    WHERE l.place_no IS NULL GROUP BY l.state_no, l.last_run_no
)
SELECT state_no, last_run_no, place_no FROM late WHERE place_no IS NOT NULL UNION ALL FROM older;

CREATE OR REPLACE TEMP TABLE current_offers AS
SELECT s.offer_id, o.provider, o.source, s.crawler, o.instance_type, c.accelerator_id, c.candidates, c.family, c.partition,
    o.gpu_name_raw, c.gpu_count, c.gpu_memory_gb, o.interconnect, o.vcpus, o.memory_gib, o.disk_gb, o.region,
    c.country, c.continent, o.price_kind, o.term_months, s.price_per_hour::DOUBLE AS price_per_hour, s.currency,
    TRY_CAST(t.price_raw AS DOUBLE) AS price_raw, t.price_unit,
    s.price_per_hour::DOUBLE * f.usd_per_unit AS price_usd_per_hour,
    s.price_per_hour::DOUBLE * f.usd_per_unit / c.gpu_count AS price_usd_per_gpu_hour,
    CASE WHEN s.currency <> 'USD' THEN f.usd_per_unit END AS fx_rate, f.rate_date AS fx_date,
    s.available, CASE WHEN o.observed_at = r.observed_at THEN o.available_count END AS available_count, o.is_floor,
    o.effective_from,
    -- A time of the source's own holds as long as nothing of the row changed: it is part of what is compared.
    CASE WHEN o.stated_at < o.observed_at AND o.observed_at <= r.observed_at THEN least(o.stated_at, s.last_seen)
        ELSE s.last_seen END AS observed_at,
    p.price_since, o.first_party, r.origin, coalesce(m.missing_runs, 0) AS missing_runs,
    -- How time is billed: as the spider says, else as the table of provider facts does.
    coalesce(k.billing_increment_seconds, q.billing_increment_seconds) AS billing_increment_seconds,
    coalesce(k.minimum_seconds, q.minimum_seconds) AS minimum_seconds, coalesce(o.kind, 'list') AS kind, o.offer_key,
    o.machine_id, o.note, i.interruption_rate_low, i.interruption_rate_high, b.source_url, r.run_id, y.body_sha256
FROM core_spans AS s
JOIN raw_offers AS o USING (offer_id)
JOIN core_offers AS c USING (offer_id)
JOIN raw_states AS t ON t.state_no = s.state_no
JOIN runs AS r ON r.run_no = s.last_run_no
JOIN price_since AS p USING (offer_id)
LEFT JOIN open_places AS g ON g.state_no = s.state_no AND g.last_run_no = s.last_run_no
LEFT JOIN raw_places AS b ON b.place_no = g.place_no
LEFT JOIN raw_bodies AS y ON y.place_no = g.place_no AND y.run_no = s.last_run_no
LEFT JOIN fx_days AS f ON f.currency = s.currency AND f.day = CASE WHEN s.currency = 'USD' THEN DATE '2000-01-01'
    ELSE s.last_seen::DATE END
LEFT JOIN missed AS m USING (offer_id)
LEFT JOIN raw_interruptions AS i USING (offer_id)
LEFT JOIN facts AS k ON k.provider = o.provider
LEFT JOIN market.provider_facts AS q ON q.provider = o.provider
WHERE s.valid_to IS NULL;

-- Clouds whose own source answered within 72 hours, per price kind: what it lists, and, where its newest run
-- was whole, what it could have listed.
CREATE OR REPLACE TEMP TABLE answered AS
SELECT DISTINCT provider, price_kind FROM current_offers
WHERE crawler = provider AND origin <> 'bundled' AND observed_at >= $now::TIMESTAMPTZ - INTERVAL 72 HOUR
    AND (effective_from IS NULL OR effective_from <= $now::TIMESTAMPTZ::DATE)
UNION
SELECT r.provider, unnest(k.price_kinds)
FROM (SELECT provider, arg_max(run_no, (observed_at, run_no)) AS run_no FROM runs WHERE origin <> 'bundled' GROUP BY provider)
JOIN runs AS r USING (run_no) JOIN facts AS k ON k.provider = r.provider
WHERE r.state = 'good' AND NOT r.partial AND r.observed_at >= $now::TIMESTAMPTZ - INTERVAL 72 HOUR
    AND NOT EXISTS (FROM run_sources AS c WHERE c.run_no = r.run_no AND c.state <> 'good');

-- What a catalogue says of another cloud fills a gap only.
DELETE FROM current_offers WHERE crawler <> provider AND (provider, price_kind) IN (SELECT (provider, price_kind) FROM answered);

-- The cloud's own row of the same offer is older than 72 hours here. One of the two stands: the newer.
CREATE OR REPLACE TEMP TABLE doubled AS
SELECT own.offer_id AS own_id, c.offer_id AS compiled_id, own.observed_at >= c.observed_at AS own_wins
FROM current_offers AS c JOIN current_offers AS own
    ON own.provider = c.provider AND own.price_kind = c.price_kind AND own.gpu_count = c.gpu_count
    AND list_has_any(own.candidates, c.candidates) AND own.term_months IS NOT DISTINCT FROM c.term_months
    AND own.partition IS NOT DISTINCT FROM c.partition
    AND (own.region IS NULL OR c.region IS NULL OR own.region = c.region)
WHERE c.crawler <> c.provider AND own.crawler = own.provider AND own.origin <> 'bundled';
DELETE FROM current_offers WHERE offer_id IN (SELECT compiled_id FROM doubled WHERE own_wins);
DELETE FROM current_offers WHERE offer_id IN (
    SELECT d.own_id FROM doubled AS d JOIN current_offers AS c ON c.offer_id = d.compiled_id);

-- Of several catalogues (the bundled one too) that describe the same offer, the newest speaks.
DELETE FROM current_offers WHERE offer_id IN (
    SELECT c.offer_id FROM current_offers AS c JOIN current_offers AS other
        ON other.provider = c.provider AND other.price_kind = c.price_kind AND other.gpu_count = c.gpu_count
        AND other.crawler <> c.crawler AND other.candidates = c.candidates
        AND other.term_months IS NOT DISTINCT FROM c.term_months AND other.partition IS NOT DISTINCT FROM c.partition
        AND other.region IS NOT DISTINCT FROM c.region
        AND (other.instance_type IS NULL OR c.instance_type IS NULL OR other.instance_type = c.instance_type)
    WHERE (c.crawler <> c.provider OR c.origin = 'bundled') AND (other.crawler <> other.provider OR other.origin = 'bundled')
        AND (other.observed_at, other.crawler) > (c.observed_at, c.crawler));

-- A compiled row is left out where the provider itself answers the same question as freshly or more so.
DELETE FROM current_offers WHERE offer_id IN (
    SELECT c.offer_id FROM current_offers AS c JOIN current_offers AS own
        ON own.provider = c.provider AND own.accelerator_id = c.accelerator_id AND own.price_kind = c.price_kind
        AND own.gpu_count = c.gpu_count AND own.term_months IS NOT DISTINCT FROM c.term_months
        AND own.partition IS NOT DISTINCT FROM c.partition
        AND (own.region IS NULL OR c.region IS NULL OR own.region = c.region)
    WHERE c.origin = 'bundled' AND own.origin <> 'bundled' AND own.first_party AND own.observed_at >= c.observed_at);

CREATE TABLE market.offers AS
WITH fresh AS (
    SELECT accelerator_id, CASE WHEN accelerator_id IS NULL THEN candidates END AS open_between, price_kind,
        max(observed_at) FILTER (NOT (price_kind = 'spot' OR kind = 'marketplace')) AS newest_list_at,
        max(observed_at) FILTER (price_kind = 'spot' OR kind = 'marketplace') AS newest_fast_at
    FROM current_offers GROUP BY ALL
)
SELECT c.*, c.price_kind = 'spot' OR c.kind = 'marketplace' AS fast, f.newest_list_at, f.newest_fast_at,
    -- The market has moved on: the same part and price kind was seen this much later elsewhere.
    c.observed_at < greatest(f.newest_list_at, f.newest_fast_at) - INTERVAL 120 DAY AS outdated
FROM current_offers AS c
JOIN fresh AS f ON f.price_kind = c.price_kind AND f.accelerator_id IS NOT DISTINCT FROM c.accelerator_id
    AND f.open_between IS NOT DISTINCT FROM CASE WHEN c.accelerator_id IS NULL THEN c.candidates END
ORDER BY c.accelerator_id NULLS LAST, c.price_usd_per_gpu_hour, c.offer_id;

-- What does not change with the price, as known now (offer_keys) and as believed until unlearnt_at (past_keys).
CREATE TABLE market.past_keys AS
WITH crawled AS (SELECT offer_id, any_value(crawler) AS crawler FROM (
    SELECT offer_id, crawler FROM core_spans UNION ALL SELECT offer_id, crawler FROM core_past_spans) GROUP BY offer_id),
stated AS (SELECT *, NULL::TIMESTAMPTZ AS unlearnt_at FROM raw_offers UNION ALL BY NAME FROM raw_past_offers),
meant AS (SELECT *, NULL::TIMESTAMPTZ AS unlearnt_at FROM core_offers UNION ALL BY NAME FROM core_past_offers)
SELECT o.offer_id, o.provider, o.source, t.crawler, o.instance_type, c.accelerator_id, c.candidates, c.family, c.partition,
    o.gpu_name_raw, c.gpu_count, c.gpu_memory_gb, o.interconnect, o.vcpus, o.memory_gib, o.disk_gb, o.region, c.country,
    c.continent, o.price_kind, o.term_months, o.currency, o.is_floor, o.effective_from, o.first_party,
    coalesce(o.kind, 'list') AS kind, o.offer_key, o.machine_id, o.note, o.source_url,
    greatest(o.learnt_at, c.learnt_at) AS learnt_at, least(o.unlearnt_at, c.unlearnt_at) AS unlearnt_at
FROM stated AS o JOIN meant AS c ON c.offer_id = o.offer_id
    AND (c.unlearnt_at IS NULL OR c.unlearnt_at > o.learnt_at) AND (o.unlearnt_at IS NULL OR o.unlearnt_at > c.learnt_at)
JOIN crawled AS t ON t.offer_id = o.offer_id ORDER BY o.offer_id;

CREATE TABLE market.offer_keys AS SELECT * EXCLUDE (unlearnt_at) FROM market.past_keys WHERE unlearnt_at IS NULL;
DELETE FROM market.past_keys WHERE unlearnt_at IS NULL;

CREATE TABLE market.past_spans AS
SELECT s.offer_id, s.valid_from, s.valid_to, s.last_seen,
    s.price_per_hour::DOUBLE * f.usd_per_unit AS price_usd_per_hour,
    s.price_per_hour::DOUBLE * f.usd_per_unit / c.gpu_count AS price_usd_per_gpu_hour,
    s.price_per_hour::DOUBLE AS price_per_hour, s.currency, s.available, r.run_id, s.state_no,
    s.closed_by, s.closed_at, s.learnt_at, s.end_learnt_at, s.unlearnt_at
FROM (SELECT *, NULL::TIMESTAMPTZ AS unlearnt_at FROM core_spans UNION ALL BY NAME FROM core_past_spans) AS s
JOIN core_offers AS c USING (offer_id) JOIN runs AS r ON r.run_no = s.run_no
LEFT JOIN fx_days AS f ON f.currency = s.currency AND f.day = CASE WHEN s.currency = 'USD' THEN DATE '2000-01-01'
    ELSE s.valid_from::DATE END
ORDER BY s.offer_id, s.valid_from;

CREATE TABLE market.spans AS SELECT * EXCLUDE (unlearnt_at) FROM market.past_spans WHERE unlearnt_at IS NULL;
DELETE FROM market.past_spans WHERE unlearnt_at IS NULL;

-- What each span's price was stated as (as-of answers and the way back to the source's own figures).
CREATE TABLE market.states AS
SELECT state_no, TRY_CAST(price_raw AS DOUBLE) AS price_raw, price_unit, tax_rate,
    TRY_CAST(upfront_raw AS DOUBLE) AS upfront_raw
FROM raw_states WHERE state_no IN (SELECT state_no FROM core_spans UNION SELECT state_no FROM core_past_spans) ORDER BY state_no;

CREATE TABLE market.price_days AS
SELECT day, provider, accelerator_id, candidates, family, price_kind, min_usd_per_gpu_hour, median_usd_per_gpu_hour, offers,
    first_party, origin, source_url, learnt_at
FROM core_price_days ORDER BY accelerator_id, price_kind, day, provider;

CREATE TABLE market.past_price_days AS
SELECT day, provider, accelerator_id, candidates, family, price_kind, min_usd_per_gpu_hour, median_usd_per_gpu_hour, offers,
    first_party, origin, source_url, learnt_at, unlearnt_at
FROM core_past_price_days ORDER BY accelerator_id, price_kind, day, provider;

-- What changed, read off the spans. Both sides of a repricing are in dollars at the new day's rate, so that an
-- exchange rate is never shown as a repricing. What a provider's first run lists is not news. What a catalogue
-- says of a cloud is news only where that cloud has no runs of its own.
CREATE TABLE market.changes AS
WITH first_runs AS (
    SELECT provider, min(observed_at) AS first_at FROM runs
    WHERE state IN ('good', 'partial') AND origin <> 'bundled' GROUP BY provider
),
steps AS (
    SELECT s.offer_id, s.crawler, s.valid_from, s.valid_to, s.closed_by, s.closed_at, s.price_per_hour, s.available,
        s.currency, s.run_no, s.learnt_at, lag(s.price_per_hour) OVER w AS old_price, lag(s.available) OVER w AS old_available,
        lag(s.closed_by) OVER w AS old_end, lag(s.valid_from) OVER w AS old_from
    FROM core_spans AS s WINDOW w AS (PARTITION BY s.offer_id ORDER BY s.valid_from)
),
events AS (
    SELECT valid_from AS at, unnest(list_filter([
            CASE WHEN old_from IS NOT NULL AND old_end = 'price' AND price_per_hour <> old_price THEN 'repriced' END,
            CASE WHEN old_from IS NULL AND r.origin <> 'bundled' AND valid_from > first_at THEN 'new' END,
            CASE WHEN old_end = 'withdrawn' OR (old_end = 'price' AND available AND NOT old_available) THEN 'restocked' END,
            CASE WHEN old_end = 'price' AND NOT available AND old_available THEN 'sold_out' END
        ], lambda c: c IS NOT NULL)) AS change,
        e.offer_id, e.currency, e.valid_from::DATE AS day, e.old_price, e.price_per_hour AS new_price,
        e.learnt_at
    FROM steps AS e JOIN runs AS r ON r.run_no = e.run_no LEFT JOIN first_runs AS f ON f.provider = e.crawler
    UNION ALL
    SELECT closed_at, 'withdrawn', offer_id, currency, valid_from::DATE, price_per_hour, NULL, end_learnt_at
    FROM core_spans WHERE closed_by = 'withdrawn'
    UNION ALL
    SELECT m.missing_since, 'missing', s.offer_id, s.currency, s.valid_from::DATE, s.price_per_hour, NULL,
        greatest(m.missing_since, s.learnt_at)
    FROM core_spans AS s JOIN missed AS m USING (offer_id) WHERE s.valid_to IS NULL
)
SELECT e.at, e.change, e.offer_id, o.provider, o.instance_type, c.accelerator_id, o.region, o.price_kind,
    e.old_price::DOUBLE * f.usd_per_unit / c.gpu_count AS old_usd_per_gpu_hour,
    e.new_price::DOUBLE * f.usd_per_unit / c.gpu_count AS new_usd_per_gpu_hour, e.learnt_at
FROM events AS e JOIN raw_offers AS o USING (offer_id) JOIN core_offers AS c USING (offer_id)
JOIN (SELECT offer_id, any_value(crawler) AS crawler FROM core_spans GROUP BY offer_id) AS t USING (offer_id)
LEFT JOIN fx_days AS f ON f.currency = e.currency AND f.day = CASE WHEN e.currency = 'USD' THEN DATE '2000-01-01'
    ELSE e.day END
WHERE t.crawler = o.provider OR o.provider NOT IN (SELECT provider FROM first_runs)
ORDER BY e.at DESC, o.provider, e.offer_id;

CREATE TABLE market.runs AS
SELECT run_id, provider, observed_at, loaded_at, state, reason, origin, offers, rejected, held, requests, seconds,
    parser_version, partial, sources_json, unused_fields_json, warnings_json, learnt_at, revision, revises, superseded_at,
    superseded_state
FROM runs ORDER BY observed_at DESC, provider;

CREATE TABLE market.quarantine AS SELECT * FROM quarantine ORDER BY last_seen DESC, provider, id;

CREATE TABLE market.quarantine_audit AS SELECT * FROM quarantine_audit ORDER BY decided_at DESC, id;

CREATE TABLE market.findings AS
SELECT r.run_id, f.provider, r.observed_at, f.rule, f.level, f.found, f.example
FROM run_findings AS f JOIN runs AS r USING (run_no) ORDER BY r.observed_at DESC, f.provider, f.rule;

CREATE TABLE market.providers AS
WITH last_runs AS (
    SELECT provider, max(observed_at) AS last_run_at, arg_max(state, (observed_at, run_no)) AS last_run_state,
        arg_max(coalesce(reason, ''), (observed_at, run_no)) AS last_run_reason
    FROM runs GROUP BY provider
),
good AS (SELECT provider, max(observed_at) AS last_good_at FROM runs WHERE state IN ('good', 'partial') GROUP BY provider),
listed AS (SELECT provider, count(*) AS offers, bool_and(first_party) AS first_party,
    list_sort(list(DISTINCT price_kind)) AS price_kinds FROM market.offers GROUP BY provider),
waiting AS (SELECT provider, count(*) AS held FROM quarantine WHERE status = 'held' AND level <> 'B' GROUP BY provider)
SELECT n.provider, coalesce(k.title, n.provider) AS title, k.homepage, coalesce(k.kind, 'list') AS kind,
    coalesce(k.first_party, o.first_party, true) AS first_party, coalesce(k.price_kinds, o.price_kinds, []) AS price_kinds,
    k.refetch_hours, k.proof, l.last_run_at, l.last_run_state, nullif(l.last_run_reason, '') AS last_run_reason,
    g.last_good_at, coalesce(o.offers, 0) AS offers, coalesce(w.held, 0) AS held,
    coalesce(k.billing_increment_seconds, q.billing_increment_seconds) AS billing_increment_seconds,
    coalesce(k.minimum_seconds, q.minimum_seconds) AS minimum_seconds
FROM (SELECT provider FROM last_runs UNION SELECT provider FROM market.offers) AS n
LEFT JOIN last_runs AS l USING (provider) LEFT JOIN facts AS k USING (provider) LEFT JOIN good AS g USING (provider)
LEFT JOIN listed AS o USING (provider) LEFT JOIN waiting AS w USING (provider)
LEFT JOIN market.provider_facts AS q USING (provider)
ORDER BY n.provider;

CREATE TABLE market.fx_rates AS
SELECT c.rate_date, c.currency, d.units_per_eur / c.units_per_eur AS usd_per_unit, c.units_per_eur, c.source_url
FROM fx_rates AS c JOIN fx_rates AS d ON d.rate_date = c.rate_date AND d.currency = 'USD'
UNION ALL
SELECT rate_date, 'EUR', units_per_eur, 1.0, source_url FROM fx_rates WHERE currency = 'USD'
ORDER BY currency, rate_date;

CREATE TABLE market.meta (key VARCHAR, value VARCHAR);

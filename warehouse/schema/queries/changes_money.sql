-- Changes with what they mean in money. What stands in braces is the table of offers, or its answer as of a day; ours.
-- A list-price offer that is new at the very run that no longer lists another of the same provider, machine, place
-- and terms is that offer under another key (R8): no change at the same price, a repricing at another.
WITH keyed AS (
    SELECT c.*, k.candidates, k.family, k.gpu_count, k.partition, k.term_months, k.currency, k.kind, k.crawler, k.source, k.is_floor,
        CASE c.change WHEN 'withdrawn' THEN s.valid_to ELSE c.at END AS turned_at,
        CASE WHEN c.change IN ('withdrawn', 'missing') THEN s.price_per_hour ELSE n.price_per_hour END AS native
    FROM changes AS c JOIN offer_keys AS k USING (offer_id)
    LEFT JOIN spans AS s ON s.offer_id = c.offer_id AND (
        (c.change = 'withdrawn' AND s.closed_by = 'withdrawn' AND s.closed_at = c.at)
        OR (c.change = 'missing' AND s.valid_to IS NULL))
    LEFT JOIN spans AS n ON n.offer_id = c.offer_id AND n.valid_from = c.at AND c.change NOT IN ('withdrawn', 'missing')
),
ranked AS (
    SELECT offer_id, change, "at", turned_at, native, provider, crawler, source, candidates, gpu_count, partition, region, price_kind,
        term_months, currency, is_floor, change = 'new' AS is_new, row_number() OVER (
            PARTITION BY change = 'new', turned_at, provider, crawler, source, candidates, gpu_count, partition, region,
                price_kind, term_months, currency, is_floor
            ORDER BY native, offer_id) AS place
    FROM keyed WHERE kind <> 'marketplace' AND change IN ('new', 'missing', 'withdrawn')
),
rekeyed AS (
    SELECT n.offer_id AS new_id, n.at AS new_at, o.offer_id AS old_id, o.at AS old_at, o.change AS old_change,
        o.native / n.native AS ratio
    FROM ranked AS n JOIN ranked AS o
        ON n.is_new AND NOT o.is_new AND o.turned_at = n.turned_at AND o.provider = n.provider AND o.crawler = n.crawler
        AND o.source = n.source AND o.candidates = n.candidates AND o.gpu_count = n.gpu_count AND o.place = n.place
        AND o.partition IS NOT DISTINCT FROM n.partition AND o.region IS NOT DISTINCT FROM n.region
        AND o.price_kind = n.price_kind AND o.term_months IS NOT DISTINCT FROM n.term_months
        AND o.currency = n.currency AND o.is_floor = n.is_floor
),
plain AS (
    SELECT k.* EXCLUDE (turned_at, native, change, old_usd_per_gpu_hour),
        CASE WHEN r.new_id IS NULL THEN k.change WHEN r.ratio = 1 THEN 'rekeyed' ELSE 'repriced' END AS change,
        CASE WHEN r.new_id IS NULL THEN k.old_usd_per_gpu_hour ELSE k.new_usd_per_gpu_hour * r.ratio END AS old_usd_per_gpu_hour,
        r.new_id IS NOT NULL AS was_rekeyed
    FROM keyed AS k LEFT JOIN rekeyed AS r ON r.new_id = k.offer_id AND r.new_at = k.at AND k.change = 'new'
    WHERE (k.offer_id, k.at, k.change) NOT IN (SELECT (old_id, old_at, old_change) FROM rekeyed)
),
chosen AS (
    SELECT * FROM plain WHERE ($since::TIMESTAMPTZ IS NULL OR "at" >= $since) AND ($until::TIMESTAMPTZ IS NULL OR "at" <= $until)
),
standing AS (
    SELECT offer_id, accelerator_id, gpu_count, price_kind, term_months, price_usd_per_gpu_hour AS usd, row_number() OVER (
        PARTITION BY accelerator_id, gpu_count, price_kind, term_months ORDER BY price_usd_per_gpu_hour, offer_id) AS place
    FROM {offers}
    WHERE accelerator_id IN (SELECT accelerator_id FROM chosen) AND partition IS NULL AND NOT is_floor AND NOT outdated
        AND available IS DISTINCT FROM false
),
beside AS (
    SELECT c.*, (SELECT min(s.usd) FROM standing AS s WHERE s.place <= 2 AND s.offer_id <> c.offer_id
        AND s.accelerator_id = c.accelerator_id AND s.gpu_count = c.gpu_count AND s.price_kind = c.price_kind
        AND s.term_months IS NOT DISTINCT FROM c.term_months AND c.partition IS NULL) AS next_usd
    FROM chosen AS c
),
valued AS (
    SELECT *, CASE
        WHEN change = 'repriced' THEN new_usd_per_gpu_hour - old_usd_per_gpu_hour
        WHEN change IN ('new', 'restocked') THEN least(0, new_usd_per_gpu_hour - next_usd)
        WHEN change IN ('missing', 'withdrawn', 'sold_out') THEN greatest(0, next_usd - coalesce(old_usd_per_gpu_hour, new_usd_per_gpu_hour))
        END AS money
    FROM beside
)
SELECT "at", change, provider, instance_type, accelerator_id, candidates, family, gpu_count, region, price_kind, term_months,
    old_usd_per_gpu_hour, new_usd_per_gpu_hour, next_usd AS next_cheapest_usd_per_gpu_hour, money AS usd_per_gpu_hour,
    money * gpu_count * $month_hours AS usd_per_month,
    100 * money / CASE WHEN change = 'repriced' THEN old_usd_per_gpu_hour WHEN change IN ('new', 'restocked') THEN next_usd
        ELSE coalesce(old_usd_per_gpu_hour, new_usd_per_gpu_hour) END AS percent,
    CASE WHEN change = 'repriced' THEN 'own price' WHEN money IS NOT NULL THEN 'next cheapest' END AS measured_against,
    was_rekeyed AS rekeyed, kind, crawler, offer_id::VARCHAR AS offer_id
FROM valued
WHERE ($names::VARCHAR[] IS NULL OR list_has_any($names, candidates))
    AND ($providers::VARCHAR[] IS NULL OR list_contains($providers, provider))
    AND ($kinds::VARCHAR[] IS NULL OR list_contains($kinds, price_kind))
ORDER BY abs(usd_per_month) DESC NULLS LAST, "at" DESC, provider, offer_id

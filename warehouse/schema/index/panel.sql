-- The panel of the index: one row per offer and day on which its source was asked and listed it, in the
-- provider's own currency. A span says from when to when a price was seen; the runs of its crawler in between
-- say on which days. What compiled catalogues say of a cloud counts only where that cloud itself said nothing
-- in the three days before. hold_days: for how long a price counts without being seen again (R11: 72 hours for
-- list prices, a day for spot and marketplaces; weekly catalogues a week and some slack).
CREATE OR REPLACE TEMP TABLE index_rows AS
WITH asked AS (
    SELECT DISTINCT provider AS crawler, observed_at::DATE AS day FROM runs
    WHERE state IN ('good', 'partial') AND origin <> 'bundled'
),
spanned AS (
    SELECT s.offer_id, o.provider, s.crawler <> o.provider AS compiled, r.day,
        arg_max(s.price_per_hour::DOUBLE, s.valid_from) AS price,
        CASE WHEN s.crawler <> o.provider THEN 10 WHEN o.price_kind = 'spot' OR o.kind = 'marketplace' THEN 1 ELSE 3 END
            AS hold_days
    FROM core_spans AS s
    JOIN runs AS f ON f.run_no = s.run_no AND f.origin <> 'bundled'
    JOIN raw_offers AS o ON o.offer_id = s.offer_id AND NOT o.is_floor
    JOIN asked AS r ON r.crawler = s.crawler AND r.day >= s.valid_from::DATE AND r.day <= s.last_seen::DATE
        AND (o.effective_from IS NULL OR o.effective_from <= r.day)
    GROUP BY ALL
),
described AS (
    SELECT s.*, o.currency, c.gpu_count, c.accelerator_id, c.family, o.price_kind
    FROM spanned AS s JOIN raw_offers AS o USING (offer_id) JOIN core_offers AS c USING (offer_id)
    WHERE c.partition IS NULL AND len(c.candidates) > 0
    UNION ALL BY NAME
    SELECT offer_id, provider, true AS compiled, day, price_per_hour::DOUBLE AS price, 10 AS hold_days, currency,
        gpu_count, accelerator_id, family, price_kind
    FROM core_compiled_prices
),
own_days AS (SELECT DISTINCT provider, price_kind, day FROM described WHERE NOT compiled),
covered AS (SELECT DISTINCT provider, price_kind, day + ahead::INTEGER AS day FROM own_days, range(4) AS t(ahead))
SELECT offer_id, provider, accelerator_id, family, price_kind, day, price, currency, gpu_count, hold_days
FROM described AS d
WHERE price > 0 AND gpu_count > 0
    AND NOT (compiled AND EXISTS (FROM covered AS c WHERE c.provider = d.provider AND c.price_kind = d.price_kind AND c.day = d.day));

-- Markets with enough providers and offers at any time to be worth a look (R16 judges each day).
CREATE OR REPLACE TEMP TABLE index_markets AS
SELECT row_number() OVER (ORDER BY scope, name, price_kind)::INTEGER - 1 AS market_no, *
FROM (
    SELECT 'accelerator' AS scope, accelerator_id AS name, price_kind FROM index_rows
    WHERE accelerator_id IS NOT NULL GROUP BY ALL
    HAVING count(DISTINCT provider) >= $fewest_providers AND count(DISTINCT offer_id) >= $fewest_offers
    UNION ALL
    SELECT 'family', family, price_kind FROM index_rows WHERE family IS NOT NULL GROUP BY ALL
    HAVING count(DISTINCT provider) >= $fewest_providers AND count(DISTINCT offer_id) >= $fewest_offers
);

-- R8, keys of a list-price source (and of a marketplace's machine that the source gives a key of its own).
-- An offer that is new beside one that is gone under the same machine name (or, where
-- machines have no name, at the same place and price) is the same offer under another key: held for a person where
-- part, count or currency contradict one another ("PCIe" sold as "SXM", euro read as dollar), held for one confirmation
-- where the price moved by more than 1.5x with it, else only told. Of what is left: more than 10 % gone with others in
-- their place, or more than 30 % new, holds the new rows until the next run lists them too.
WITH prior AS (
    SELECT r.run_no, r.kind, p.offer_id, p.source, p.price_per_hour
    FROM previous AS p JOIN this_run AS r ON r.provider = p.crawler
    JOIN good_runs AS g ON g.run_no = r.run_no AND g.place = 1 AND p.last_listed >= g.observed_at
    WHERE r.counts_rows
),
present AS (
    SELECT DISTINCT run_no, source, offer_id FROM cleaned
    WHERE NOT coalesce(no_gpu, false) AND run_no IN (SELECT run_no FROM prior)
),
gone AS (
    SELECT p.run_no, p.kind, p.source, p.price_per_hour, k.* FROM prior AS p
    ANTI JOIN present AS n ON n.run_no = p.run_no AND n.offer_id = p.offer_id
    JOIN known_offers AS k ON k.offer_id = p.offer_id
),
fresh AS (
    SELECT c.row_no, c.run_no, c.source, c.offer_id, c.price_per_hour, c.instance_type, c.offer_key, c.gpu_name_raw, c.region,
        c.price_kind, c.term_months, c.currency, c.candidates, c.gpu_count, c.price_usd_per_hour
    FROM cleaned AS c ANTI JOIN previous AS p ON p.offer_id = c.offer_id
    WHERE NOT coalesce(c.no_gpu, false) AND c.run_no IN (SELECT run_no FROM prior)
),
pairs AS (
    SELECT f.row_no, f.run_no, f.source, g.offer_id, g.gpu_name_raw AS old_name, f.gpu_name_raw AS new_name,
        g.currency AS old_currency, f.currency AS new_currency, g.gpu_count AS old_count, f.gpu_count AS new_count,
        g.price_per_hour::DOUBLE AS old_price, f.price_per_hour::DOUBLE AS new_price,
        len(f.candidates) > 0 AND NOT list_has_any(f.candidates, g.candidates) AS is_other_part
    FROM fresh AS f JOIN gone AS g ON g.run_no = f.run_no AND g.source = f.source AND g.price_kind = f.price_kind
        AND g.region IS NOT DISTINCT FROM f.region AND g.term_months IS NOT DISTINCT FROM f.term_months
        AND CASE WHEN coalesce(f.offer_key, f.instance_type) IS NOT NULL
            THEN coalesce(g.offer_key, g.instance_type) = coalesce(f.offer_key, f.instance_type)
            ELSE coalesce(g.offer_key, g.instance_type) IS NULL AND (g.price_per_hour = f.price_per_hour
                AND g.gpu_count = f.gpu_count OR g.gpu_name_raw = f.gpu_name_raw AND g.currency <> f.currency) END
    WHERE g.kind <> 'marketplace' OR f.offer_key = g.offer_key
        OR (g.price_per_hour = f.price_per_hour AND g.gpu_count = f.gpu_count)
    QUALIFY (count(*) OVER (PARTITION BY f.row_no) = 1 AND count(*) OVER (PARTITION BY f.run_no, g.offer_id) = 1)
        OR (g.price_per_hour = f.price_per_hour AND g.gpu_count = f.gpu_count)
),
sizes AS (
    SELECT p.run_no, p.source, p.known, coalesce(g.gone, 0) - coalesce(m.paired, 0) AS gone,
        coalesce(f.fresh, 0) - coalesce(m.paired, 0) AS fresh
    FROM (SELECT run_no, source, count(*) AS known FROM prior WHERE kind <> 'marketplace' GROUP BY ALL) AS p
    LEFT JOIN (SELECT run_no, source, count(*) AS gone FROM gone GROUP BY ALL) AS g USING (run_no, source)
    LEFT JOIN (SELECT run_no, source, count(DISTINCT offer_id) AS fresh FROM fresh GROUP BY ALL) AS f USING (run_no, source)
    LEFT JOIN (SELECT run_no, source, count(DISTINCT row_no) AS paired FROM pairs GROUP BY ALL) AS m USING (run_no, source)
)
SELECT row_no, 'R8' AS rule,
    CASE WHEN is_other_part OR old_currency <> new_currency OR old_count <> new_count THEN 'Q'
        WHEN abs(ln(new_price / old_price)) > ln(1.5) THEN 'Q1' ELSE 'W' END AS level,
    CASE WHEN old_currency <> new_currency THEN format('{:.6g} {} where the same machine was {:.6g} {}', new_price, new_currency,
            old_price, old_currency)
        WHEN is_other_part THEN format('the same machine was called {} and is now called {}', substr(old_name, 1, 80), substr(new_name, 1, 80))
        WHEN old_count <> new_count THEN format('the same machine had {:g} GPUs and now has {:g}', old_count, new_count)
        ELSE format('known under another key: {} for {}, {:.6g} after {:.6g}', substr(new_name, 1, 80), substr(old_name, 1, 80),
            new_price, old_price) END AS evidence
FROM pairs WHERE new_price > 0 AND old_price > 0
UNION ALL
SELECT f.row_no, 'R8', 'Q1', format('{} of {} keys of {} are gone and {} are new', s.gone, s.known, f.source, s.fresh)
FROM fresh AS f JOIN sizes AS s USING (run_no, source)
WHERE s.known >= 10 AND s.fresh > 0 AND ((s.gone > 0.1 * s.known AND s.fresh > 0.1 * s.known) OR s.fresh > 0.3 * s.known)
    AND f.row_no NOT IN (SELECT row_no FROM pairs)

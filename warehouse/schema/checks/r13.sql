-- R13, two sources of one provider: the same machine more than 2 % apart (W, told on the dearer row; the provider's own
-- API wins where people look); and one source's part whose name is the tail of another's (H200 for GH200, B200 for
-- GB200) at exactly that other part's price: its name was cut, held.
WITH sold AS (
    SELECT c.row_no, c.run_no, c.provider, c.source, c.accelerator_id, c.family, c.gpu_count, c.price_kind, c.term_months,
        coalesce(c.region, '') AS region, c.instance_type, c.price_usd_per_hour AS usd, c.price_usd_per_gpu_hour AS gpu_usd
    FROM cleaned AS c
    WHERE c.accelerator_id IS NOT NULL AND c.partition IS NULL AND c.price_usd_per_hour > 0 AND NOT c.is_floor
        AND NOT coalesce(c.no_gpu, false)
        AND c.run_no IN (SELECT run_no FROM cleaned GROUP BY run_no HAVING count(DISTINCT source) > 1)
),
apart AS (
    SELECT run_no, provider, accelerator_id, gpu_count, price_kind, term_months, region, instance_type, min(usd) AS low, max(usd) AS high
    FROM sold GROUP BY ALL HAVING count(DISTINCT source) > 1 AND max(usd) > 1.02 * min(usd)
),
tails (tail, whole) AS (VALUES ('h200', 'gh200'), ('b200', 'gb200'), ('b300', 'gb300')),
listed AS (
    SELECT run_no, provider, source, family, gpu_usd, price_kind FROM sold
    UNION
    SELECT r.run_no, r.provider, p.source, k.family, p.price_per_hour::DOUBLE / k.gpu_count, k.price_kind
    FROM previous AS p JOIN this_run AS r ON r.provider = p.crawler AND p.last_listed > r.observed_at - INTERVAL 14 DAY
    JOIN known_offers AS k ON k.offer_id = p.offer_id AND k.currency = 'USD' AND k.family IN (SELECT whole FROM tails)
)
SELECT s.row_no, 'R13' AS rule, 'W' AS level,
    format('{:.6g} USD per hour here, {:.6g} from another source of the same machine', s.usd, a.low) AS evidence
FROM apart AS a JOIN sold AS s ON s.run_no = a.run_no AND s.provider = a.provider AND s.accelerator_id = a.accelerator_id
    AND s.gpu_count = a.gpu_count AND s.price_kind = a.price_kind AND s.term_months IS NOT DISTINCT FROM a.term_months
    AND s.region = a.region AND s.instance_type IS NOT DISTINCT FROM a.instance_type AND s.usd > 1.02 * a.low
UNION ALL
SELECT c.row_no, 'R13', 'Q',
    format('sold as {} at {:.6g} USD, which is what {} asks for its {}', any_value(c.family), any_value(c.price_usd_per_gpu_hour),
        any_value(l.source), any_value(t.whole))
FROM cleaned AS c JOIN tails AS t ON c.family = t.tail
JOIN listed AS l ON l.run_no = c.run_no AND l.provider = c.provider AND l.family = t.whole AND l.source <> c.source
    AND l.price_kind = c.price_kind AND abs(ln(l.gpu_usd / c.price_usd_per_gpu_hour)) < 0.001
WHERE NOT coalesce(c.no_gpu, false) AND c.price_usd_per_gpu_hour > 0
GROUP BY c.row_no

-- R3, hold: a price per GPU-hour outside 0.1x to 10x of the 30-day median of other providers' medians for
-- that accelerator and price kind (at least 5 providers). Without such a median: outside 0.01-150 USD (a
-- price of exactly 0.01 is a placeholder). A price within 2x of some provider's own median is corroborated. The source's own limits hold in any case. A part that is not
-- settled is measured against all its candidates; a slice only against the common bounds.
WITH judged AS (
    SELECT c.row_no, c.price_usd_per_gpu_hour AS usd, c.partition,
        m.low_median, m.high_median, m.providers,
        least(0.1 * m.low_median, 0.5 * m.low_seen) AS least_usd,
        greatest(10 * m.high_median, 2 * m.high_seen) AS most_usd, r.limit_low, r.limit_high
    FROM cleaned AS c
    JOIN this_run AS r USING (run_no)
    LEFT JOIN row_medians AS m ON m.row_no = c.row_no AND c.partition IS NULL
    WHERE c.price_usd_per_gpu_hour IS NOT NULL AND NOT coalesce(c.no_gpu, false)
)
SELECT row_no, 'R3' AS rule, 'Q' AS level, CASE
    WHEN usd < least_usd OR usd > most_usd THEN
        format('{:.4g} USD per GPU-hour is {:.3g}x the 30-day median {:.4g} of {} providers', usd,
            usd / CASE WHEN usd > high_median THEN high_median ELSE low_median END,
            CASE WHEN usd > high_median THEN high_median ELSE low_median END, providers)
    WHEN usd < limit_low OR usd > limit_high THEN
        format('{:.4g} USD per GPU-hour is outside of this source''s range {:g}-{:g}', usd, limit_low, limit_high)
    ELSE format('{:.4g} USD per GPU-hour is outside 0.01-150', usd)
    END AS evidence
FROM judged
WHERE usd < least_usd OR usd > most_usd
    OR (partition IS NULL AND (usd < limit_low OR usd > limit_high))
    OR (low_median IS NULL AND (usd > 150 OR usd < 0.001 OR (partition IS NULL AND usd <= 0.01)))

-- R3, hold: a price per GPU-hour outside 0.1x to 10x of the 30-day median of other providers' medians for
-- that accelerator and price kind (at least 5 providers). Without such a median: outside 0.01-150 USD (a
-- price of exactly 0.01 is a placeholder). A price within 2x of some provider's own median is corroborated.
-- Two more signs need less: a round number that placeholders are made of (0.50 for a B200) beyond 0.2x or 5x,
-- and an offer never seen before in a run that as a whole lies 5x or more beside the market (a new source read in
-- another unit). The source's own limits hold in any case. A part that is not settled is measured against all its
-- candidates; a slice only against the common bounds.
WITH judged AS (
    SELECT c.row_no, c.run_no, c.price_usd_per_gpu_hour AS usd, c.partition, c.accelerator_id, c.offer_id,
        m.tier, m.low_median, m.high_median, m.providers, m.mid_median,
        least(0.1 * m.low_median, 0.5 * m.low_seen) AS least_usd,
        greatest(10 * m.high_median, 2 * m.high_seen) AS most_usd, r.limit_low, r.limit_high,
        c.price IN (0.01, 0.05, 0.1, 0.2, 0.25, 0.5, 1, 10, 99, 99.99, 100, 999, 999.99, 1000, 9999) AS is_round
    FROM cleaned AS c
    JOIN this_run AS r USING (run_no)
    LEFT JOIN row_medians AS m ON m.row_no = c.row_no AND c.partition IS NULL
    WHERE c.price_usd_per_gpu_hour IS NOT NULL AND NOT coalesce(c.no_gpu, false)
),
beside AS (
    SELECT run_no, exp(median(ln(usd / mid_median))) AS ratio
    FROM judged WHERE mid_median > 0 AND usd > 0
    GROUP BY run_no
    HAVING count(DISTINCT accelerator_id) >= 3 AND abs(median(ln(usd / mid_median))) >= ln(5)
)
SELECT row_no, 'R3' AS rule, 'Q' AS level, CASE
    WHEN usd < least_usd OR usd > most_usd THEN
        format('{:.4g} USD per GPU-hour is {:.3g}x the {} {:.4g} of {} providers', usd,
            usd / CASE WHEN usd > high_median THEN high_median ELSE low_median END,
            CASE tier WHEN 1 THEN '30-day median' WHEN 2 THEN '180-day median' ELSE 'on-demand median' END,
            CASE WHEN usd > high_median THEN high_median ELSE low_median END, providers)
    WHEN partition IS NULL AND (usd < limit_low OR usd > limit_high) THEN
        format('{:.4g} USD per GPU-hour is outside of this source''s range {:g}-{:g}', usd, limit_low, limit_high)
    WHEN is_round AND (usd < 0.2 * low_median OR usd > 5 * high_median) THEN
        format('{:.4g} is a round number and {:.3g}x the median: a placeholder is suspected', usd, usd / low_median)
    WHEN ratio IS NOT NULL THEN
        format('{:.4g} USD per GPU-hour, and the run as a whole is {:.3g}x the market', usd, ratio)
    ELSE format('{:.4g} USD per GPU-hour is outside 0.01-150', usd)
    END AS evidence
FROM judged LEFT JOIN beside USING (run_no)
WHERE usd < least_usd OR usd > most_usd
    OR (partition IS NULL AND (usd < limit_low OR usd > limit_high))
    OR (is_round AND (usd < 0.2 * low_median OR usd > 5 * high_median))
    OR (ratio IS NOT NULL AND abs(ln(usd / mid_median)) >= ln(3.5) AND offer_id NOT IN (SELECT offer_id FROM previous))
    OR (low_median IS NULL AND (usd > 150 OR usd < 0.001 OR (partition IS NULL AND usd <= 0.01)))

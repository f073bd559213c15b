-- The market's level for each row: per provider the median of its days within 30 days of the run, then the
-- median over the other providers, where there are at least five (three were AWS, Google and Azure at times: not the market). A row with several candidates gets the
-- lowest and the highest of their medians. low_seen and high_seen are the lowest and highest provider median:
-- a price near one of those is corroborated, however far it lies from the middle (a V100 costs 0.2 USD at a
-- marketplace and 3 USD at every large cloud). Two-sided in time, so that an old recording is measured against
-- its own month; for a live run nothing lies ahead.
CREATE OR REPLACE TEMP TABLE row_medians AS
WITH near AS (
    SELECT r.run_no, a.provider AS described, d.accelerator_id, d.price_kind, d.provider,
        median(d.median_usd_per_gpu_hour) AS usd
    FROM this_run AS r JOIN (SELECT DISTINCT run_no, provider FROM cleaned) AS a USING (run_no)
    JOIN {price_days} AS d ON d.provider <> a.provider AND d.day BETWEEN r.observed_at::DATE - 30 AND r.observed_at::DATE + 30
    GROUP BY ALL
),
market AS (
    SELECT run_no, described, accelerator_id, price_kind, median(usd) AS usd, min(usd) AS low_seen, max(usd) AS high_seen,
        count(*) AS providers
    FROM near GROUP BY ALL HAVING count(*) >= 5
),
questions AS (SELECT DISTINCT run_no, provider AS described, candidates, price_kind FROM cleaned WHERE len(candidates) > 0),
answers AS (
    SELECT q.run_no, q.described, q.candidates, q.price_kind, min(m.usd) AS low_median, max(m.usd) AS high_median,
        CASE WHEN len(q.candidates) = 1 THEN min(m.usd) END AS mid_median, min(m.providers) AS providers,
        min(m.low_seen) AS low_seen, max(m.high_seen) AS high_seen
    FROM (SELECT *, unnest(candidates) AS accelerator_id FROM questions) AS q
    JOIN market AS m USING (run_no, described, accelerator_id, price_kind)
    GROUP BY q.run_no, q.described, q.candidates, q.price_kind
)
SELECT c.row_no, a.low_median, a.high_median, a.mid_median, a.providers, a.low_seen, a.high_seen
FROM cleaned AS c JOIN answers AS a ON a.run_no = c.run_no AND a.described = c.provider
    AND a.candidates = c.candidates AND a.price_kind = c.price_kind;

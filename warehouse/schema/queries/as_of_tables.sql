-- The published tables as of $as_of, laid over the copy ({market}) as temporary tables of the same names.
CREATE TEMP TABLE offers AS
SELECT * FROM {as_of_offers} ORDER BY accelerator_id NULLS LAST, price_usd_per_gpu_hour, offer_id;

CREATE TEMP TABLE offer_keys AS
SELECT * FROM {market}.offer_keys WHERE learnt_at <= $as_of::TIMESTAMPTZ
UNION ALL
SELECT * EXCLUDE (unlearnt_at) FROM {market}.past_keys
WHERE learnt_at <= $as_of::TIMESTAMPTZ AND unlearnt_at > $as_of::TIMESTAMPTZ;

-- An end that was not known yet is no end; what was seen later was not seen yet.
CREATE TEMP TABLE spans AS
WITH believed AS (
    SELECT * FROM {market}.spans WHERE learnt_at <= $as_of::TIMESTAMPTZ
    UNION ALL
    SELECT * EXCLUDE (unlearnt_at) FROM {market}.past_spans
    WHERE learnt_at <= $as_of::TIMESTAMPTZ AND unlearnt_at > $as_of::TIMESTAMPTZ
)
SELECT * REPLACE (
    CASE WHEN end_learnt_at <= $as_of::TIMESTAMPTZ AND valid_to <= $as_of::TIMESTAMPTZ THEN valid_to END AS valid_to,
    CASE WHEN end_learnt_at <= $as_of::TIMESTAMPTZ AND valid_to <= $as_of::TIMESTAMPTZ THEN closed_by END AS closed_by,
    CASE WHEN end_learnt_at <= $as_of::TIMESTAMPTZ AND valid_to <= $as_of::TIMESTAMPTZ THEN closed_at END AS closed_at,
    CASE WHEN end_learnt_at <= $as_of::TIMESTAMPTZ AND valid_to <= $as_of::TIMESTAMPTZ THEN end_learnt_at END AS end_learnt_at,
    least(last_seen, $as_of::TIMESTAMPTZ) AS last_seen)
FROM believed WHERE valid_from <= $as_of::TIMESTAMPTZ;

CREATE TEMP TABLE price_days AS
SELECT * FROM {market}.price_days WHERE learnt_at <= $as_of::TIMESTAMPTZ AND day <= $as_of::TIMESTAMPTZ::DATE
UNION ALL
SELECT * EXCLUDE (unlearnt_at) FROM {market}.past_price_days
WHERE learnt_at <= $as_of::TIMESTAMPTZ AND unlearnt_at > $as_of::TIMESTAMPTZ AND day <= $as_of::TIMESTAMPTZ::DATE;

CREATE TEMP TABLE runs AS
SELECT * REPLACE (
    CASE WHEN superseded_at > $as_of::TIMESTAMPTZ THEN superseded_state ELSE state END AS state,
    CASE WHEN superseded_at <= $as_of::TIMESTAMPTZ THEN superseded_at END AS superseded_at,
    CASE WHEN superseded_at <= $as_of::TIMESTAMPTZ THEN superseded_state END AS superseded_state)
FROM {market}.runs WHERE learnt_at <= $as_of::TIMESTAMPTZ AND observed_at <= $as_of::TIMESTAMPTZ;

-- A row that waits today, or was decided later, waited then.
CREATE TEMP TABLE quarantine AS
SELECT q.* REPLACE (
    CASE WHEN q.status IN ('released', 'superseded') AND q.last_seen > $as_of::TIMESTAMPTZ THEN 'held' ELSE q.status END AS status,
    least(q.last_seen, $as_of::TIMESTAMPTZ) AS last_seen)
FROM {market}.quarantine AS q JOIN runs AS r ON r.run_id = q.run_id AND r.provider = q.provider;

CREATE TEMP TABLE fx_rates AS SELECT * FROM {market}.fx_rates WHERE rate_date <= $as_of::TIMESTAMPTZ::DATE;

CREATE TEMP TABLE providers AS
WITH last_runs AS (
    SELECT provider, max(observed_at) AS last_run_at, arg_max(state, observed_at) AS last_run_state,
        arg_max(coalesce(reason, ''), observed_at) AS last_run_reason,
        max(observed_at) FILTER (state IN ('good', 'partial')) AS last_good_at
    FROM runs GROUP BY provider
),
listed AS (SELECT provider, count(*) AS offers FROM offers GROUP BY provider),
waiting AS (SELECT provider, count(*) AS held FROM quarantine WHERE status = 'held' AND level <> 'B' GROUP BY provider)
SELECT p.* REPLACE (l.last_run_at AS last_run_at, l.last_run_state AS last_run_state,
    nullif(l.last_run_reason, '') AS last_run_reason, l.last_good_at AS last_good_at, coalesce(o.offers, 0) AS offers,
    coalesce(w.held, 0) AS held)
FROM {market}.providers AS p
LEFT JOIN last_runs AS l USING (provider) LEFT JOIN listed AS o USING (provider) LEFT JOIN waiting AS w USING (provider)
WHERE l.provider IS NOT NULL OR o.provider IS NOT NULL
ORDER BY p.provider;

CREATE TEMP TABLE meta AS
SELECT m.key, CASE WHEN m.key = 'market_date' THEN (SELECT strftime(max(observed_at), '%Y-%m-%dT%H:%M:%S+00:00') FROM offers)
    ELSE m.value END AS value FROM {market}.meta AS m
UNION ALL SELECT 'as_of', strftime($as_of::TIMESTAMPTZ, '%Y-%m-%dT%H:%M:%S+00:00');

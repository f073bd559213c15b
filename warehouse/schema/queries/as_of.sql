-- The offers as they were at $as_of, in the provider's time, with that day's exchange rates.
(
    WITH rates AS (
        SELECT currency, arg_max(usd_per_unit, rate_date) AS usd_per_unit, max(rate_date) AS rate_date
        FROM fx_rates WHERE rate_date <= $as_of::TIMESTAMPTZ::DATE GROUP BY currency
    ),
    earliest AS (
        SELECT currency, arg_min(usd_per_unit, rate_date) AS usd_per_unit, min(rate_date) AS rate_date
        FROM fx_rates GROUP BY currency
    ),
    looked AS (
        SELECT provider, max(observed_at) AS looked_at FROM runs
        WHERE observed_at <= $as_of::TIMESTAMPTZ AND state IN ('good', 'partial') GROUP BY provider
    ),
    valid AS (
        SELECT k.*, s.price_per_hour, t.price_raw, t.price_unit, s.available, s.valid_from AS price_since,
            s.price_per_hour * CASE WHEN s.currency = 'USD' THEN 1 ELSE coalesce(f.usd_per_unit, e.usd_per_unit) END
                AS price_usd_per_hour,
            CASE WHEN s.currency <> 'USD' THEN coalesce(f.usd_per_unit, e.usd_per_unit) END AS fx_rate,
            CASE WHEN s.currency <> 'USD' THEN coalesce(f.rate_date, e.rate_date) END AS fx_date,
            greatest(s.valid_from, least(s.last_seen, coalesce(l.looked_at, s.valid_from))) AS observed_at,
            s.run_id, r.origin, p.billing_increment_seconds, p.minimum_seconds,
            k.price_kind = 'spot' OR k.kind = 'marketplace' AS fast
        FROM spans AS s JOIN offer_keys AS k USING (offer_id) JOIN states AS t USING (state_no)
        JOIN (SELECT provider, run_id, any_value(origin) AS origin FROM runs GROUP BY ALL) AS r
            ON r.run_id = s.run_id AND r.provider = k.crawler
        LEFT JOIN providers AS p ON p.provider = k.provider
        LEFT JOIN looked AS l ON l.provider = k.crawler
        LEFT JOIN rates AS f ON f.currency = s.currency LEFT JOIN earliest AS e ON e.currency = s.currency
        WHERE s.valid_from <= $as_of::TIMESTAMPTZ AND (s.valid_to IS NULL OR s.valid_to > $as_of::TIMESTAMPTZ)
    ),
    -- What a catalogue says of another cloud fills a gap only, as in the published offers.
    standing AS (
        FROM valid AS v WHERE v.crawler = v.provider OR NOT EXISTS (
            FROM valid AS own WHERE own.provider = v.provider AND own.crawler = own.provider AND own.origin <> 'bundled'
                AND own.price_kind = v.price_kind
                AND (own.observed_at >= v.observed_at OR own.observed_at >= $as_of::TIMESTAMPTZ - INTERVAL 72 HOUR))
    )
    SELECT *, price_usd_per_hour / gpu_count AS price_usd_per_gpu_hour, NULL::BIGINT AS available_count,
        NULL::DOUBLE AS interruption_rate_low, NULL::DOUBLE AS interruption_rate_high,
        0 AS missing_runs, NULL::VARCHAR AS body_sha256,
        max(observed_at) FILTER (NOT fast) OVER w AS newest_list_at,
        max(observed_at) FILTER (fast) OVER w AS newest_fast_at,
        observed_at < max(observed_at) OVER w - INTERVAL 120 DAY AS outdated
    FROM standing
    WINDOW w AS (PARTITION BY accelerator_id, CASE WHEN accelerator_id IS NULL THEN candidates END, price_kind)
)

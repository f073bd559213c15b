-- The offers as this warehouse knew them at $as_of: true at the provider by then, learnt by then, and not yet
-- replaced by a better reading; with that day's exchange rates. {market} is the published copy's own name.
(
    WITH rates AS (
        SELECT currency, arg_max(usd_per_unit, rate_date) AS usd_per_unit, max(rate_date) AS rate_date
        FROM {market}.fx_rates WHERE rate_date <= $as_of::TIMESTAMPTZ::DATE GROUP BY currency
    ),
    earliest AS (
        SELECT currency, arg_min(usd_per_unit, rate_date) AS usd_per_unit, min(rate_date) AS rate_date
        FROM {market}.fx_rates GROUP BY currency
    ),
    known_runs AS (
        SELECT run_id, provider, observed_at, partial, origin,
            CASE WHEN superseded_at > $as_of::TIMESTAMPTZ THEN superseded_state ELSE state END AS state
        FROM {market}.runs WHERE observed_at <= $as_of::TIMESTAMPTZ AND learnt_at <= $as_of::TIMESTAMPTZ
    ),
    looked AS (
        SELECT provider, max(observed_at) AS looked_at FROM known_runs WHERE state IN ('good', 'partial') GROUP BY provider
    ),
    whole AS (
        SELECT provider, list(observed_at) AS looks FROM known_runs
        WHERE state = 'good' AND NOT partial AND origin <> 'bundled' GROUP BY provider
    ),
    keys AS (
        SELECT * EXCLUDE (learnt_at) FROM {market}.offer_keys WHERE learnt_at <= $as_of::TIMESTAMPTZ
        UNION ALL
        SELECT * EXCLUDE (learnt_at, unlearnt_at) FROM {market}.past_keys
        WHERE learnt_at <= $as_of::TIMESTAMPTZ AND unlearnt_at > $as_of::TIMESTAMPTZ
    ),
    believed AS (
        SELECT offer_id, state_no, valid_from, last_seen, price_per_hour, currency, available, run_id FROM {market}.spans
        WHERE valid_from <= $as_of::TIMESTAMPTZ AND learnt_at <= $as_of::TIMESTAMPTZ
            AND (valid_to IS NULL OR valid_to > $as_of::TIMESTAMPTZ OR end_learnt_at > $as_of::TIMESTAMPTZ)
        UNION ALL
        SELECT offer_id, state_no, valid_from, last_seen, price_per_hour, currency, available, run_id FROM {market}.past_spans
        WHERE valid_from <= $as_of::TIMESTAMPTZ AND learnt_at <= $as_of::TIMESTAMPTZ AND unlearnt_at > $as_of::TIMESTAMPTZ
            AND (valid_to IS NULL OR valid_to > $as_of::TIMESTAMPTZ OR end_learnt_at > $as_of::TIMESTAMPTZ)
    ),
    seen AS (
        SELECT k.*, s.price_per_hour, s.state_no, s.available, s.valid_from AS price_since,
            s.price_per_hour * CASE WHEN s.currency = 'USD' THEN 1 ELSE coalesce(f.usd_per_unit, e.usd_per_unit) END
                AS price_usd_per_hour,
            CASE WHEN s.currency <> 'USD' THEN coalesce(f.usd_per_unit, e.usd_per_unit) END AS fx_rate,
            CASE WHEN s.currency <> 'USD' THEN coalesce(f.rate_date, e.rate_date) END AS fx_date,
            greatest(s.valid_from, least(s.last_seen, coalesce(l.looked_at, s.valid_from))) AS observed_at,
            s.run_id, k.price_kind = 'spot' OR k.kind = 'marketplace' AS fast
        FROM believed AS s JOIN keys AS k USING (offer_id)
        LEFT JOIN looked AS l ON l.provider = k.crawler
        LEFT JOIN rates AS f ON f.currency = s.currency LEFT JOIN earliest AS e ON e.currency = s.currency
    ),
    valid AS (
        SELECT s.* EXCLUDE (state_no), t.price_raw, t.price_unit, r.origin, p.billing_increment_seconds, p.minimum_seconds,
            coalesce(len(list_filter(w.looks, lambda look: look > s.observed_at)), 0)::INTEGER AS missing_runs
        FROM seen AS s JOIN {market}.states AS t USING (state_no)
        JOIN (SELECT provider, run_id, any_value(origin) AS origin FROM {market}.runs GROUP BY ALL) AS r
            ON r.run_id = s.run_id AND r.provider = s.crawler
        LEFT JOIN whole AS w ON w.provider = s.crawler
        LEFT JOIN {market}.providers AS p ON p.provider = s.provider
    ),
    -- What a catalogue says of another cloud fills a gap only, as in the published offers.
    standing AS (
        FROM valid AS v WHERE v.crawler = v.provider OR NOT EXISTS (
            FROM valid AS own WHERE own.provider = v.provider AND own.crawler = own.provider AND own.origin <> 'bundled'
                AND own.price_kind = v.price_kind
                AND (own.observed_at >= v.observed_at OR own.observed_at >= $as_of::TIMESTAMPTZ - INTERVAL 72 HOUR))
    )
    SELECT *, price_usd_per_hour / gpu_count AS price_usd_per_gpu_hour, NULL::BIGINT AS available_count,
        NULL::DOUBLE AS interruption_rate_low, NULL::DOUBLE AS interruption_rate_high, NULL::VARCHAR AS body_sha256,
        max(observed_at) FILTER (NOT fast) OVER w AS newest_list_at,
        max(observed_at) FILTER (fast) OVER w AS newest_fast_at,
        observed_at < max(observed_at) OVER w - INTERVAL 120 DAY AS outdated
    FROM standing
    WINDOW w AS (PARTITION BY accelerator_id, CASE WHEN accelerator_id IS NULL THEN candidates END, price_kind)
)

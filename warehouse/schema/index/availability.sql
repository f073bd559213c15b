-- Availability by shape (machine type, or accelerator and count on a marketplace), provider, region and price kind,
-- over the last 1, 7 and 30 days before $now. A poll is an accepted run of the crawler that speaks of the shape:
-- it lists it with its availability, or it answered whole and does not list it although it did before (not to be
-- had then). A listing that states no availability is no poll. What stands in braces are queries of ours:
-- on the warehouse's tables when publishing, on the published ones for an answer as of an earlier day.
WITH polls AS (
    SELECT * FROM ({polls}) WHERE observed_at <= $now::TIMESTAMPTZ AND observed_at > $now::TIMESTAMPTZ - INTERVAL 30 DAY
),
keyed AS ({keyed}),
said AS ({said}),
shaped AS (
    SELECT p.poll, p.crawler, p.observed_at, k.source, k.provider,
        CASE WHEN k.kind <> 'marketplace' THEN k.instance_type END AS instance_type, k.accelerator_id, k.candidates,
        k.family, k.gpu_count, k.partition, k.region, k.country, k.price_kind, bool_or(s.available) AS available,
        count(*) FILTER (s.available)::INTEGER AS offers_available
    FROM said AS s JOIN polls AS p USING (poll) JOIN keyed AS k USING (offer_id)
    GROUP BY ALL
),
shapes AS (
    SELECT row_number() OVER ()::INTEGER AS shape_no, *
    FROM (
        SELECT crawler, source, provider, instance_type, accelerator_id, candidates, family, gpu_count, partition, region,
            any_value(country) AS country, price_kind, min(observed_at) AS first_at
        FROM shaped GROUP BY ALL HAVING count(available) > 0
    )
),
listed AS (
    SELECT n.shape_no, s.poll, s.observed_at, s.available, s.offers_available, true AS listed
    FROM shaped AS s JOIN shapes AS n
        ON n.crawler = s.crawler AND n.source = s.source AND n.provider = s.provider
        AND n.instance_type IS NOT DISTINCT FROM s.instance_type AND n.candidates = s.candidates
        AND n.gpu_count = s.gpu_count AND n.partition IS NOT DISTINCT FROM s.partition
        AND n.region IS NOT DISTINCT FROM s.region AND n.price_kind = s.price_kind
),
asked AS (
    SELECT * FROM listed
    UNION ALL
    SELECT n.shape_no, p.poll, p.observed_at, false, 0, false
    FROM shapes AS n JOIN polls AS p ON p.crawler = n.crawler AND p.whole AND p.observed_at > n.first_at
    WHERE (p.poll, n.source) IN (SELECT (poll, source) FROM ({answered}))
        AND NOT EXISTS (FROM listed AS l WHERE l.shape_no = n.shape_no AND l.poll = p.poll)
),
told AS (
    SELECT shape_no, observed_at, bool_or(available) AS available, sum(offers_available)::INTEGER AS offers_available,
        bool_or(listed) AS listed
    FROM asked WHERE available IS NOT NULL GROUP BY ALL
),
windowed AS (
    SELECT t.*, w.window_days,
        row_number() OVER (PARTITION BY shape_no, window_days ORDER BY observed_at)
            - row_number() OVER (PARTITION BY shape_no, window_days, available ORDER BY observed_at) AS island
    FROM told AS t, (SELECT unnest([1, 7, 30]) AS window_days) AS w
    WHERE t.observed_at > $now::TIMESTAMPTZ - to_days(w.window_days)
),
streaks AS (
    SELECT shape_no, window_days, available, count(*)::INTEGER AS polls, min(observed_at) AS since, max(observed_at) AS until
    FROM windowed GROUP BY shape_no, window_days, available, island
),
longest AS (
    SELECT shape_no, window_days, arg_max(since, until) AS streak_since, arg_max(polls, until) AS streak_polls,
        max(epoch(until - since) / 3600) FILTER (available) AS longest_available_hours,
        max(epoch(until - since) / 3600) FILTER (NOT available) AS longest_unavailable_hours
    FROM streaks GROUP BY ALL
),
counted AS (
    SELECT shape_no, window_days, count(*)::INTEGER AS polls, count(*) FILTER (available)::INTEGER AS polls_available,
        count(DISTINCT observed_at::DATE)::INTEGER AS days,
        count(DISTINCT observed_at::DATE) FILTER (available)::INTEGER AS days_available,
        max(observed_at) AS last_poll_at, max(observed_at) FILTER (available) AS last_available_at,
        CASE WHEN arg_max(available, observed_at) THEN 'available' WHEN arg_max(listed, observed_at) THEN 'unavailable'
            ELSE 'not_listed' END AS current_state,
        arg_max(offers_available, observed_at)::INTEGER AS offers_available
    FROM windowed GROUP BY ALL
)
SELECT n.provider, n.instance_type, n.accelerator_id, n.candidates, n.family, n.gpu_count, n.partition, n.region, n.country,
    n.price_kind, n.crawler, n.source, c.window_days, c.polls, c.polls_available, c.polls_available / c.polls AS share,
    c.days, c.days_available, c.last_poll_at, c.last_available_at, c.current_state, c.offers_available, l.streak_polls,
    l.streak_since, epoch(c.last_poll_at - l.streak_since) / 3600 AS streak_hours, l.longest_available_hours,
    l.longest_unavailable_hours
FROM counted AS c JOIN longest AS l USING (shape_no, window_days) JOIN shapes AS n USING (shape_no)
ORDER BY n.accelerator_id, n.provider, n.instance_type, n.gpu_count, n.region, n.price_kind, n.source, c.window_days

-- All spans of the crawlers in this_run (whose runs they are, whatever cloud they describe), from every sighting in accepted runs. A span is a stretch of
-- accepted sightings at one price and availability. It ends with the next accepted sighting that differs, or,
-- where three good whole runs in a row (for a bundled row: one) did not list the offer, at the first of those.
-- A sighting whose row was held lists the offer without saying anything else of it.
CREATE OR REPLACE TEMP TABLE seen AS
WITH stretches AS (
    SELECT g.run_no, g.state_no, g.sound, g.listed, s.offer_id, s.crawler, s.source, s.currency, s.price_per_hour,
        s.available, lead(g.run_no) OVER (PARTITION BY g.state_no ORDER BY g.run_no) AS until_no
    FROM raw_listings AS g JOIN raw_states AS s USING (state_no)
    WHERE s.crawler IN (SELECT provider FROM this_run)
),
listing AS (
    SELECT r.run_no, r.provider AS crawler, r.observed_at AS moment, r.origin = 'bundled' AS bundled FROM runs AS r
    WHERE r.state IN ('good', 'partial') AND r.provider IN (SELECT provider FROM this_run)
        AND r.run_no IN (SELECT run_no FROM raw_bodies)
),
decided AS (
    SELECT run_no, state_no, arg_max(accepted, decided_at) AS accepted FROM raw_decisions GROUP BY run_no, state_no
),
sightings AS (
    SELECT t.*, l.run_no AS seen_no, l.moment, l.bundled, coalesce(d.accepted, t.sound AND c.run_no IS NULL) AS accepted
    FROM stretches AS t
    JOIN listing AS l ON l.crawler = t.crawler AND l.run_no >= t.run_no AND (t.until_no IS NULL OR l.run_no < t.until_no)
    LEFT JOIN run_sources AS c ON c.run_no = l.run_no AND c.source = t.source AND c.state IN ('held', 'failed')
    LEFT JOIN decided AS d ON d.run_no = l.run_no AND d.state_no = t.state_no
    WHERE t.listed
),
listed AS (
    SELECT offer_id, crawler, source, moment, seen_no AS run_no, bundled,
        CASE WHEN bundled THEN '*' ELSE source END AS cover, currency, accepted,
        CASE WHEN accepted THEN {'price': price_per_hour, 'available': available, 'state_no': state_no} END AS said
    FROM sightings
    QUALIFY row_number() OVER (PARTITION BY offer_id, moment ORDER BY accepted DESC, seen_no DESC, state_no) = 1
)
SELECT * EXCLUDE (said), said.price AS price_per_hour, said.available AS available, said.state_no AS state_no
FROM (SELECT * REPLACE (last_value(said IGNORE NULLS) OVER (PARTITION BY offer_id ORDER BY moment
    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS said) FROM listed)
WHERE said IS NOT NULL;

-- How many covering runs lie at or before, and strictly before, each moment at which something was seen.
CREATE OR REPLACE TEMP TABLE marks AS
SELECT m.crawler, m.cover, m.moment, coalesce(a.ordinal, 0) AS upto, coalesce(b.ordinal, 0) AS before
FROM (
    SELECT t.crawler, k.cover, t.moment
    FROM (SELECT DISTINCT crawler, moment FROM seen) AS t
    JOIN (SELECT DISTINCT crawler, cover FROM seen) AS k USING (crawler)
) AS m
ASOF LEFT JOIN coverage AS a ON a.provider = m.crawler AND a.source = m.cover AND m.moment >= a.observed_at
ASOF LEFT JOIN coverage AS b ON b.provider = m.crawler AND b.source = m.cover AND m.moment > b.observed_at;

CREATE OR REPLACE TEMP TABLE rebuilt AS
WITH ordered AS (
    SELECT *, lag(moment) OVER w AS prior_at, lag(cover) OVER w AS prior_cover, lag(bundled) OVER w AS prior_bundled,
        lag(price_per_hour) OVER w AS prior_price, lag(available) OVER w AS prior_available
    FROM seen WINDOW w AS (PARTITION BY offer_id ORDER BY moment)
),
flagged AS (
    SELECT o.*, (o.prior_at IS NULL OR o.price_per_hour <> o.prior_price
        OR o.available IS DISTINCT FROM o.prior_available
        OR n.before - p.upto >= CASE WHEN o.prior_bundled THEN 1 ELSE 3 END)::INTEGER AS starts
    FROM ordered AS o
    LEFT JOIN marks AS p ON p.crawler = o.crawler AND p.cover = o.prior_cover AND p.moment = o.prior_at
    LEFT JOIN marks AS n ON n.crawler = o.crawler AND n.cover = o.prior_cover AND n.moment = o.moment
),
numbered AS (SELECT *, sum(starts) OVER (PARTITION BY offer_id ORDER BY moment) AS span_no FROM flagged),
grouped AS (
    SELECT offer_id, span_no, any_value(crawler) AS crawler, any_value(source) AS source,
        min(moment) FILTER (accepted) AS valid_from, max(moment) FILTER (accepted) AS last_seen, max(moment) AS last_listed, any_value(price_per_hour) AS price_per_hour, any_value(currency) AS currency,
        any_value(available) AS available, arg_max(state_no, moment) AS state_no, arg_min(run_no, moment) FILTER (accepted) AS run_no,
        arg_max(run_no, moment) FILTER (accepted) AS last_run_no,
        arg_max(bundled, moment) AS bundled,
        arg_max(cover, moment) AS cover
    FROM numbered GROUP BY offer_id, span_no HAVING bool_or(accepted)
),
chained AS (
    SELECT g.*, lead(valid_from) OVER (PARTITION BY offer_id ORDER BY span_no) AS next_from, m.upto
    FROM grouped AS g LEFT JOIN marks AS m ON m.crawler = g.crawler AND m.cover = g.cover AND m.moment = g.last_listed
)
SELECT c.*, gone.observed_at AS gone_at, sure.observed_at AS sure_at,
    sure.observed_at IS NOT NULL AND (c.next_from IS NULL OR sure.observed_at < c.next_from) AS is_gone
FROM chained AS c
LEFT JOIN coverage AS gone ON gone.provider = c.crawler AND gone.source = c.cover AND gone.ordinal = c.upto + 1
LEFT JOIN coverage AS sure ON sure.provider = c.crawler AND sure.source = c.cover
    AND sure.ordinal = c.upto + CASE WHEN c.bundled THEN 1 ELSE 3 END;

CREATE OR REPLACE TEMP TABLE derived AS
SELECT offer_id, crawler, source, valid_from, CASE WHEN is_gone THEN gone_at ELSE next_from END AS valid_to,
    last_seen, last_listed, CASE WHEN is_gone THEN CASE WHEN bundled THEN 'superseded' ELSE 'withdrawn' END
        WHEN next_from IS NOT NULL THEN 'price' END AS closed_by,
    CASE WHEN is_gone THEN sure_at ELSE next_from END AS closed_at,
    price_per_hour, currency, available, state_no, run_no, last_run_no, bundled
FROM rebuilt;

-- Two times: a span that stands as before keeps when it was learnt; one that was open and now has an end learns
-- that end; all others are unlearnt (and kept for --as-of), and what takes their place is learnt now.
CREATE OR REPLACE TEMP TABLE standing AS
SELECT s.offer_id, s.valid_from, s.learnt_at,
    CASE WHEN s.valid_to IS NOT NULL THEN s.end_learnt_at WHEN d.valid_to IS NOT NULL THEN $learnt_at::TIMESTAMPTZ END
        AS end_learnt_at
FROM core_spans AS s JOIN derived AS d ON d.offer_id = s.offer_id AND d.valid_from = s.valid_from
WHERE s.crawler IN (SELECT provider FROM this_run) AND d.run_no = s.run_no AND d.price_per_hour = s.price_per_hour
    AND d.available IS NOT DISTINCT FROM s.available AND (s.valid_to IS NULL OR (d.valid_to = s.valid_to
    AND d.closed_by = s.closed_by AND d.closed_at = s.closed_at));

INSERT INTO core_past_spans BY NAME
SELECT s.*, $learnt_at::TIMESTAMPTZ AS unlearnt_at FROM core_spans AS s
WHERE s.crawler IN (SELECT provider FROM this_run) AND s.learnt_at < $learnt_at::TIMESTAMPTZ
    AND NOT EXISTS (FROM standing AS k WHERE k.offer_id = s.offer_id AND k.valid_from = s.valid_from);

DELETE FROM core_spans WHERE crawler IN (SELECT provider FROM this_run);

INSERT INTO core_spans BY NAME
SELECT d.*, coalesce(k.learnt_at, CASE WHEN d.bundled THEN d.valid_from ELSE $learnt_at::TIMESTAMPTZ END) AS learnt_at,
    coalesce(k.end_learnt_at, CASE WHEN d.valid_to IS NOT NULL THEN $learnt_at::TIMESTAMPTZ END) AS end_learnt_at
FROM derived AS d LEFT JOIN standing AS k ON k.offer_id = d.offer_id AND k.valid_from = d.valid_from
ORDER BY d.offer_id, d.valid_from;

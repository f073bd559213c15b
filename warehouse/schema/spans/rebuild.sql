-- All spans of the crawlers in this_run (whose runs they are, whatever cloud they describe), from every sighting in accepted runs. A span is a stretch of
-- accepted sightings at one price and availability. It ends with the next accepted sighting that differs, or,
-- where three good whole runs in a row (for a bundled row: one) did not list the offer, at the first of those.
-- A sighting whose row was held lists the offer without saying anything else of it.
CREATE OR REPLACE TEMP TABLE seen AS
WITH listed AS (
    SELECT s.offer_id, s.crawler, s.source, r.observed_at AS moment, r.run_no, r.origin = 'bundled' AS bundled,
        CASE WHEN r.origin = 'bundled' THEN '*' ELSE s.source END AS cover, s.currency, g.accepted,
        CASE WHEN g.accepted THEN {'price': s.price_per_hour, 'available': s.available, 'state_no': g.state_no} END AS said
    FROM raw_sightings AS g
    JOIN raw_states AS s USING (state_no)
    JOIN runs AS r ON r.run_no = g.run_no AND r.state IN ('good', 'partial')
    WHERE s.crawler IN (SELECT provider FROM this_run)
    QUALIFY row_number() OVER (PARTITION BY s.offer_id, r.observed_at
        ORDER BY g.accepted DESC, r.run_no DESC, g.state_no) = 1
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

DELETE FROM core_spans WHERE crawler IN (SELECT provider FROM this_run);

INSERT INTO core_spans BY NAME
SELECT offer_id, crawler, source, valid_from, CASE WHEN is_gone THEN gone_at ELSE next_from END AS valid_to,
    last_seen, last_listed, CASE WHEN is_gone THEN CASE WHEN bundled THEN 'superseded' ELSE 'withdrawn' END
        WHEN next_from IS NOT NULL THEN 'price' END AS closed_by,
    CASE WHEN is_gone THEN sure_at ELSE next_from END AS closed_at,
    price_per_hour, currency, available, state_no, run_no, last_run_no, bundled
FROM rebuilt ORDER BY offer_id, valid_from;

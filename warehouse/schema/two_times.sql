-- Two times on every fact, and sightings as differences from run to run.
ALTER TABLE runs ADD COLUMN learnt_at TIMESTAMPTZ;
ALTER TABLE runs ADD COLUMN revision INTEGER;
ALTER TABLE runs ADD COLUMN revises VARCHAR;
ALTER TABLE runs ADD COLUMN superseded_at TIMESTAMPTZ;
ALTER TABLE runs ADD COLUMN superseded_state VARCHAR;
UPDATE runs SET learnt_at = CASE WHEN origin = 'bundled' THEN observed_at ELSE loaded_at END, revision = 1;

ALTER TABLE raw_offers ADD COLUMN learnt_at TIMESTAMPTZ;
UPDATE raw_offers SET learnt_at = (SELECT r.learnt_at FROM runs AS r WHERE r.run_no = first_run_no);
ALTER TABLE core_offers ADD COLUMN learnt_at TIMESTAMPTZ;
UPDATE core_offers AS c SET learnt_at = o.learnt_at FROM raw_offers AS o WHERE o.offer_id = c.offer_id;
ALTER TABLE core_spans ADD COLUMN learnt_at TIMESTAMPTZ;
ALTER TABLE core_spans ADD COLUMN end_learnt_at TIMESTAMPTZ;
UPDATE core_spans AS s SET learnt_at = r.learnt_at FROM runs AS r WHERE r.run_no = s.run_no;
UPDATE core_spans SET end_learnt_at = greatest(learnt_at, closed_at) WHERE valid_to IS NOT NULL;
UPDATE core_spans AS s SET end_learnt_at = greatest(s.learnt_at, r.learnt_at)
FROM (SELECT provider, observed_at, min(learnt_at) AS learnt_at FROM runs GROUP BY ALL) AS r
WHERE s.valid_to IS NOT NULL AND r.provider = s.crawler AND r.observed_at = s.closed_at;
ALTER TABLE core_price_days ADD COLUMN learnt_at TIMESTAMPTZ;
UPDATE core_price_days SET learnt_at = (day + 1)::TIMESTAMPTZ;

CREATE TABLE raw_places AS
SELECT row_number() OVER (ORDER BY crawler, source_url, ordinal)::INTEGER AS place_no, crawler, source_url, ordinal
FROM (SELECT DISTINCT r.provider AS crawler, b.source_url,
        row_number() OVER (PARTITION BY b.run_no, b.source_url ORDER BY b.body_no)::INTEGER AS ordinal
    FROM raw_bodies AS b JOIN runs AS r USING (run_no));

CREATE TABLE placed_bodies AS
SELECT n.body_no, n.run_no, p.place_no, n.body_sha256
FROM (SELECT b.*, r.provider AS crawler,
        row_number() OVER (PARTITION BY b.run_no, b.source_url ORDER BY b.body_no)::INTEGER AS ordinal
    FROM raw_bodies AS b JOIN runs AS r USING (run_no)) AS n
JOIN raw_places AS p ON p.crawler = n.crawler AND p.ordinal = n.ordinal AND p.source_url IS NOT DISTINCT FROM n.source_url;

CREATE TABLE raw_listings AS
WITH listing AS (
    SELECT run_no, crawler, row_number() OVER (PARTITION BY crawler ORDER BY run_no) AS turn,
        count(*) OVER (PARTITION BY crawler) AS turns
    FROM (SELECT DISTINCT b.run_no, r.provider AS crawler FROM raw_bodies AS b JOIN runs AS r USING (run_no))
),
said AS (
    SELECT l.crawler, l.turn, l.turns, g.state_no, b.place_no, g.accepted AS sound
    FROM raw_sightings AS g JOIN listing AS l USING (run_no) JOIN placed_bodies AS b USING (body_no)
),
marked AS (
    SELECT *, lag(turn) OVER w AS prior, lag(place_no) OVER w AS prior_place, lag(sound) OVER w AS prior_sound,
        coalesce(lead(turn) OVER w, -1) AS next_turn
    FROM said WINDOW w AS (PARTITION BY state_no ORDER BY turn)
)
SELECT l.run_no, m.state_no, m.place_no, m.sound, true AS listed
FROM marked AS m JOIN listing AS l ON l.crawler = m.crawler AND l.turn = m.turn
WHERE m.prior IS DISTINCT FROM m.turn - 1 OR m.place_no <> m.prior_place OR m.sound <> m.prior_sound
UNION ALL
SELECT l.run_no, m.state_no, m.place_no, m.sound, false
FROM marked AS m JOIN listing AS l ON l.crawler = m.crawler AND l.turn = m.turn + 1 WHERE m.next_turn <> m.turn + 1
ORDER BY ALL;

DROP TABLE raw_sightings;
DROP TABLE raw_bodies;
CREATE TABLE raw_bodies AS SELECT run_no, place_no, body_sha256 FROM placed_bodies ORDER BY run_no, place_no;
DROP TABLE placed_bodies;

CREATE TABLE core_listed AS
SELECT s.crawler, g.state_no, g.place_no, g.sound
FROM raw_listings AS g JOIN raw_states AS s USING (state_no)
QUALIFY row_number() OVER (PARTITION BY g.state_no ORDER BY g.run_no DESC) = 1 AND g.listed;
CREATE TABLE raw_decisions (run_no INTEGER, state_no INTEGER, accepted BOOLEAN, decided_at TIMESTAMPTZ);
CREATE TABLE raw_stock (run_no INTEGER, offer_id UBIGINT, available_count BIGINT);

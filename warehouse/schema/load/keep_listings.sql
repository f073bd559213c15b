-- What this run lists, and of that only what differs from the crawler's run loaded before it.
CREATE OR REPLACE TEMP TABLE sighted AS
SELECT n.run_no, n.state_no, b.place_no, n.accepted, n.sound, n.offer_id, n.source, n.crawler, n.currency, n.available,
    n.price_per_hour
FROM stating AS n
JOIN answers AS b ON b.run_no = n.run_no AND b.source_url IS NOT DISTINCT FROM n.source_url
    AND b.body_sha256 IS NOT DISTINCT FROM n.body_sha256;

-- Turn 0 is what was listed before; the staged runs of a crawler follow in their order.
CREATE OR REPLACE TEMP TABLE turns AS
SELECT run_no, crawler, row_number() OVER (PARTITION BY crawler ORDER BY run_no)::INTEGER AS turn,
    count(*) OVER (PARTITION BY crawler)::INTEGER AS turns
FROM (SELECT DISTINCT run_no, crawler FROM answers);

CREATE OR REPLACE TEMP TABLE said AS
SELECT crawler, state_no, place_no, sound, 0 AS turn FROM core_listed WHERE crawler IN (SELECT crawler FROM turns)
UNION ALL
SELECT s.crawler, s.state_no, s.place_no, s.sound, t.turn FROM sighted AS s JOIN turns AS t USING (run_no);

CREATE OR REPLACE TEMP TABLE steps AS
WITH marked AS (
    SELECT *, lag(turn) OVER w AS prior, lag(place_no) OVER w AS prior_place, lag(sound) OVER w AS prior_sound,
        coalesce(lead(turn) OVER w, -1) AS next_turn
    FROM said WINDOW w AS (PARTITION BY state_no ORDER BY turn)
)
SELECT t.run_no, m.state_no, m.place_no, m.sound, true AS listed
FROM marked AS m JOIN turns AS t ON t.crawler = m.crawler AND t.turn = m.turn
WHERE m.turn > 0 AND (m.prior IS DISTINCT FROM m.turn - 1 OR m.place_no <> m.prior_place OR m.sound <> m.prior_sound)
UNION ALL
SELECT t.run_no, m.state_no, m.place_no, m.sound, false
FROM marked AS m JOIN turns AS t ON t.crawler = m.crawler AND t.turn = m.turn + 1
WHERE m.next_turn <> m.turn + 1;

INSERT INTO raw_listings SELECT run_no, state_no, place_no, sound, listed FROM steps ORDER BY run_no, state_no;

DELETE FROM core_listed WHERE state_no IN (SELECT state_no FROM steps);

INSERT INTO core_listed
SELECT m.crawler, m.state_no, m.place_no, m.sound FROM said AS m
JOIN turns AS t ON t.crawler = m.crawler AND t.turn = m.turn AND t.turn = t.turns
WHERE m.state_no IN (SELECT state_no FROM steps) ORDER BY m.state_no;

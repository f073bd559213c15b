-- Every row with its verdict, as a view over `cleaned`: only the exceptions are stored. Rows of sources that are
-- not to be trusted, or of a held run, wait. is_repeat: the same offer at the same price said before in this
-- run; kept out of every count. is_later: not the row that speaks for its offer.
CREATE OR REPLACE TEMP TABLE acceptance AS
SELECT $accepts::BOOLEAN AS accepts, $untrusted::VARCHAR[] AS untrusted;

CREATE OR REPLACE TEMP TABLE exceptions AS
SELECT row_no, CASE WHEN bool_or(level = 'R') THEN 'rejected' ELSE 'held' END AS status,
    string_agg(rule, '+' ORDER BY rule) AS rule, string_agg(rule || ': ' || evidence, '; ' ORDER BY rule) AS evidence
FROM findings WHERE row_no IS NOT NULL AND level IN ('R', 'Q') GROUP BY row_no;

INSERT INTO exceptions
SELECT c.row_no, 'held', 'R7', 'R7: ' || g.evidence
FROM cleaned AS c CROSS JOIN (SELECT evidence FROM findings WHERE level = 'N' LIMIT 1) AS g
WHERE NOT EXISTS (FROM previous AS p WHERE p.offer_id = c.offer_id)
    AND NOT EXISTS (FROM exceptions AS e WHERE e.row_no = c.row_no);

CREATE OR REPLACE TEMP TABLE repeats AS
WITH several AS (
    SELECT c.row_no, c.run_no, c.offer_id, c.price_per_hour, c.available, c.run_observed_at,
        coalesce(e.status, 'accepted') AS status
    FROM cleaned AS c LEFT JOIN exceptions AS e USING (row_no)
    WHERE NOT coalesce(c.no_gpu, false)
        AND c.offer_id IN (SELECT offer_id FROM cleaned GROUP BY offer_id HAVING count(*) > 1)
)
SELECT row_no,
    status <> 'rejected' AND row_number() OVER (PARTITION BY run_no, offer_id, status = 'rejected', price_per_hour
        ORDER BY status, available DESC NULLS LAST, row_no) > 1 AS is_repeat,
    row_number() OVER (PARTITION BY offer_id, status = 'rejected'
        ORDER BY run_observed_at DESC, status, available DESC NULLS LAST, row_no) > 1 AS is_later
FROM several;

CREATE OR REPLACE TEMP VIEW verdicts AS
SELECT c.*, coalesce(e.status, CASE WHEN NOT a.accepts OR list_contains(a.untrusted, c.source) THEN 'waiting'
    ELSE 'accepted' END) AS status, e.rule, e.evidence, coalesce(r.is_repeat, false) AS is_repeat,
    coalesce(r.is_later, false) AS is_later
FROM cleaned AS c CROSS JOIN acceptance AS a
LEFT JOIN exceptions AS e ON e.row_no = c.row_no
LEFT JOIN repeats AS r ON r.row_no = c.row_no
WHERE NOT coalesce(c.no_gpu, false);

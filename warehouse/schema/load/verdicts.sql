-- Every row with its verdict, as a view over `cleaned`: only the exceptions are stored. Rows of sources that are
-- not to be trusted, or of a held run, wait. is_repeat: the same offer at the same price said before in this
-- run; kept out of every count. is_later: not the row that speaks for its offer.
-- needs: how many earlier runs must have said the same before a held row counts; 1000: a person has to say so.
CREATE OR REPLACE TEMP TABLE exceptions AS
SELECT row_no, CASE WHEN bool_or(is_refused) THEN 'rejected' ELSE 'held' END AS status,
    string_agg(rule, '+' ORDER BY place) AS rule, string_agg(rule || ': ' || evidence, '; ' ORDER BY place) AS evidence,
    max(needs) AS needs
FROM (
    SELECT row_no, rule, substr(rule, 2)::INTEGER AS place, bool_or(level = 'R') AS is_refused,
        string_agg(evidence, '; ') AS evidence, max(CASE level WHEN 'Q1' THEN 1 WHEN 'Q2' THEN 2 ELSE 1000 END) AS needs
    FROM findings WHERE row_no IS NOT NULL AND level IN ('R', 'Q', 'Q1', 'Q2') GROUP BY row_no, rule
) GROUP BY row_no;

INSERT INTO exceptions
SELECT c.row_no, 'held', 'R7', 'R7: ' || g.evidence, 1
FROM cleaned AS c JOIN (SELECT run_no, any_value(evidence) AS evidence FROM findings WHERE level = 'N' GROUP BY run_no) AS g
    USING (run_no)
WHERE NOT EXISTS (FROM previous AS p WHERE p.offer_id = c.offer_id)
    AND NOT EXISTS (FROM exceptions AS e WHERE e.row_no = c.row_no);

-- A held row is released where earlier runs said the same. The same: within 1 % for a list price, which repeats
-- itself; within 1.25x for spot and marketplaces, which move every day. R5 and R6 also where another source of the run
-- asks the same price, within 2 %.
CREATE OR REPLACE TEMP TABLE suspicious AS
SELECT e.row_no, e.rule, e.needs, c.run_no, c.offer_id, c.provider, c.source, c.price_kind, c.price_per_hour::DOUBLE AS price,
    c.price_usd_per_gpu_hour AS usd, c.candidates, c.gpu_count, c.region, c.term_months, c.price_raw, c.price_unit,
    c.run_observed_at, CASE WHEN c.kind = 'marketplace' OR c.price_kind = 'spot' THEN ln(1.25) ELSE ln(1.01) END AS slack
FROM exceptions AS e JOIN cleaned AS c USING (row_no) WHERE e.status = 'held';

CREATE OR REPLACE TEMP TABLE releases AS
SELECT s.row_no, s.offer_id, s.price, s.slack, format('seen again: {} earlier runs said the same', sum(q.confirmations + 1)) AS why
FROM suspicious AS s JOIN quarantine AS q ON q.offer_id = s.offer_id AND q.status = 'held' AND q.level <> 'B'
    AND q.last_seen < s.run_observed_at AND q.price_per_hour > 0 AND s.price > 0
    AND abs(ln(s.price / q.price_per_hour)) <= s.slack
WHERE s.needs < 1000
GROUP BY s.row_no, s.offer_id, s.price, s.slack, s.needs HAVING sum(q.confirmations + 1) >= s.needs;

INSERT INTO releases
SELECT s.row_no, s.offer_id, s.price, s.slack, format('a second source says the same: {}', any_value(o.source))
FROM suspicious AS s JOIN cleaned AS o ON o.run_no = s.run_no AND o.provider = s.provider AND o.source <> s.source
    AND o.candidates = s.candidates AND o.gpu_count = s.gpu_count AND o.price_kind = s.price_kind
    AND o.region IS NOT DISTINCT FROM s.region AND o.term_months IS NOT DISTINCT FROM s.term_months
    AND o.price_usd_per_gpu_hour BETWEEN s.usd / 1.02 AND s.usd * 1.02
WHERE regexp_full_match(s.rule, 'R[56](\+R6)?') AND NOT EXISTS (FROM exceptions AS e WHERE e.row_no = o.row_no)
    AND NOT EXISTS (FROM releases AS r WHERE r.row_no = s.row_no)
GROUP BY s.row_no, s.offer_id, s.price, s.slack;

-- What a person decided on this price of this offer holds from then on; what cannot be true stays out all the same.
CREATE OR REPLACE TEMP TABLE decided AS
SELECT c.row_no, arg_max(a.action, a.decided_at) AS action, arg_max(a.note, a.decided_at) AS note, max(a.decided_at) AS decided_at
FROM quarantine_audit AS a JOIN cleaned AS c ON c.offer_id = a.offer_id AND c.price_raw IS NOT DISTINCT FROM a.price_raw
    AND c.price_unit IS NOT DISTINCT FROM a.price_unit
WHERE a.action IN ('release', 'reject') GROUP BY c.row_no;

DELETE FROM releases WHERE row_no IN (SELECT row_no FROM decided);

DELETE FROM exceptions WHERE row_no IN (SELECT row_no FROM releases);

DELETE FROM exceptions WHERE status = 'held' AND row_no IN (
    SELECT d.row_no FROM decided AS d JOIN cleaned AS c USING (row_no)
    WHERE d.action = 'release' AND len(c.candidates) > 0 AND c.price_usd_per_gpu_hour > 0);

DELETE FROM exceptions WHERE status = 'held' AND row_no IN (SELECT row_no FROM decided WHERE action = 'reject');

INSERT INTO exceptions
SELECT row_no, 'held', 'hand', format('rejected by hand on {}: {}', strftime(decided_at, '%Y-%m-%d'), note), 1000
FROM decided WHERE action = 'reject' AND row_no NOT IN (SELECT row_no FROM exceptions);

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
FROM cleaned AS c JOIN acceptance AS a USING (run_no)
LEFT JOIN exceptions AS e ON e.row_no = c.row_no
LEFT JOIN repeats AS r ON r.row_no = c.row_no
WHERE NOT coalesce(c.no_gpu, false);

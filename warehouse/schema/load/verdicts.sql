-- Every row with its verdict. Rows of sources that are not to be trusted, or of a held run, wait as well.
-- is_repeat: the same offer at the same price said before in this run; kept out of every count.
CREATE OR REPLACE TEMP TABLE verdicts AS
WITH worst AS (
    SELECT row_no, bool_or(level = 'R') AS rejected, string_agg(rule || ': ' || evidence, '; ' ORDER BY rule) AS evidence,
        string_agg(rule, '+' ORDER BY rule) AS rules
    FROM findings WHERE row_no IS NOT NULL AND level IN ('R', 'Q') GROUP BY row_no
),
grown AS (SELECT any_value(evidence) AS evidence FROM findings WHERE level = 'N'),
judged AS (
    SELECT c.*, w.rules, w.evidence AS finding,
        CASE WHEN w.rejected THEN 'rejected' WHEN w.rules IS NOT NULL THEN 'held'
            WHEN g.evidence IS NOT NULL AND NOT EXISTS (FROM previous AS p WHERE p.offer_id = c.offer_id) THEN 'held'
            WHEN NOT $accepts OR list_contains($untrusted::VARCHAR[], c.source) THEN 'waiting'
            ELSE 'accepted' END AS status,
        CASE WHEN w.rules IS NULL AND g.evidence IS NOT NULL THEN g.evidence END AS grown
    FROM cleaned AS c LEFT JOIN worst AS w USING (row_no) CROSS JOIN grown AS g
    WHERE NOT coalesce(c.no_gpu, false)
)
SELECT * EXCLUDE (rules, finding, grown),
    CASE WHEN status = 'held' THEN coalesce(rules, 'R7') WHEN status = 'rejected' THEN rules END AS rule,
    CASE WHEN status = 'held' THEN coalesce(finding, 'R7: ' || grown) ELSE finding END AS evidence,
    status <> 'rejected' AND row_number() OVER (PARTITION BY run_no, offer_id, status = 'rejected', price_per_hour
        ORDER BY status, available DESC NULLS LAST, row_no) > 1 AS is_repeat
FROM judged;

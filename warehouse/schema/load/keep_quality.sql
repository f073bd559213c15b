-- What the checks keep of each run: its bodies, how many rows had each field (good whole runs), what they found.
INSERT INTO run_bodies SELECT run_no, provider, bodies, body_bytes, body_digest FROM this_run WHERE bodies > 0;

INSERT INTO run_fields
SELECT f.run_no, r.provider, f.field, f.share
FROM field_shares AS f JOIN this_run AS r USING (run_no) JOIN acceptance AS a USING (run_no)
WHERE a.accepts AND r.counts_rows;

INSERT INTO run_findings
SELECT f.run_no, r.provider, f.rule, CASE WHEN f.level IN ('Q1', 'Q2', 'N') THEN 'Q' ELSE f.level END AS level, count(*),
    substr(min(f.evidence), 1, 300)
FROM findings AS f JOIN this_run AS r USING (run_no) GROUP BY f.run_no, r.provider, f.rule, 4;

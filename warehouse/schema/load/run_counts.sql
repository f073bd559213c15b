-- How many offers each accepted run had, in all ('') and per accelerator: what R7 compares the next runs with.
INSERT INTO run_counts
SELECT run_no, run_provider, coalesce(accelerator_id, ''), count(DISTINCT offer_id)
FROM verdicts JOIN acceptance USING (run_no) WHERE status <> 'rejected' AND accepts
GROUP BY GROUPING SETS ((run_no, run_provider), (run_no, run_provider, accelerator_id))
HAVING grouping(accelerator_id) = 1 OR accelerator_id IS NOT NULL;

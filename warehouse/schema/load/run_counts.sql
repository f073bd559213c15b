-- How many offers the run had, in all ('') and per accelerator: what R7 compares the next runs with.
INSERT INTO run_counts
SELECT $run_no, $provider, coalesce(accelerator_id, ''), count(DISTINCT offer_id)
FROM verdicts WHERE status <> 'rejected' GROUP BY GROUPING SETS ((), (accelerator_id))
HAVING grouping(accelerator_id) = 1 OR accelerator_id IS NOT NULL;

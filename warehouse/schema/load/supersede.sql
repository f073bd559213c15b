-- A new parse of a run that is accepted takes the place of the earlier ones; they stay, with their former state.
UPDATE quarantine SET status = 'superseded'
WHERE provider = $provider AND status = 'held' AND run_id IN (
    SELECT run_id FROM runs WHERE provider = $provider AND (run_id = $revises OR revises = $revises) AND run_no <> $run_no);

UPDATE runs SET superseded_at = $now, superseded_state = state, state = 'superseded'
WHERE provider = $provider AND (run_id = $revises OR revises = $revises) AND run_no <> $run_no AND state <> 'superseded';

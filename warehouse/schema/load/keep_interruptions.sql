-- The newest run that speaks of an offer says its band, or that there is none any more.
DELETE FROM raw_interruptions WHERE $newest AND offer_id IN (SELECT offer_id FROM stated);

INSERT INTO raw_interruptions
SELECT v.offer_id, v.interruption_rate_low, v.interruption_rate_high, v.run_observed_at
FROM cleaned AS v JOIN stated AS s USING (row_no)
WHERE v.interruption_rate_low IS NOT NULL AND NOT EXISTS (FROM raw_interruptions AS k WHERE k.offer_id = v.offer_id);

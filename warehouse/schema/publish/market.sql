-- The published copy. Every statement writes into the attached database `market`; readers rely on the columns
-- that docs/architecture.md lists. newest_list_at and newest_fast_at (of the same accelerator and price kind)
-- are for the one question "does something fresher answer this?".
CREATE OR REPLACE TEMP TABLE fx_needed AS
SELECT DISTINCT currency, last_seen::DATE AS day FROM core_spans WHERE currency <> 'USD'
UNION SELECT DISTINCT currency, valid_from::DATE FROM core_spans WHERE currency <> 'USD'
UNION SELECT 'USD', DATE '2000-01-01';

-- Each offer's last accepted price before this run.
CREATE OR REPLACE TEMP TABLE previous AS
SELECT s.offer_id, arg_max(s.price_per_hour, s.valid_from) AS price_per_hour
FROM core_spans AS s JOIN this_run AS r ON s.crawler = r.provider AND s.valid_from < r.observed_at
GROUP BY s.offer_id;

WITH days AS (SELECT unnest(generate_series(?::DATE, ?::DATE, INTERVAL 1 DAY))::DATE AS day),
said AS (
    SELECT DISTINCT k.family, k.provider, s.available, make_timestamp(epoch_us(s.valid_from))::DATE AS first,
           make_timestamp(epoch_us(s.last_seen))::DATE AS last
    FROM spans s JOIN offer_keys k USING (offer_id) JOIN runs r ON r.run_id = s.run_id
    WHERE s.available IS NOT NULL AND k.family IS NOT NULL AND r.origin <> 'bundled')
SELECT family, day, count(DISTINCT provider) AS asked, count(DISTINCT provider) FILTER (available) AS free
FROM days JOIN said ON said.first <= day AND said.last >= day
GROUP BY family, day ORDER BY family, day

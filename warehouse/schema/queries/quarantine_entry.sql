SELECT q.* REPLACE (q.offer_id::VARCHAR AS offer_id), s.price_per_hour AS market_price_per_hour, s.last_seen AS market_last_seen
FROM quarantine AS q LEFT JOIN spans AS s ON s.offer_id = q.offer_id AND s.valid_to IS NULL
WHERE q.id = $id

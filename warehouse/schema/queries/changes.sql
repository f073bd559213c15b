SELECT c.* REPLACE (c.offer_id::VARCHAR AS offer_id) FROM changes AS c
WHERE ($since::TIMESTAMPTZ IS NULL OR c.at >= $since) AND ($until::TIMESTAMPTZ IS NULL OR c.at <= $until)
ORDER BY c.at DESC, c.provider, c.offer_id LIMIT $limit

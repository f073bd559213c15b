SELECT * REPLACE (offer_id::VARCHAR AS offer_id) FROM quarantine
WHERE ($status::VARCHAR IS NULL OR status = $status)
    AND ($provider::VARCHAR[] IS NULL OR list_contains($provider, provider))
ORDER BY last_seen DESC, provider, id

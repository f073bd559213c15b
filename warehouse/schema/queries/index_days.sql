SELECT * FROM index_days
WHERE ($names::VARCHAR[] IS NULL OR list_contains($names, name))
    AND ($kinds::VARCHAR[] IS NULL OR list_contains($kinds, price_kind))
    AND ($since::DATE IS NULL OR day >= $since::DATE) AND ($until::DATE IS NULL OR day <= $until::DATE)
ORDER BY scope DESC, name, price_kind, day

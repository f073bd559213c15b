SELECT accelerator_id AS id FROM accelerators UNION SELECT accelerator_id FROM site_offers
UNION SELECT unnest(candidates) FROM site_offers UNION SELECT accelerator_id FROM changes ORDER BY 1

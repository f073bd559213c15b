WITH parts AS (
    SELECT unnest(list_distinct(CASE WHEN accelerator_id IS NULL THEN candidates
                                     ELSE list_append(candidates, accelerator_id) END)) AS owner, rowid AS row
    FROM site_offers WHERE shown),
{tail}

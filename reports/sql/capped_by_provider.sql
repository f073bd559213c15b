WITH parts AS (SELECT provider AS owner, rowid AS row FROM site_offers),
{tail}

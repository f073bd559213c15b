turns AS (
    SELECT owner, offers.*, count(*) OVER (PARTITION BY owner) AS total,
           row_number() OVER (PARTITION BY owner, price_kind ORDER BY {order}) AS turn
    FROM parts JOIN site_offers AS offers ON offers.rowid = parts.row
    WHERE owner IS NOT NULL),
chosen AS (
    SELECT *, row_number() OVER (PARTITION BY owner ORDER BY turn, {order}) AS place
    FROM turns WHERE turn <= {limit})
SELECT * EXCLUDE (turn, place) FROM chosen WHERE place <= {limit}
ORDER BY owner, {order}

WITH mine AS (SELECT *, row_number() OVER (PARTITION BY price_kind ORDER BY {order}) AS turn,
                     count(*) OVER () AS total FROM site_offers WHERE {where}),
     chosen AS (SELECT * FROM mine ORDER BY turn, {order} LIMIT {limit})
SELECT * FROM chosen ORDER BY {order}

WITH span AS (SELECT max(day) AS last FROM price_days),
weeks AS (SELECT last - (7 * unnest(range({weeks})))::INT AS week FROM span),
parts AS (SELECT {column} AS name, price_kind, provider, array_to_string(candidates, '|') AS part, week,
                 arg_max(median_usd_per_gpu_hour, day) AS price, arg_max(offers, day) AS offers,
                 min(min_usd_per_gpu_hour) AS low
          FROM weeks JOIN price_days ON day > week - {window_days} AND day <= week
          WHERE {column} IS NOT NULL AND median_usd_per_gpu_hour > 0
          GROUP BY ALL),
steps AS (SELECT *, CASE WHEN lag(week) OVER own = week - 7
                          AND greatest(offers, lag(offers) OVER own)
                              <= 1.5 * least(offers, lag(offers) OVER own)
                         THEN ln(price / lag(price) OVER own) END AS move
          FROM parts WINDOW own AS (PARTITION BY name, price_kind, provider, part ORDER BY week)),
sellers AS (SELECT name, price_kind, provider, week, avg(move) AS move, median(price) AS price,
                   min(low) AS low
            FROM steps GROUP BY ALL)
SELECT name, price_kind, week, round(avg(move), 10) AS move, count(move) AS matched, median(price) AS median,
       quantile_cont(price, 0.25) AS q25, quantile_cont(price, 0.75) AS q75, min(low) AS low,
       count(*) AS providers
FROM sellers GROUP BY ALL ORDER BY name, price_kind, week

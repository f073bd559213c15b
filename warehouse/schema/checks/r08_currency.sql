-- R8, the currency of a source: where all that it listed in the last 30 days (at least three offers) was in one
-- currency, an offer never seen before in another one is held for a person. A number whose currency sign was misread
-- has a key of its own, so that no comparison with its last price would find it.
WITH spoken AS (
    SELECT p.crawler, p.source, any_value(k.currency) AS currency, count(*) AS offers
    FROM previous AS p JOIN known_offers AS k ON k.offer_id = p.offer_id
    JOIN this_run AS r ON r.provider = p.crawler AND p.last_listed > r.observed_at - INTERVAL 30 DAY
    GROUP BY p.crawler, p.source HAVING count(DISTINCT k.currency) = 1 AND count(*) >= 3
)
SELECT c.row_no, 'R8' AS rule, 'Q' AS level,
    format('in {}, where all {} offers of {} are in {}', c.currency, s.offers, c.source, s.currency) AS evidence
FROM cleaned AS c JOIN spoken AS s ON s.crawler = c.run_provider AND s.source = c.source AND s.currency <> c.currency
WHERE NOT coalesce(c.no_gpu, false) AND c.offer_id NOT IN (SELECT offer_id FROM previous)

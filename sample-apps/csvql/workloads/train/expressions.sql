-- Prices after discounts, with labels.
SELECT id, price * quantity > 500 OR quantity >= 8 AND price > 40 AS large,
       item || '-' || id % 97 || ' (' || state || ')' AS label,
       quantity * 7 + customer - id / 3 AS score
FROM orders
WHERE price BETWEEN 30 AND 270 AND (quantity * 7 + customer) % 5 <> 0
  AND price * quantity * (1 - quantity / 50.0) > 90;
SELECT sum((status = 301) + (status NOT IN (200, 301)) * 10) AS badness,
       sum((ms - 100) * (ms - 100) / 1000.0) AS spread,
       max(page || ' ' || agent) AS last, sum(ms % 7 = 0 AND customer IS NOT NULL) AS sevens
FROM events;

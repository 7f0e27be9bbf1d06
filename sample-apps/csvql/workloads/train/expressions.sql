-- Prices after discounts, with labels.
SELECT id,
       CASE WHEN price * quantity > 500 THEN 'large'
            WHEN price * quantity > 100 THEN 'medium' ELSE 'small' END AS size,
       round(price * quantity * (1 - quantity / 50.0), 2) AS total,
       upper(substr(item, 1, 3)) || '-' || id % 97 AS label,
       coalesce(note, 'no ' || lower(state) || ' note') AS remark
FROM orders WHERE abs(price - 150) < 120 AND (quantity * 7 + customer) % 5 <> 0;
SELECT sum(CASE status WHEN 200 THEN 0 WHEN 301 THEN 1 ELSE 10 END) AS badness,
       sum((ms - 100) * (ms - 100) / 1000.0) AS spread,
       max(length(page || agent) + ms % 7) AS longest
FROM events;

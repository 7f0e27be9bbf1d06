-- What sells, and which pages are slow?
SELECT item, state, count(*) AS orders, sum(quantity) AS pieces, avg(price) AS mean, max(price)
FROM orders GROUP BY item, state;
SELECT page, count(*), count(DISTINCT customer) AS customers, avg(ms), max(ms)
FROM events GROUP BY page HAVING count(*) > 20 ORDER BY 2 DESC;
SELECT day, sum(price * quantity) AS value FROM orders
WHERE state IN ('shipped', 'paid') GROUP BY day ORDER BY value DESC, day LIMIT 30;

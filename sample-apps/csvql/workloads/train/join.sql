-- Who orders, who does not, and what did they look at?
SELECT c.city, c.name, o.item, o.price FROM orders o JOIN customers c ON c.id = o.customer
WHERE o.quantity > 2 ORDER BY o.price DESC, o.id LIMIT 50;
SELECT c.id, c.name FROM customers c LEFT JOIN orders o ON o.customer = c.id
WHERE o.id IS NULL ORDER BY c.id;
SELECT c.city, count(*) AS visits, sum(e.ms) FROM events e JOIN customers c ON e.customer = c.id
GROUP BY c.city ORDER BY visits DESC, c.city;
SELECT id, day, item FROM orders ORDER BY day LIMIT 20;

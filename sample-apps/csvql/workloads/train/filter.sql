-- Which requests were slow or failed?
SELECT id, page, ms FROM events WHERE ms > 600 AND agent LIKE '%linux%';
SELECT count(*) AS errors FROM events WHERE status IN (404, 500) AND page NOT LIKE '/item%';
SELECT id, time, agent FROM events
WHERE page LIKE '%h%' AND agent LIKE '%bot%' AND ms BETWEEN 20 AND 120 AND customer IS NULL;
SELECT id, item, note FROM orders
WHERE note LIKE 'gift for _a%' AND state <> 'lost' AND day BETWEEN '2024-03-01' AND '2024-09-30';

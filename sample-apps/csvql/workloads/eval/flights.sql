-- Departure boards and delays.
SELECT f.flight, f.day, a.name AS origin, b.name AS target, f.delay
FROM flights f JOIN airports a ON a.code = f.origin JOIN airports b ON b.code = f.target
WHERE f.delay > 60 AND a.runways >= 2 ORDER BY f.delay DESC, f.day, f.flight LIMIT 40;
SELECT a.name, count(f.flight) AS flights, avg(f.delay) AS delay, sum(f.delay > 15) AS late
FROM airports a LEFT JOIN flights f ON f.origin = a.code AND f.seats > 100
GROUP BY a.name ORDER BY delay DESC;
SELECT x.flight, x.day, y.day AS next FROM flights x JOIN flights y
ON y.flight = x.flight AND y.day > x.day AND y.origin = x.target
WHERE x.aircraft IN ('E190', 'AT76') ORDER BY x.flight, x.day, y.day;
SELECT day, flight, seats FROM flights ORDER BY seats DESC LIMIT 25;

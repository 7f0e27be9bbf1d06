-- Hourly figures per site, outliers, and the state of the batteries.
SELECT site, unit, tick / 50 AS hour, count(value) AS n, avg(value) AS mean,
       min(value) AS low, max(value) AS high
FROM sensors WHERE flag = 1 GROUP BY site, unit, hour HAVING n >= 5;
SELECT device, count(*) AS outliers, max((value - 200) * (value - 200) / 400) AS square
FROM sensors WHERE unit = 'lux' AND (value > 290 OR value < 105 OR value IS NULL)
GROUP BY device;
SELECT device, min(battery) AS lowest,
       (min(battery) < 3.0) + (avg(battery) < 3.5) AS warnings
FROM sensors GROUP BY device ORDER BY lowest, device;

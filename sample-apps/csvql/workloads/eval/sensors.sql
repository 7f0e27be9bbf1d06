-- Hourly figures per site, outliers, and the state of the batteries.
SELECT site, unit, tick / 50 AS hour, count(value) AS n, avg(value) AS mean,
       min(value) AS low, max(value) AS high
FROM sensors WHERE flag = 1 GROUP BY site, unit, hour HAVING n >= 5;
SELECT tick, device, round((value - 200) * (value - 200) / 400, 3) AS square
FROM sensors WHERE unit = 'lux' AND (value > 290 OR value < 105 OR value IS NULL);
SELECT device, min(battery) AS lowest,
       CASE WHEN min(battery) < 3.0 THEN 'replace' WHEN avg(battery) < 3.5 THEN 'watch'
            ELSE 'good' END AS verdict
FROM sensors GROUP BY device ORDER BY lowest, device;

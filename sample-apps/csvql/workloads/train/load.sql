SELECT count(*), max(note), sum(quantity) FROM orders;
SELECT count(*), max(time) - min(time) FROM events;

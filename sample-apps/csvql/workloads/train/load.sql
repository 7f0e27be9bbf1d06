SELECT count(*), max(length(note)), sum(quantity) FROM orders;
SELECT count(*), max(time) - min(time) FROM events;

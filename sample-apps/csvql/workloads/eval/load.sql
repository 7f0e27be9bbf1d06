SELECT count(*), max(title), min(year) FROM books;
SELECT count(value), max(tick), sum(device) FROM sensors;

-- What the catalogue has, and what is read.
SELECT DISTINCT author, year / 10 * 10 AS decade FROM books
WHERE title LIKE '%guide%s' OR title LIKE 'the%book' ORDER BY author, decade;
SELECT b.title, b.author, count(*) AS loans, avg(l.days) AS days
FROM loans l JOIN books b ON b.id = l.book WHERE b.rating >= 3 OR b.rating IS NULL
GROUP BY b.title, b.author ORDER BY loans DESC, 1, 2 LIMIT 30;
SELECT author || ': ' || title AS entry, pages FROM books
WHERE pages BETWEEN 300 AND 420 AND shelf NOT IN (2, 3, 5, 7, 11) ORDER BY author, title, id;
SELECT b.id, b.title FROM books b LEFT JOIN loans l ON l.book = b.id
WHERE l.id IS NULL AND b.title LIKE '%bread%';

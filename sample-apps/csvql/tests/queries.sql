-- One query a line, answered by csvql and by SQLite over the tables of csvql_reference.py.

-- Literals and arithmetic
SELECT 1, -1, 007, 1.5, .5, 5., 1e3, 1E-2, 2.5e+1, 'text', 'it''s', '', NULL
SELECT 9223372036854775807, -9223372036854775808, 9223372036854775808, 99999999999999999999
SELECT 1 + 2 * 3 - 4, (1 + 2) * 3, 2 - 3 - 4, 100 / 5 / 2, - - 5, -(-5), 2 * -3, - -7
SELECT 7 / 2, -7 / 2, 7 / -2, 7 % 3, -7 % 3, 7 % -3, 7.0 / 2, 7 / 2.0, 7.5 % 2, 5 % 2.9
SELECT 1 / 0, 1 % 0, 1.0 / 0, 1 / 0.0, 0 / 0, 1 % 0.5, 'a' / 'b', NULL / 0
SELECT 9223372036854775807 + 1, -9223372036854775808 - 1, 9223372036854775807 * 2, 4611686018427387904 * 2
SELECT -9223372036854775808 / -1, -9223372036854775808 % -1, -9223372036854775808 * -1, 0 - -9223372036854775808
SELECT 9223372036854775807 + 0.0, 9007199254740993 + 0.0, 9007199254740993 * 1.0, 1e300 * 1e300, -1e300 * 1e300
SELECT 1e400, -1e400, 1e400 - 1e400, 1e400 * 0, 1e-400, 0.0, -0.0, 0 * -1.5
SELECT 1 + NULL, NULL - 1, NULL * NULL, -NULL, NULL || 'a', 'a' || NULL
SELECT '12' + 1, '12abc' + 1, 'abc' + 1, ' 5 ' + 0, '1e2' + 0, '1e' + 0, '.5' + 0, '5.' + 0, '-' + 0, '' + 0
SELECT '1e3' % 7, '0x1A' + 0, '1.9' % 1000, '99999999999999999999' + 0, '99999999999999999999' % 10, '+4' - 1, '1.5.2' * 2
SELECT code, code + 0, code * 1.5, code - 1, code / 2, code % 4, -code FROM codes
SELECT big, big + 1, big - 1, big * 2, big / 7, big % 1000, -big, big * 0.5 FROM visits
SELECT score, score + 1, score * 2, score / 4, score % 7, -score, score - age FROM people
SELECT age + score, age * score, age / score, age % score, score / 0, age - NULL FROM people
SELECT 0.1 + 0.2, 1.0 / 3, 2.0 / 3, 1e15, 1e14, 123456789012345.0, 1234567890123456.0, 1e100, 1e-5, 0.0001, 0.00012345
SELECT 100.0, 1.10, 999999999.5, 1000000000.25, 0.000001, 0.1234567, 123456.789012, 1e22, 1e23, 5e-324, 1.7976931348623157e308

-- Text
SELECT 'a' || 'b' || 'c', 1 || 2, 1.5 || 'x', 1e20 || '', -0.0 || '', 2 * 3 || '4', '1' || '2' + 1
SELECT name || '/' || city, id || name, score || '', big || '' FROM people JOIN visits ON id = visit
SELECT name FROM people WHERE name LIKE 'a%'
SELECT name FROM people WHERE name LIKE '%A'
SELECT name FROM people WHERE name LIKE '%a%a%'
SELECT name FROM people WHERE name LIKE '_____'
SELECT name FROM people WHERE name LIKE '%"%' OR name LIKE '%,%' OR name LIKE '%!%' OR name LIKE '%\%%'
SELECT name FROM people WHERE name LIKE 'äÖü' OR name LIKE 'ÄÖÜ' OR name LIKE '_uro'
SELECT name FROM people WHERE name NOT LIKE '%t%'
SELECT 'abc' LIKE 'ABC', 'abc' LIKE '', '' LIKE '', '' LIKE '%', 'a' LIKE '_', '' LIKE '_', 'abc' LIKE '%c', 'abc' LIKE '%b', 'aXbXc' LIKE 'a%X_'
SELECT 'aaab' LIKE '%ab', 'aaaa' LIKE '%a%b', 'abcabc' LIKE '%abc', 'abab' LIKE 'a%b%b', 'mississippi' LIKE 'm%iss%ip%i', 'x%y' LIKE 'x%%y'
SELECT NULL LIKE 'a', 'a' LIKE NULL, 123 LIKE '1%', 1.5 LIKE '1._', 12 LIKE 12, 'Ä' LIKE '_', 'Ä' LIKE '__'
SELECT id FROM people WHERE id LIKE '1%' AND score LIKE '%.5'
SELECT place FROM visits WHERE place LIKE '%' || place AND NOT place LIKE '% %'

-- Comparison and types
SELECT 1 = 1.0, 1 = '1', '1' = '1.0', 1 < 'a', 'a' < 'B', 'a' < 'b', 'a' < 'aa', '' < 'a', 1.5 > 1, 2 >= 2.0, 1 <> 2, 1 != 1, 1 == 1
SELECT NULL = NULL, NULL <> 1, NULL < 1, 1 > NULL, NULL IS NULL, 1 IS NULL, 1 IS NOT NULL, NULL IS NOT NULL
SELECT 1 IS 1, 1 IS 2, NULL IS 1, 1 IS NOT 2, 1 IS 1.0, 'a' IS 'a', NULL IS NOT 1, 1 IS '1'
SELECT 9007199254740993 = 9007199254740992.0, 9007199254740993 > 9007199254740992.0, 9223372036854775807 = 9223372036854775808.0, 9223372036854775807 < 9223372036854775808.0
SELECT -9223372036854775808 = -9223372036854775808.0, 1e400 > 9223372036854775807, -1e400 < -9223372036854775808, 3 > 2.9999, -3 < -2.9999, 0 = -0.0
SELECT id FROM people WHERE age = '30' OR age > '60' OR id = ' 5 ' OR id < '3.5'
SELECT id FROM people WHERE age < 'abc' AND age > ''
SELECT code FROM codes WHERE code = 10
SELECT code FROM codes WHERE code = 2.5 OR code = '2.50' OR 100 = code
SELECT code FROM codes WHERE code < 5
SELECT code FROM codes WHERE code > rank
SELECT code, code = rank, rank = code, code < rank, rank || '' = rank, rank + 0 = '3' FROM codes
SELECT code, 0 + code = 10, code || '' = 10, code + 0 = 10, code + 0 = '10', -rank = '-3' FROM codes
SELECT p.code, c.code FROM people p JOIN codes c ON p.age = c.code
SELECT p.code, c.code FROM people p JOIN codes c ON c.code = p.score
SELECT id IN (1, 2, '3'), code IN (10, 5, 'x7'), age IN ('30', 40, 50.0), id || '' IN (1, 2), score IN (1, '2.5') FROM people
SELECT 1 IN (1, 2), 3 IN (1, 2), 1 IN (), NULL IN (), 1 IN (NULL), 1 IN (1, NULL), 2 NOT IN (1, NULL), NULL IN (1), 'a' IN ('A', 'a'), 1 NOT IN ()
SELECT id, id IN (age, score, 5), code IN (id, age) FROM people
SELECT c.code, p.id, c.code IN (p.id, p.age), p.id IN (c.code), c.rank IN (p.code, c.code) FROM codes c, people p
SELECT id BETWEEN 3 AND 6, id BETWEEN '3' AND 6, code BETWEEN 1 AND 5, '5' BETWEEN id AND age, age NOT BETWEEN 20 AND 40 FROM people
SELECT 2 BETWEEN 1 AND 3, 2 BETWEEN 3 AND 1, 2 BETWEEN NULL AND 1, 2 BETWEEN NULL AND 3, NULL BETWEEN 1 AND 2, 2 NOT BETWEEN 3 AND NULL, 2 BETWEEN 1 AND 2 = 1

-- Logic
SELECT NOT 1, NOT 0, NOT NULL, NOT 'abc', NOT '1x', NOT 0.5, NOT '', NOT NOT 5, NOT 1 = 2, NOT NULL IS NULL
SELECT 1 AND 1, 1 AND 0, 0 AND NULL, 1 AND NULL, NULL AND 0, NULL AND 1, NULL AND NULL, 'a' AND 1, '2' AND 0.1
SELECT 1 OR 0, 0 OR 0, 1 OR NULL, 0 OR NULL, NULL OR 0, NULL OR 1, NULL OR NULL, 'a' OR 0, 0.0 OR '0.5'
SELECT 1 OR 0 AND 0, (1 OR 0) AND 0, NOT 0 AND 0, NOT (0 AND 0), 1 = 1 = 1, 2 = 2 = 2, 1 < 2 < 3, 3 > 2 > 1, 5 - 3 = 2 AND 1
SELECT id FROM people WHERE age
SELECT id FROM people WHERE name
SELECT id FROM people WHERE code
SELECT id FROM people WHERE NULL
SELECT id FROM people WHERE NOT (age > 30 OR city = 'Ulm') AND NOT name IS NULL
SELECT id FROM people WHERE (age > 30) = (score > 0)
SELECT 1 WHERE 1
SELECT 1 WHERE 0
SELECT 1 WHERE NULL

-- Columns, names, stars
SELECT * FROM people
SELECT people.* FROM people
SELECT *, id + 1 AS next, * FROM people LIMIT 3
SELECT p.*, v.visit FROM people p JOIN visits AS v ON p.id = v.person
SELECT ID, NAME, People.City, PEOPLE.age FROM people
SELECT id AS number, name label, age "the age", score AS "a ""b""" FROM people
SELECT "id", "people"."name" FROM "people" WHERE "city" = 'Ulm'
SELECT id+1, id  *  2, name  ||'!',(age), 'x', - id FROM people LIMIT 1
SELECT count(*), COUNT( * ), max(id)+1 FROM people
SELECT * FROM empty
SELECT * FROM codes WHERE blank IS NULL
SELECT 1 AS one -- a comment
SELECT id FROM people;

-- Aggregates
SELECT count(*), count(age), count(1), count(NULL), count(blank) FROM people, codes
SELECT sum(age), avg(age), min(age), max(age), sum(score), avg(score), min(score), max(score) FROM people
SELECT count(*), count(value), sum(value), avg(value), min(value), max(value) FROM empty
SELECT count(*), sum(age), max(name) FROM people WHERE 0
SELECT count(DISTINCT city), count(DISTINCT age), count(DISTINCT code), sum(DISTINCT age), avg(DISTINCT age), min(DISTINCT age) FROM people
SELECT count(DISTINCT big * 2), count(DISTINCT big / 2.0), count(DISTINCT big) FROM visits
SELECT min(name), max(name), min(code), max(code), min(city), max(city) FROM people
SELECT sum(code), avg(code), sum(name), avg(name), sum('5'), sum('5x'), sum(2.5) FROM people
SELECT sum(rank), sum(rank + 0.5), sum(code), avg(code), sum(code) / count(code) FROM codes
SELECT sum(big) FROM visits
SELECT sum(big) FROM visits WHERE big < 5000000000 AND big > -5000000000
SELECT avg(big), min(big), max(big), sum(big * 1.0) > 0 FROM visits
SELECT max(age) - min(age), sum(age) / count(age), sum(age) * 1.0 / count(*), -max(age), avg(score) / 8 FROM people
SELECT sum(age > 30), sum(city = 'Ulm'), sum((city = 'Ulm') * age), count(age > 30 OR NULL) FROM people
SELECT max(name || '!'), min(city || name), max(age * 2), max(id / 2.0) FROM people
SELECT count(*) FROM people HAVING count(*) > 5
SELECT count(*) FROM people HAVING count(*) > 5000
SELECT 'total', 1 + 1, count(*) FROM people
SELECT count(*)
SELECT max(7), min('x'), count(NULL), sum(2)

-- Groups
SELECT city, count(*) FROM people GROUP BY city
SELECT city, count(*), count(age), sum(age), avg(age), min(name), max(score) FROM people GROUP BY city
SELECT city, age, count(*) FROM people GROUP BY city, age
SELECT city FROM people GROUP BY city
SELECT count(*) FROM people GROUP BY city
SELECT city, count(*) n FROM people GROUP BY city HAVING count(*) > 6
SELECT city, count(*) n FROM people GROUP BY city HAVING n > 6 AND city IS NOT NULL
SELECT city, avg(age) FROM people GROUP BY city HAVING max(score) > 100 OR city IS NULL
SELECT city FROM people GROUP BY city HAVING city > 'C'
SELECT age / 10 AS decade, count(*) FROM people GROUP BY decade
SELECT age / 10 * 10 || 's', count(*) FROM people GROUP BY age / 10
SELECT name || '!', count(*) FROM people GROUP BY name
SELECT age > 40, city, count(*) FROM people GROUP BY 1, 2
SELECT age > 40 elder, count(*), avg(score) FROM people GROUP BY elder
SELECT city || '?' AS c, city LIKE 'U%', count(DISTINCT name) FROM people GROUP BY city
SELECT age, age + 1, age * age FROM people WHERE age IS NOT NULL GROUP BY age
SELECT minutes, sum(cost), count(DISTINCT person), count(DISTINCT place) FROM visits GROUP BY minutes HAVING count(*) > 1
SELECT age FROM people GROUP BY age HAVING age = '30' OR age + 0 = '31' OR age < 25
SELECT code FROM codes GROUP BY code HAVING code = 10 OR max(rank) = '3'
SELECT value, count(*) FROM empty GROUP BY value
SELECT rank % 3, count(*), sum(rank), min(code) FROM codes GROUP BY rank % 3
SELECT 'all', count(*) FROM people GROUP BY 'all'
SELECT p.city, v.place, count(*), sum(v.minutes) FROM people p JOIN visits v ON v.person = p.id GROUP BY p.city, v.place

-- DISTINCT
SELECT DISTINCT city FROM people
SELECT DISTINCT city, age > 40 FROM people
SELECT DISTINCT city || '', city IS NULL FROM people
SELECT DISTINCT 1 FROM people
SELECT DISTINCT * FROM codes
SELECT DISTINCT count(*) FROM people GROUP BY city
SELECT DISTINCT city FROM people ORDER BY city DESC LIMIT 2

-- ORDER BY, LIMIT, OFFSET
SELECT id FROM people ORDER BY id
SELECT id FROM people ORDER BY id DESC
SELECT age FROM people ORDER BY age
SELECT age FROM people ORDER BY age DESC LIMIT 12
SELECT name FROM people ORDER BY name
SELECT code FROM codes ORDER BY code DESC
SELECT big FROM visits ORDER BY big LIMIT 30 OFFSET 5
SELECT id, age FROM people ORDER BY age, id
SELECT id, age FROM people ORDER BY age DESC, id LIMIT 7 OFFSET 3
SELECT city, name, id FROM people ORDER BY city DESC, name ASC, id DESC
SELECT id, score * -1 AS s FROM people ORDER BY s, id
SELECT id, name FROM people ORDER BY name LIKE '%a', name || '!', id
SELECT name, id FROM people ORDER BY 1 DESC, 2
SELECT id FROM people ORDER BY age IS NULL, age, id
SELECT id, age AS score FROM people ORDER BY score, id
SELECT id, age AS score FROM people ORDER BY score + 0, id
SELECT id AS age FROM people WHERE age > 30 ORDER BY age DESC
SELECT id FROM people ORDER BY 1 + 1, id DESC
SELECT city, count(*) AS n FROM people GROUP BY city ORDER BY n DESC, city
SELECT city FROM people GROUP BY city ORDER BY sum(age) DESC, city
SELECT age / 10, count(*) FROM people GROUP BY 1 ORDER BY 1
SELECT id FROM people WHERE age > 30 ORDER BY id LIMIT 5
SELECT id FROM people ORDER BY id LIMIT 0
SELECT id FROM people ORDER BY id LIMIT -1 OFFSET 35
SELECT id FROM people ORDER BY id LIMIT 3 OFFSET -2
SELECT id FROM people ORDER BY id LIMIT 5 OFFSET 1000
SELECT rank + 0.0, code FROM codes ORDER BY rank + 0.0, code
SELECT big * 2 AS mixed, visit FROM visits ORDER BY mixed, visit

-- Joins
SELECT p.id, v.visit FROM people p JOIN visits v ON p.id = v.person
SELECT p.id, v.visit FROM people p INNER JOIN visits v ON v.person = p.id WHERE v.minutes > 20
SELECT p.id, v.visit FROM people p, visits v WHERE p.id = v.person AND p.age > 40
SELECT p.id, v.visit FROM people p LEFT JOIN visits v ON v.person = p.id
SELECT p.id, v.visit FROM people p LEFT OUTER JOIN visits v ON v.person = p.id AND v.minutes > 20
SELECT p.id, v.visit FROM people p LEFT JOIN visits v ON v.person = p.id WHERE v.minutes > 20
SELECT p.id FROM people p LEFT JOIN visits v ON v.person = p.id WHERE v.visit IS NULL
SELECT p.id, v.visit FROM people p LEFT JOIN visits v ON v.person = p.id AND p.age > 40
SELECT p.id, v.visit FROM people p LEFT JOIN visits v ON p.age > 40
SELECT p.id, v.visit FROM people p LEFT JOIN visits v ON 0
SELECT p.id, v.visit FROM people p LEFT JOIN visits v ON v.person = p.id AND v.minutes BETWEEN 5 AND p.age / 2
SELECT a.id, b.id FROM people a JOIN people b ON a.age = b.age AND a.id < b.id
SELECT a.id, b.id FROM people a JOIN people b ON b.id > a.id AND b.id <= a.id + 2
SELECT a.id, b.id FROM people a JOIN people b ON b.id BETWEEN a.id - 1 AND a.id + 1 WHERE a.city = 'Ulm'
SELECT a.id, b.id FROM people a JOIN people b ON b.id >= 5 AND b.id < 5 OR a.id = b.id
SELECT a.id, b.id FROM people a JOIN people b ON b.age BETWEEN a.age AND a.age - 1
SELECT a.id, b.id FROM people a JOIN people b ON b.age > a.age AND b.age < a.age
SELECT a.id, b.id FROM people a JOIN people b ON b.age < a.age - 55
SELECT a.id, b.id FROM people a JOIN people b ON a.age - 55 > b.age AND b.age IS NOT NULL
SELECT a.name, b.city FROM people a JOIN people b ON a.name = b.name WHERE a.id <> b.id
SELECT p.id, c.code FROM people p JOIN codes c ON p.code = c.code
SELECT p.id, c.code FROM people p LEFT JOIN codes c ON c.rank = p.id % 9
SELECT p.id, c.code FROM people p JOIN codes c ON c.rank = p.score / 8.0 OR c.code = p.age
SELECT v.visit, p.id, c.code FROM visits v JOIN people p ON p.id = v.person JOIN codes c ON c.code = p.code
SELECT v.visit, p.id, c.code FROM visits v LEFT JOIN people p ON p.id = v.person LEFT JOIN codes c ON c.code = p.code
SELECT v.visit, p.id, c.code FROM visits v LEFT JOIN people p ON p.id = v.person JOIN codes c ON c.rank = v.minutes
SELECT count(*) FROM people a, people b, codes c
SELECT count(*) FROM people JOIN empty
SELECT count(*), count(empty.id) FROM people LEFT JOIN empty ON people.id = empty.id
SELECT p.city, count(v.visit), sum(v.cost) FROM people p LEFT JOIN visits v ON v.person = p.id GROUP BY p.city
SELECT p.id, v.visit FROM people p JOIN visits v ON v.person = p.id ORDER BY p.id DESC, v.visit LIMIT 20
SELECT a.id, b.id FROM people a LEFT JOIN people b ON b.id = a.age WHERE b.age IS NULL OR b.age > a.age
SELECT v.visit FROM visits v JOIN people p ON v.person = p.id AND p.name LIKE '%a%' AND v.cost > p.score
SELECT a.code, b.code FROM codes a JOIN codes b ON a.code < b.rank
SELECT a.code, b.code FROM codes a JOIN codes b ON b.code >= a.rank + 0

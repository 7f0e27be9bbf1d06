"""Tests of csvql: its answers against SQLite's, its CSV, its errors, its workloads."""
import bisect
import csv
import os
import random
import re
import resource
import shlex
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from csvql_reference import (Table, answer, column_type, encode, encode_row, is_ordered,
                             load_sqlite, records, sample_tables, write_csv)

APP = Path(__file__).resolve().parent.parent
QUERIES = [line for line in (APP / "tests/queries.sql").read_text().splitlines()
           if line and not line.startswith("--")]
WARNINGS = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
SANITIZE = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
NUL = "\0"


def compiler() -> str:
    newest = sorted(Path("/usr/lib").glob("llvm-*/bin/clang"),
                    key=lambda path: int(path.parts[3].split("-")[1]))
    return os.environ.get("CLANG") or shutil.which("clang-22") or str(newest[-1])


def build(binary: Path, sanitize: bool) -> Path:
    flags = SANITIZE if sanitize else ["-O2"]
    sources = [str(path) for path in sorted(APP.glob("*.c"))]
    subprocess.run([compiler(), *WARNINGS, *flags, "-o", str(binary), *sources, "-lm"], check=True)
    return binary


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Csvql:
    """The program and a directory of its own."""
    binary: Path
    directory: Path
    leaks: bool = True  # look for leaks, which takes longest

    def run(self, *args: str | Path) -> Done:
        environment = {**os.environ, "ASAN_OPTIONS": f"detect_leaks={int(self.leaks)}"}
        done = subprocess.run([self.binary, *args], capture_output=True, cwd=self.directory,
                              env=environment)
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def output(self, *args: str | Path) -> str:
        done = self.run(*args)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.directory / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("csvql") / "csvql", sanitize=True)


@pytest.fixture(scope="session")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("csvql-fast") / "csvql", sanitize=False)


@pytest.fixture
def csvql(program: Path, tmp_path: Path) -> Csvql:
    return Csvql(program, tmp_path)


@dataclass(frozen=True)
class Sample:
    files: list[str]
    connection: sqlite3.Connection


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    directory = tmp_path_factory.mktemp("tables")
    tables = sample_tables(seed=1, size=40)
    return Sample([str(write_csv(table, directory)) for table in tables], load_sqlite(tables))


# ---- answers ----

@pytest.mark.parametrize("sql", QUERIES)
def test_a_query_has_the_answer_that_sqlite_gives(csvql: Csvql, sample: Sample, sql: str) -> None:
    csvql = replace(csvql, leaks=False)
    try:
        header, rows = answer(sample.connection, sql)
    except sqlite3.Error as error:
        assert "integer overflow" in str(error)
        assert "integer overflow" in csvql.run(sql, *sample.files).stderr
        return
    got_header, *got = records(csvql.output(sql, *sample.files))
    if not is_ordered(sql):
        got.sort()
        rows.sort()
    assert (got_header, got) == (header, rows)


def test_there_are_enough_queries() -> None:
    assert len(set(QUERIES)) >= 150


def test_all_queries_make_one_script_that_leaks_nothing(csvql: Csvql, sample: Sample) -> None:
    good = [sql for sql in QUERIES if sql != "SELECT sum(big) FROM visits"]
    csvql.write("all.sql", "\n;".join(good))
    expected = [answer(sample.connection, sql)[0] for sql in good]
    got = iter(records(csvql.output("-f", "all.sql", *sample.files)))
    assert all(header in got for header in expected)


@pytest.mark.parametrize("kind", ["JOIN", "LEFT JOIN"])
@pytest.mark.parametrize("condition", [
    "b.age = a.age",
    "b.age = 30",
    "b.age > 70",
    "b.age >= 30 AND b.age < a.age",
    "b.age < 25",
    "'40' >= b.age",
    "b.age >= '20' AND b.age <= a.age",
    "b.age >= 50 AND b.age <= 20",
    "b.age > 50 AND b.age < 50",
    "b.age = NULL",
    "b.age >= NULL AND b.age <= 50",
    "b.age > 'text'",
    "b.age > a.age AND b.age > 40 AND b.id < 20",
    "b.age = 30 AND b.age = a.age",
    "b.age = a.age AND b.city IS NOT NULL AND b.age <> 50",
])
def test_a_search_in_an_index_finds_what_comparing_all_rows_finds(
        csvql: Csvql, sample: Sample, kind: str, condition: str) -> None:
    sql = f"SELECT a.id, b.id FROM people a {kind} people b ON {condition}"
    without = f"SELECT a.id, b.id FROM people a {kind} people b ON 0 + ({condition})"
    got, unindexed = (sorted(records(csvql.output("--no-header", query, *sample.files)))
                      for query in (sql, without))
    assert got == unindexed == sorted(answer(sample.connection, sql)[1])


def test_a_join_of_large_tables_takes_an_index(csvql: Csvql) -> None:
    count = 30000  # nested loops would take hours
    csvql.write("t.csv", "k\n" + "".join(f"{n * 7919 % count}\n" for n in range(count)))
    sql = "SELECT count(*), sum(a.k) FROM t a JOIN t b ON b.k = a.k"
    assert csvql.output("--no-header", sql, "t.csv") == f"{count},{count * (count - 1) // 2}\n"
    sql = "SELECT count(*) FROM t a JOIN t b ON b.k > a.k AND b.k <= a.k + 2"
    assert csvql.output("--no-header", sql, "t.csv") == f"{2 * count - 3}\n"


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 1024, 1025, 5000])
def test_a_search_finds_every_key_whatever_the_number_of_rows(csvql: Csvql, count: int) -> None:
    keys = sorted(n * 7919 % 5003 // 3 * 3 for n in range(count))
    csvql.write("t.csv", "k\n" + "".join(f"{key}\n" for key in reversed(keys)))
    csvql.write("q.csv", "q\n" + "".join(f"{key}\n" for key in range(-1, 5010, 7)))
    sql = "SELECT q, count(k) FROM q LEFT JOIN t ON k {} q GROUP BY q"
    for operator, expected in (("=", lambda q: keys.count(q)),
                               ("<", lambda q: bisect.bisect_left(keys, q)),
                               ("<=", lambda q: bisect.bisect_right(keys, q)),
                               (">", lambda q: count - bisect.bisect_right(keys, q))):
        got = csvql.output("--no-header", sql.format(operator), "q.csv", "t.csv")
        assert got == "".join(f"{q},{expected(q)}\n" for q in range(-1, 5010, 7))


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
def test_rows_that_sort_alike_keep_the_order_of_the_file(csvql: Csvql, direction: str) -> None:
    keys = [n * n % 7 for n in range(300)]
    csvql.write("t.csv", "n,k\n" + "".join(f"{n + 1},{key}\n" for n, key in enumerate(keys)))
    order = sorted(range(300), key=lambda n: keys[n], reverse=direction == "DESC")
    sql = f"SELECT n FROM t ORDER BY k {direction}"
    assert csvql.output("--no-header", sql, "t.csv") == "".join(f"{n + 1}\n" for n in order)


def test_groups_come_in_the_order_of_their_first_rows(csvql: Csvql) -> None:
    csvql.write("t.csv", "k\nb\nc\nb\n\na\nc\n")
    sql = "SELECT k, count(*) FROM t GROUP BY k"
    assert csvql.output("--no-header", sql, "t.csv") == "b,2\nc,2\n,1\na,1\n"


def test_a_decimal_of_19_digits_is_read_as_the_nearest_double(csvql: Csvql) -> None:
    rng = random.Random(5)
    decimals = ["9007199254740993", "9007199254740993.0", "9007199254740993.001",
                "9007199254740992.999", "0.1", "0.3", "123456789012345678.5",
                "1.7976931348623157e1", "1e22", "1e-5", "4.35", "0.000001e7"]
    for _ in range(200):
        places = rng.randrange(0, 25)
        digits = str(rng.getrandbits(rng.randrange(1, 64))).rjust(places + 1, "0")
        decimals.append(f"{digits[:len(digits) - places]}.{digits[len(digits) - places:]}")
    ratios = [(text, *float(text).as_integer_ratio()) for text in decimals]
    fitting = [(text, top, bottom) for text, top, bottom in ratios
               if max(top, bottom) < 2**62 and text != "9007199254740993"]
    assert len(fitting) > 60
    checks = ", ".join(f"{text} = {top} * 1.0 / {bottom}" for text, top, bottom in fitting)
    assert csvql.output("--no-header", f"SELECT {checks}") == ",".join("1" * len(fitting)) + "\n"


# ---- CSV ----

@pytest.mark.parametrize("fields, kind", [
    (["1", "-2", "+3", "007", "9223372036854775807", "-9223372036854775808"], "INTEGER"),
    (["1", "9223372036854775808"], "REAL"),
    (["1", "2.5"], "REAL"),
    ([".5", "5.", "-1e3", "+1.5E-7", "1e999"], "REAL"),
    (["1", "x"], "TEXT"),
    (["1.5", "1.5.5"], "TEXT"),
    (["1", " 2"], "TEXT"),
    (["1", "2 "], "TEXT"),
    (["0x10"], "TEXT"),
    (["1e"], "TEXT"),
    (["."], "TEXT"),
    (["-"], "TEXT"),
    (["inf", "nan"], "TEXT"),
    (["1", None, "3"], "INTEGER"),
    ([None, "3.5", None], "REAL"),
    ([None, None], "TEXT"),
])
def test_a_column_has_the_narrowest_type_of_its_fields(
        csvql: Csvql, fields: list[str | None], kind: str) -> None:
    assert column_type(fields) == kind
    csvql.write("t.csv", "a,b\n" + "".join(f"{field or ''},x\n" for field in fields))
    connection = sqlite3.connect(":memory:")
    connection.execute(f"CREATE TABLE t (a {kind})")
    connection.executemany("INSERT INTO t VALUES (?)", [(field,) for field in fields])
    sql = "SELECT a, a = '1', a || '', a < 'a', a / 2 FROM t"
    rows = "".join(encode_row(row) + "\n" for row in connection.execute(sql))
    assert csvql.output("--no-header", sql, "t.csv") == rows


@pytest.mark.parametrize("content, expected", [
    ("a,b\n1,2\n", "a,b\n1,2\n"),
    ("a,b\n1,2", "a,b\n1,2\n"),
    ("a,b\r\n1,2\r\n", "a,b\n1,2\n"),
    ("\ufeffa,b\n1,2\n", "a,b\n1,2\n"),
    ('a,"b"\n"1","2"\n', "a,b\n1,2\n"),
    ('a,b\n"x, y","say ""hi"""\n', 'a,b\n"x, y","say ""hi"""\n'),
    ('a,b\n"two\r\nlines",""""\n', 'a,b\n"two\r\nlines",""""\n'),
    ('a,b\n"",\n,\n', "a,b\n,\n,\n"),
    ('"a ""1""",b\nx,y\n', '"a ""1""",b\nx,y\n'),
    ("a\n\n\nx\n", "a\n\n\nx\n"),
    ("a,b\n", "a,b\n"),
    ("a", "a\n"),
    ("ä,b\nö€,2\n", "ä,b\nö€,2\n"),
])
def test_csv_is_read_and_written_as_rfc_4180_says(
        csvql: Csvql, content: str, expected: str) -> None:
    csvql.write("t.csv", content)
    assert csvql.output("SELECT * FROM t", "t.csv") == expected


def test_what_csvql_writes_it_reads_back(csvql: Csvql, sample: Sample) -> None:
    first = csvql.output("SELECT * FROM visits", *sample.files)
    csvql.write("again.csv", first)
    assert csvql.output("SELECT * FROM again", "again.csv") == first


def test_empty_text_differs_from_null_in_the_output(csvql: Csvql) -> None:
    assert csvql.output("--no-header", "SELECT '', NULL, '' || ''") == '"",,""\n'


@pytest.mark.parametrize("content, place, what", [
    ("", "t.csv:1", "empty file, no column names"),
    ("a,b\n1\n", "t.csv:2", "1 fields, but 2 columns"),
    ("a,b\n1,2\n\n", "t.csv:3", "1 fields, but 2 columns"),
    ('a,b\n"x\ny",2\n1,2,3\n', "t.csv:4", "3 fields, but 2 columns"),
    ('a\n"x\n\n', "t.csv:2", "quoted field without an end"),
    ('a\nx"y\n', "t.csv:2", "'\"' inside an unquoted field"),
    ('a\n"x"y\n', "t.csv:2", "text after a closing quote"),
    ("a\nx\ry\n", "t.csv:2", "carriage return without line feed"),
    (f"a\nx{NUL}y\n", "t.csv:2", "NUL byte"),
    (f'a\n"x{NUL}y"\n', "t.csv:2", "NUL byte"),
    ("a,b,A\n", "t.csv:1", "column 'A' appears twice"),
    ("a,,b\n", "t.csv:1", "column 2 has no name"),
    (",".join(f"c{n}" for n in range(2001)), "t.csv:1", "more than 2000 columns"),
])
def test_an_error_in_a_file_names_its_line_and_its_cause(
        csvql: Csvql, content: str, place: str, what: str) -> None:
    csvql.write("t.csv", content)
    done = csvql.run("SELECT 1", "t.csv")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{place}: {what}\n")


def test_a_file_that_cannot_be_read_is_an_error(csvql: Csvql) -> None:
    done = csvql.run("SELECT 1", "none.csv")
    assert (done.returncode, done.stderr) == \
        (1, "none.csv: cannot read: No such file or directory\n")
    assert "cannot read: Is a directory" in csvql.run("SELECT 1", "d=.").stderr
    assert "cannot read" in csvql.run("-f", "none.sql").stderr


# ---- errors in queries ----

@pytest.mark.parametrize("sql, column, what", [
    ("SELECT a,, b FROM t", 10, "expected an expression, found ,"),
    ("SELECT a FROM", 14, "expected a table name, found the end"),
    ("SELECT a b c FROM t", 12, "expected a clause, ';' or the end, found c"),
    ("DELETE FROM t", 1, "expected SELECT, found DELETE"),
    ("SELECT (a FROM t", 11, "expected ), found FROM"),
    ("SELECT count(*", 15, "expected ), found the end"),
    ("SELECT a FROM t WHERE a NOT 5", 29, "expected IN, LIKE or BETWEEN, found 5"),
    ("SELECT a FROM t WHERE a BETWEEN 1", 34, "expected AND, found the end"),
    ("SELECT a FROM t LEFT a", 22, "expected JOIN, found a"),
    ("SELECT a FROM t LIMIT 1.5", 23, "expected an integer"),
    ("SELECT a FROM t LIMIT a", 23, "expected an integer"),
    ("SELECT a FROM t GROUP a", 23, "expected BY, found a"),
    ("SELECT 'abc", 8, "missing end quote"),
    ("SELECT \"abc FROM t", 8, "missing end quote"),
    ("SELECT 12ab", 8, "malformed number"),
    ("SELECT a ? b", 10, "unexpected character"),
    ("SELECT t. FROM t", 11, "expected a column name, found FROM"),
    ("SELECT x FROM t", 8, "no column 'x'"),
    ("SELECT t.x FROM t", 8, "no column 'x'"),
    ("SELECT u.a FROM t", 8, "no column 'a'"),
    ("SELECT a FROM u", 15, "no table 'u'"),
    ("SELECT a FROM t, t x WHERE x.b = 1", 8, "column 'a' is in more than one table"),
    ("SELECT a FROM t JOIN t ON 1", 22, "'t' is there twice and needs an alias"),
    ("SELECT x.a FROM t x JOIN t y ON z.a = 1 JOIN t z", 33, "no column 'a'"),
    ("SELECT a.* FROM t", 8, "no table for '*'"),
    ("SELECT *", 8, "no table for '*'"),
    ("SELECT 1 + t.* FROM t", 12, "'*' is no value"),
    ("SELECT f(a) FROM t", 8, "no function 'f'"),
    ("SELECT sum(*) FROM t", 12, "'*' is no value"),
    ("SELECT count(DISTINCT *) FROM t", 23, "'*' is no value"),
    ("SELECT count(t.*) FROM t", 14, "'*' is no value"),
    ("SELECT count() FROM t", 8, "count() takes one argument"),
    ("SELECT max(a, b) FROM t", 8, "max() takes one argument"),
    ("SELECT sum(1 + max(a)) FROM t", 14, "aggregate in an aggregate"),
    ("SELECT a FROM t WHERE sum(a) > 1", 30, "aggregate in WHERE"),
    ("SELECT 1 FROM t JOIN t u ON sum(t.a)", 29, "aggregate in ON"),
    ("SELECT a FROM t GROUP BY max(a)", 26, "aggregate in GROUP BY"),
    ("SELECT sum(a) FROM t GROUP BY 1", 31, "aggregate in GROUP BY"),
    ("SELECT sum(a) s FROM t WHERE s > 1", 32, "aggregate in WHERE"),
    ("SELECT sum(a) s FROM t GROUP BY s", 33, "aggregate in GROUP BY"),
    ("SELECT a, count(*) FROM t", 8, "column 'a' is neither grouped nor aggregated"),
    ("SELECT b FROM t GROUP BY a", 8, "column 'b' is neither grouped nor aggregated"),
    ("SELECT * FROM t GROUP BY a", 8, "column 'b' is neither grouped nor aggregated"),
    ("SELECT a + b FROM t GROUP BY a ORDER BY 1", 12,
     "column 'b' is neither grouped nor aggregated"),
    ("SELECT a FROM t GROUP BY a ORDER BY b", 37, "column 'b' is neither grouped nor aggregated"),
    ("SELECT a FROM t GROUP BY a HAVING b", 35, "column 'b' is neither grouped nor aggregated"),
    ("SELECT a FROM t ORDER BY 2", 26, "there is no such column in the result"),
    ("SELECT a FROM t GROUP BY 0", 26, "there is no such column in the result"),
    ("SELECT sum(a + 9223372036854775805) FROM t", 8, "integer overflow"),
    ("SELECT 1 FROM t a, t b, t c, t d, t e, t f, t g, t h, t i", 55, "too many tables"),
    ("SELECT " + "*, " * 1000 + "* FROM t", 3008, "more than 2000 columns"),
    ("SELECT " + "(" * 1001 + "1" + ")" * 1001, 1008, "expression is too deep"),
    ("SELECT " + "- " * 1001 + "1", 2 * 1000 + 8, "expression is too deep"),
    ("SELECT 1" + " + 1" * 1000, 8 + 4 * 999 + 2, "expression is too deep"),
], ids=lambda value: str(value)[:60])
def test_an_error_in_a_query_names_its_place_and_its_cause(
        csvql: Csvql, sql: str, column: int, what: str) -> None:
    csvql.write("t.csv", "a,b\n1,2\n2,3\n")
    done = csvql.run(sql, "t.csv")
    mark = " " * (column - 1) + "^"
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"query:1:{column}: {what}\n{sql}\n{mark}\n"


def test_the_place_of_an_error_counts_bytes_and_is_marked_by_characters(csvql: Csvql) -> None:
    sql = "SELECT 'ä€' || x"
    assert csvql.run(sql).stderr == f"query:1:19: no column 'x'\n{sql}\n{' ' * 15}^\n"


def test_an_error_in_a_script_names_its_file_and_shows_its_line(csvql: Csvql) -> None:
    csvql.write("bad.sql", "SELECT 1;\n-- and\nSELECT\t2,\tx + 1;\nSELECT 3")
    done = csvql.run("-f", "bad.sql")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "bad.sql:3:11: no column 'x'\nSELECT\t2,\tx + 1;\n      \t  \t^\n"


def test_a_nul_byte_in_a_script_is_an_error(csvql: Csvql) -> None:
    csvql.write("nul.sql", "SELECT 'a\0b'")
    assert csvql.run("-f", "nul.sql").stderr.startswith("nul.sql:1:8: NUL byte in quotes\n")
    csvql.write("nul.sql", "SELECT \0")
    assert csvql.run("-f", "nul.sql").stderr.startswith("nul.sql:1:8: unexpected character\n")


def test_an_expression_of_the_greatest_depth_is_evaluated(csvql: Csvql) -> None:
    assert csvql.output("--no-header", "SELECT 1" + " + 1" * 999) == "1000\n"
    assert csvql.output("--no-header", "SELECT " + "(" * 999 + "7" + ")" * 999) == "7\n"


# ---- the command line ----

def test_statements_of_a_script_write_one_after_the_other(csvql: Csvql) -> None:
    csvql.write("two.sql", "; SELECT 1 AS a;\n;SELECT 2 AS b, 3 AS c -- end")
    assert csvql.output("-f", "two.sql") == "a\n1\nb,c\n2,3\n"
    assert csvql.output("--no-header", "-f", "two.sql") == "1\n2,3\n"


def test_a_table_is_named_by_its_file_or_by_the_command_line(csvql: Csvql) -> None:
    (csvql.directory / "dir.d").mkdir()
    csvql.write("dir.d/my.table.csv", "a\n5\n")
    for argument, name in (("dir.d/my.table.csv", '"my.table"'), ("x=dir.d/my.table.csv", "X"),
                           ("./dir.d/my.table.csv", '"MY.TABLE"')):
        assert csvql.output("--no-header", f"SELECT a FROM {name}", argument) == "5\n"
    done = csvql.run("SELECT 1", "x=dir.d/my.table.csv", "X=dir.d/my.table.csv")
    assert (done.returncode, done.stderr) == (1, "dir.d/my.table.csv: a second table 'X'\n")


@pytest.mark.parametrize("options", [["--repeat", "3"], ["--repeat", "2", "--reload"]])
def test_repetitions_write_the_last_result_only(
        csvql: Csvql, sample: Sample, options: list[str]) -> None:
    sql = ("SELECT p.id FROM people p JOIN visits v ON v.person = p.id ORDER BY p.id;"
           "SELECT city, sum(age) FROM people GROUP BY city")
    assert csvql.output(*options, sql, *sample.files) == csvql.output(sql, *sample.files)


@pytest.mark.parametrize("args, what", [
    ([], "no query"),
    (["-x"], "unknown option, or without its argument: -x"),
    (["--repeat"], "unknown option, or without its argument: --repeat"),
    (["-f"], "unknown option, or without its argument: -f"),
    (["--repeat", "0", "SELECT 1"], "not a count: 0"),
    (["--repeat", "-1", "SELECT 1"], "not a count: -1"),
    (["--repeat", "2x", "SELECT 1"], "not a count: 2x"),
    (["--repeat", "99999999999999999999", "SELECT 1"], "not a count: 99999999999999999999"),
])
def test_a_wrong_command_line_is_explained(csvql: Csvql, args: list[str], what: str) -> None:
    done = csvql.run(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"csvql: {what}\nusage: csvql ")


def test_help_goes_to_standard_output(csvql: Csvql) -> None:
    assert csvql.output("--help").startswith("usage: csvql ")


def test_a_full_disk_is_an_error(csvql: Csvql) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([csvql.binary, "SELECT 1"], stdout=full, stderr=subprocess.PIPE,
                              text=True)
    assert (done.returncode, done.stderr) == \
        (1, "csvql: cannot write: No space left on device\n")


@pytest.mark.parametrize("megabytes", [3, 4, 5, 6, 8, 10, 12, 16])
def test_without_memory_a_query_fails_with_a_message(
        fast: Path, tmp_path: Path, megabytes: int) -> None:
    csvql = Csvql(fast, tmp_path)
    csvql.write("t.csv", "n,s\n" + "".join(f"{n},text {n % 5000}\n" for n in range(20000)))
    sql = ("SELECT s || n AS u, count(DISTINCT n) FROM t GROUP BY u ORDER BY u;"
           "SELECT DISTINCT a.s, b.n FROM t a JOIN t b ON b.n = a.n ORDER BY 2 DESC, 1")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))

    done = subprocess.run([fast, sql, "t.csv"], capture_output=True, text=True, cwd=tmp_path,
                          preexec_fn=limit)
    assert done.returncode > 0 and done.stdout == ""
    assert re.search("out of memory|Cannot allocate memory|shared libraries", done.stderr)


# ---- fuzzing ----

def test_the_fuzz_target_compiles() -> None:
    subprocess.run([compiler(), *WARNINGS, "-fsyntax-only", APP / "fuzz/fuzz.c"], check=True)


# ---- workloads ----

def workloads(inputs: Path) -> dict[str, list[str]]:
    """The workload commands of app.mk, without the binary, at scale 1."""
    text = (APP / "app.mk").read_text()
    found = {}
    for name, command in re.findall(r"^((?:train|eval)\.\w+) += \$\(BIN\) (.*)$", text, re.M):
        for variable, value in (("SCALE", "1"), ("app.dir", APP), ("app.inputs", inputs)):
            command = command.replace(f"$({variable})", str(value))
        found[name] = shlex.split(command)
    return found


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("inputs")
    subprocess.run([sys.executable, APP / "generate.py", out], check=True)
    return out


def test_the_generated_tables_are_the_same_every_time(inputs: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, APP / "generate.py", tmp_path], check=True)
    files = sorted(path.relative_to(inputs) for path in inputs.rglob("*.csv"))
    assert files == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.csv"))
    assert all((inputs / file).read_bytes() == (tmp_path / file).read_bytes() for file in files)


def test_train_and_eval_workloads_share_no_input(inputs: Path) -> None:
    used: dict[str, set[str]] = {"train": set(), "eval": set()}
    for name, arguments in workloads(inputs).items():
        used[name.split(".")[0]].update(arg for arg in arguments if "/" in arg)
    assert len(used["train"]) >= 6 and len(used["eval"]) >= 6
    assert not used["train"] & used["eval"]


@pytest.mark.parametrize("name", workloads(Path("inputs")))
def test_a_workload_answers_as_sqlite_does(csvql: Csvql, inputs: Path, name: str) -> None:
    arguments = workloads(inputs)[name]
    output = csvql.output(*arguments)
    connection = load_sqlite([read_csv(Path(arg)) for arg in arguments if arg.endswith(".csv")])
    script = Path(arguments[arguments.index("-f") + 1]).read_text()
    expected: list[str] = []
    for statement in script.split(";")[:-1]:
        header, rows = answer(connection, statement)
        expected += [header, *rows]
    assert len(expected) > 3
    assert sorted(rounded(row) for row in records(output)) == sorted(map(rounded, expected))


def read_csv(path: Path) -> Table:
    with path.open(newline="", encoding="utf-8") as file:
        columns, *rows = csv.reader(file)
    return Table(path.stem, columns, [[field or None for field in row] for row in rows])


def rounded(row: str) -> str:
    """A row with its reals rounded to 9 places, as sums of prices depend on their order."""
    return re.sub(r"[0-9]+\.[0-9]+", lambda found: encode(round(float(found[0]), 9)), row)

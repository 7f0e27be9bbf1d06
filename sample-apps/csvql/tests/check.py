"""Compares csvql with SQLite on thousands of random queries, fuzzes it, and compares CPU times on
a few larger queries. Prints what it checked; fails if answers differ or the fuzzer finds a fault.

A query is written so that its answer is determined: ORDER BY ends with all columns of the result,
sums of reals are exact, and no text is made of reals that need rounding.
"""
import argparse
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from csvql_reference import (NUMERALS, Table, answer, is_ordered, load_sqlite, records,
                             sample_tables, write_csv)
from test_csvql import APP, NUL, QUERIES, SANITIZE, WARNINGS, build, compiler

PACKAGES: list[str] = []  # SQLite comes with Python

COLUMNS = {
    "people": {"id": "int", "name": "text", "city": "text", "age": "int", "score": "real",
               "code": "text"},
    "visits": {"visit": "int", "person": "int", "place": "text", "minutes": "int",
               "cost": "real", "big": "big"},
    "codes": {"code": "text", "rank": "int", "blank": "text"},
}


class Generator:
    """Random queries over the sample tables."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.scope: list[tuple[str, str]] = []  # name, type

    def pick(self, *choices: str) -> str:
        return choices[self.rng.randrange(len(choices))]

    def column(self, *types: str) -> str:
        fitting = [name for name, kind in self.scope if kind in types]
        return self.pick(*fitting) if fitting else self.pick("NULL", "3", "'alpha'")

    def constant(self) -> str:
        quoted = [f"'{text}'" for text in (*NUMERALS, "alpha", "Ulm", "Köln", "a%b_c", "", "x")]
        return self.pick("0", "1", "2", "7", "30", "-3", "2.5", "0.125", "1e3", "NULL", *quoted)

    def integer(self, depth: int) -> str:
        """An integer or NULL, and not one so large that the order of a sum matters."""
        if depth == 0:
            return self.pick(self.column("int"), self.column("int"), "2", "10", "-7")
        a, b = self.integer(depth - 1), self.integer(depth - 1)
        return self.pick(f"({a} + {b})", f"({a} - {b})", f"{a} * {b}", f"{a} / {b}",
                         f"({a} % {b})", f"- {a}", f"({self.condition(depth - 1)})")

    def text(self, depth: int) -> str:
        if depth == 0:
            return self.pick(self.column("text"), self.column("text"), self.column("int", "real"),
                             "'alpha'", "'Ä b'", "'12'")
        a, b = self.text(depth - 1), self.text(depth - 1)
        return self.pick(f"{a} || {b}", f"({a}) || ''", f"{self.integer(depth - 1)} || {b}")

    def value(self, depth: int) -> str:
        if depth == 0:
            return self.pick(self.column("int", "big"), self.column("text"),
                             self.column("real"), self.constant())
        a, b = self.value(depth - 1), self.value(depth - 1)
        return self.pick(self.integer(depth), self.text(depth), f"{a} + {b}", f"{a} * {b}",
                         f"{a} / {b}", f"{a} % {b}", f"- {a}", f"({self.condition(depth - 1)})")

    def condition(self, depth: int) -> str:
        a, b, c = (self.value(max(0, depth - 1)) for _ in range(3))
        no = self.pick("", "NOT ")
        if depth > 0 and self.rng.random() < 0.4:
            p, q = self.condition(depth - 1), self.condition(depth - 1)
            return self.pick(f"({p} AND {q})", f"({p} OR {q})", f"NOT ({p})")
        pattern = self.pick("'%a%'", "'_l%'", "'%ta'", "'%'", "'1%'", "'%\"%'", "'A_pha'",
                            "'%a%a%'", "''", self.column("text"))
        compare = self.pick("=", "<>", "<", "<=", ">", ">=", "IS", "IS NOT", "==", "!=")
        return self.pick(f"{a} {compare} {b}", f"{a} {compare} {b}", f"{a} {compare} {b}",
                         f"{a} {no}BETWEEN {b} AND {c}", f"{a} {no}IN ({b}, {c})",
                         f"{a} {no}IN ({self.constant()}, {self.constant()}, {b})",
                         f"{a} {no}LIKE {pattern}", f"{a} IS {no}NULL", a)

    def source(self) -> str:
        names = [self.pick(*COLUMNS) for _ in range(self.rng.choice([1, 1, 1, 2, 2, 3]))]
        self.scope = []
        clause = ""
        for i, name in enumerate(names):
            alias = f"t{i}"
            before = list(self.scope)
            added = [(f"{alias}.{column}", kind) for column, kind in COLUMNS[name].items()]
            self.scope += added
            if i == 0:
                clause = f"{name} {alias}"
                continue
            on = f"{self.rng.choice(before)[0]} {self.pick('=', '=', '=', '<', '>=')} " \
                 f"{self.rng.choice(added)[0]}"
            if self.rng.random() < 0.3:
                on += f" AND {self.condition(1)}"
            clause += f" {self.pick('JOIN', 'LEFT JOIN')} {name} AS {alias} ON {on}"
            if i == 2:
                clause += f" AND t1.{self.pick(*COLUMNS[names[1]])} IS NOT NULL AND t0.rowid < 9"
        return clause.replace("t0.rowid < 9", f"t0.{self.pick(*COLUMNS[names[0]])} < 9")

    def order_and_limit(self, columns: int) -> str:
        keys = [f"{n} {self.pick('ASC', 'DESC', '')}" for n in range(1, columns + 1)]
        self.rng.shuffle(keys)
        keys += [f"c{n} || ''" for n in range(columns)]  # parts 1 and 1.0
        if self.rng.random() < 0.3:
            keys.insert(0, f"{self.value(1)} || '' {self.pick('', 'DESC')}")
        limit = f" LIMIT {self.rng.randrange(0, 30)}" if self.rng.random() < 0.5 else ""
        if limit and self.rng.random() < 0.5:
            limit += f" OFFSET {self.rng.randrange(0, 10)}"
        return f" ORDER BY {', '.join(keys)}{limit}" if self.rng.random() < 0.6 else ""

    def where(self) -> str:
        return f" WHERE {self.condition(2)}" if self.rng.random() < 0.6 else ""

    def plain(self) -> str:
        source = self.source()
        values = [self.value(self.rng.randrange(3)) for _ in range(self.rng.randrange(1, 5))]
        distinct = self.pick("", "", "DISTINCT ")
        if distinct:
            values = [self.column("int", "text") for _ in values]
        items = ", ".join(f"{value} AS c{i}" for i, value in enumerate(values))
        order = "" if distinct else self.order_and_limit(len(values))
        return f"SELECT {distinct}{items} FROM {source}{self.where()}{order}"

    def sorted_by_one_column(self) -> str:
        """Rows that sort alike, where a limit cuts; the column is all there is in the result."""
        source = self.source()
        column = self.rng.choice(self.scope)[0]
        return (f"SELECT {column} FROM {source}{self.where()} ORDER BY {column} "
                f"{self.pick('', 'DESC')} LIMIT {self.rng.randrange(1, 99)}")

    def aggregate(self) -> str:
        argument = self.pick(self.column("int"), self.column("int"), self.column("real"),
                             self.column("text"), self.integer(1))
        return self.pick("count(*)", f"count({argument})", f"count(DISTINCT {self.value(0)})",
                         f"sum({argument})", f"avg({argument})", f"min({self.text(0)})",
                         f"max({self.column('int', 'big', 'text')})", f"sum({self.column('real')})",
                         f"min({self.column('real')}) || ''", f"max({self.integer(1)}) + 1",
                         f"sum(DISTINCT {self.column('int')})")

    def grouped(self) -> str:
        source = self.source()
        keys = [self.pick(self.column("int"), self.column("text"), self.column("text"),
                          f"{self.integer(1)} + {self.column('int')}",
                          f"{self.column('text')} || '-'")
                for _ in range(self.rng.randrange(0, 3))]
        values = keys + [self.aggregate() for _ in range(self.rng.randrange(1, 4))]
        items = ", ".join(f"{value} AS c{i}" for i, value in enumerate(values))
        text = f"SELECT {items} FROM {source}{self.where()}"
        if keys:
            text += f" GROUP BY {', '.join(keys)}"
            if self.rng.random() < 0.3:
                text += f" HAVING {self.aggregate()} {self.pick('>', '<', '=')} {self.constant()}"
        saved, self.scope = self.scope, []
        text += self.order_and_limit(len(values))
        self.scope = saved
        return text

    def query(self) -> str:
        kind = self.rng.randrange(6)
        if kind == 0:
            return self.sorted_by_one_column()
        return self.grouped() if kind < 3 else self.plain()


def difference(binary: Path, files: list[str], connection: sqlite3.Connection, sql: str) -> str:
    """What differs between the two answers; empty if nothing does."""
    done = subprocess.run([binary, sql, *files], capture_output=True, text=True)
    try:
        header, rows = answer(connection, sql)
    except sqlite3.Error as error:
        known = "integer overflow" in str(error) and "integer overflow" in done.stderr
        return "" if known else f"SQLite: {error}; csvql: {done.returncode} {done.stderr}"
    if done.returncode != 0:
        return done.stderr
    got = records(done.stdout)
    if got[0] != header:
        return f"header {got[0]!r}, SQLite {header!r}"
    mine, theirs = (got[1:], rows) if is_ordered(sql) else (sorted(got[1:]), sorted(rows))
    if mine == theirs:
        return ""
    pair = next(((a, b) for a, b in zip(mine, theirs) if a != b), ("", ""))
    return f"{len(mine)} rows, SQLite {len(theirs)}; {pair[0]!r}, SQLite {pair[1]!r}"


def compare_answers(binary: Path, directory: Path, count: int, seed: int) -> int:
    failures = checked = 0
    generator = Generator(seed)
    for size, part in ((30, 0.8), (150, 0.2)):
        tables = sample_tables(size, size)
        files = [str(write_csv(table, directory)) for table in tables]
        connection = load_sqlite(tables)
        for _ in range(int(count * part)):
            sql = generator.query()
            what = difference(binary, files, connection, sql)
            checked += 1
            if what:
                failures += 1
                print(f"FAILED {sql}\n    {what}")
            if failures == 10:
                return failures
    print(f"{checked} random queries: {failures} differences from SQLite {sqlite3.sqlite_version}")
    return failures


def fuzz(directory: Path, runs: int) -> int:
    """Runs the fuzz target from the queries of the tests; returns its exit status."""
    corpus = directory / "corpus"
    corpus.mkdir()
    for number, sql in enumerate(QUERIES):
        for table, name in (("people", "t"), ("visits", "u"), ("codes", "u"), ("city", "name"),
                            ("age", "id"), ("score", "price")):
            sql = sql.replace(table, name)
        fields = 'id,b,c\r\n1,"x ""y""",2.5\r\n,z,1e3\n3,,-4'
        (corpus / str(number)).write_text(f"{sql}{NUL}{fields}")
    sources = [str(path) for path in sorted(APP.glob("*.c")) if path.name != "main.c"]
    target = str(directory / "fuzz")
    subprocess.run([compiler(), *WARNINGS, *SANITIZE, "-fsanitize=fuzzer", "-o", target,
                    str(APP / "fuzz/fuzz.c"), *sources, "-lm"], check=True)
    done = subprocess.run([target, f"-runs={runs}", "-seed=1", "-timeout=20", str(corpus)],
                          capture_output=True, text=True)
    print(f"{runs} fuzz runs: " + ("no fault" if done.returncode == 0 else done.stderr[-4000:]))
    return done.returncode


def cpu_seconds(who: int, action: Callable[[], object]) -> float:
    before = resource.getrusage(who)
    action()
    after = resource.getrusage(who)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compare_times(binary: Path, directory: Path) -> None:
    tables: list[Table] = sample_tables(7, 20000)
    files = [str(write_csv(table, directory)) for table in tables]
    connection = load_sqlite(tables)
    print("\nCPU time of csvql over that of SQLite, which has the tables in memory; csvql's time "
          "includes\nreading them, which the first line shows:")
    for sql in ("SELECT 1",
                "SELECT count(*) FROM visits WHERE place LIKE '%a%' AND minutes BETWEEN 5 AND 30",
                "SELECT place, minutes, count(*), sum(cost) FROM visits GROUP BY place, minutes",
                "SELECT visit, place FROM visits ORDER BY place, cost DESC, visit",
                "SELECT city, count(*) FROM people JOIN visits ON id = person GROUP BY city"):
        mine = min(cpu_seconds(resource.RUSAGE_CHILDREN, lambda: subprocess.run(
            [binary, sql, *files], check=True, stdout=subprocess.DEVNULL)) for _ in range(3))
        theirs = min(cpu_seconds(resource.RUSAGE_SELF, lambda: connection.execute(sql).fetchall())
                     for _ in range(3))
        print(f"  {mine * 1e3:6.1f} ms / {theirs * 1e3:6.1f} ms  {sql}")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000, help="number of random queries")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fuzz", type=int, default=30000, help="number of fuzz runs")
    args = parser.parse_args(argv)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        checked = build(directory / "checked", sanitize=True)
        failures = compare_answers(checked, directory, args.count, args.seed)
        failures += fuzz(directory, args.fuzz)
        compare_times(build(directory / "fast", sanitize=False), directory)
    print(f"\n{time.monotonic() - started:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

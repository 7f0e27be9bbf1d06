"""Tables and answers to compare csvql with: SQLite, through Python's sqlite3 module.

A table is made twice from the same fields: as a CSV file, and in SQLite with the column types
that csvql's rule gives (integer, else decimal, else text; an empty field is NULL). SQLite then
converts the fields itself, by column affinity.
"""
import random
import re
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

Field = str | None
INTEGER = re.compile(r"[+-]?[0-9]+")
DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class Table:
    name: str
    columns: list[str]
    rows: list[list[Field]]


def is_integer(field: str) -> bool:
    return bool(INTEGER.fullmatch(field)) and -2**63 <= int(field) < 2**63


def column_type(fields: list[Field]) -> str:
    """The type that csvql gives to a column with these fields."""
    given = [field for field in fields if field is not None]
    if given and all(is_integer(field) for field in given):
        return "INTEGER"
    if given and all(DECIMAL.fullmatch(field) for field in given):
        return "REAL"
    return "TEXT"


def encode(value: object) -> str:
    """A value as csvql writes it. Reals are formatted here, since SQLite's own formatting is
    not correctly rounded in all versions."""
    if value is None:
        return ""
    if isinstance(value, float):
        text = f"{value + 0.0:.15g}".replace("inf", "Inf")
        if text == "-0":
            text = "0"
        if re.fullmatch(r"-?[0-9]+(e.*)?", text):
            mantissa, mark, exponent = text.partition("e")
            text = mantissa + ".0" + mark + exponent
        return text
    text = str(value)
    if not text or any(c in text for c in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def encode_row(values: Iterable[object]) -> str:
    return ",".join(encode(value) for value in values)


def write_csv(table: Table, directory: Path) -> Path:
    path = directory / f"{table.name}.csv"
    lines = [encode_row(table.columns)] + [encode_row(row) for row in table.rows]
    path.write_bytes("".join(line + "\n" for line in lines).encode())
    return path


def load_sqlite(tables: list[Table]) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    for table in tables:
        types = [column_type([row[i] for row in table.rows]) for i in range(len(table.columns))]
        columns = ", ".join(f'"{name}" {kind}' for name, kind in zip(table.columns, types))
        connection.execute(f'CREATE TABLE "{table.name}" ({columns})')
        marks = ", ".join("?" for _ in types)
        connection.executemany(f'INSERT INTO "{table.name}" VALUES ({marks})', table.rows)
    return connection


def answer(connection: sqlite3.Connection, sql: str) -> tuple[str, list[str]]:
    """SQLite's header and rows, encoded as csvql would write them."""
    cursor = connection.execute(sql)
    rows = [encode_row(row) for row in cursor]
    return encode_row([column[0] for column in cursor.description]), rows


def records(text: str) -> list[str]:
    """The records of CSV text, which may span lines."""
    found: list[str] = []
    open_quote = False
    for line in text.split("\n")[:-1]:
        if open_quote:
            found[-1] += "\n" + line
        else:
            found.append(line)
        open_quote ^= line.count('"') % 2 == 1
    return found


def is_ordered(sql: str) -> bool:
    return " order by " in " ".join(sql.lower().split())


WORDS = ["alpha", "Beta", "gamma ray", "delta", "Epsilon", "zeta,eta", 'the "old" mill', "ÄÖÜ",
         "naïve", "two\nlines", "a%b_c", "x", "€uro", "ALPHA", " alpha"]
NUMERALS = ["10", "9", "09", "1e2", "x7", " 5", "5 ", "0x1A", ".5", "-3abc", "2.50", "100", "+4",
            "1e", "99999999999999999999", "-", "1.5.2", "9223372036854775807"]
EXTREMES = ["9223372036854775807", "-9223372036854775808", "4611686018427387904", "0", "1",
            "-1", "3037000500", "-3037000500"]


def sample_tables(seed: int, size: int) -> list[Table]:
    """Tables with NULLs, odd text and extreme integers; reals are multiples of 1/8, so that
    sums do not depend on their order."""
    rng = random.Random(seed)

    def maybe(field: str) -> Field:
        return None if rng.random() < 0.12 else field

    def real() -> str:
        return str(rng.randrange(-4000, 4000) / 8)

    people = [[str(i), maybe(rng.choice(WORDS)), maybe(rng.choice(["Ulm", "Bonn", "Köln", "Ems"])),
               maybe(str(rng.randrange(18, 90))), maybe(real()), maybe(rng.choice(NUMERALS))]
              for i in range(1, size + 1)]
    visits = [[str(i), maybe(str(rng.randrange(1, size + size // 4))),
               maybe(rng.choice(WORDS)), maybe(str(rng.randrange(0, 40))), maybe(real()),
               maybe(rng.choice(EXTREMES))]
              for i in range(1, 2 * size + 1)]
    codes = [[text, maybe(str(i % 7)), None] for i, text in enumerate(NUMERALS)]
    return [
        Table("people", ["id", "name", "city", "age", "score", "code"], people),
        Table("visits", ["visit", "person", "place", "minutes", "cost", "big"], visits),
        Table("codes", ["code", "rank", "blank"], codes),
        Table("empty", ["id", "value"], []),
    ]

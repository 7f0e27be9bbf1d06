#!/usr/bin/env python3
"""Makes the tables that the workloads query: a shop's orders and its web server's events for
training; flights, sensors and a library's books for evaluation.

usage: generate.py OUTDIR
Writes CSV files to OUTDIR/train and OUTDIR/eval, the same ones on every run.
"""
import argparse
import random
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

Row = Sequence[object]


def field(value: object) -> str:
    text = str(value)
    if any(c in text for c in ',"\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def write(path: Path, columns: str, rows: Iterable[Row]) -> None:
    lines = [columns] + [",".join(map(field, row)) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")


def pick(rng: random.Random, words: Sequence[str]) -> str:
    """One of the words, the first ones more often."""
    return words[int(len(words) * rng.random() ** 1.7)]


def day(rng: random.Random, year: int) -> str:
    return f"{year}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"


def fixed(rng: random.Random, low: float, high: float, places: int) -> str:
    return f"{low + (high - low) * rng.random():.{places}f}"


FIRST = "Anna Ben Clara David Emil Frida Gustav Hanna Ivan Jule Karl Lena Moritz Nora Otto".split()
LAST = "Adler Bach Conrad Dietz Engel Fuchs Graf Haas Iser Jung Kern Lang Maier Noll".split()
CITIES = "Berlin Hamburg Köln Leipzig Bremen Ulm Kiel Trier Jena Bonn".split()
GOODS = ["lamp", "desk", "chair", "shelf, oak", "rug", '24" screen', "kettle", "mug", "sofa",
         "bin", "clock", "mirror, round"]
STATES = "shipped open paid returned lost".split()
PAGES = ["/", "/search", "/item", "/cart", "/login", "/help/faq", "/item/reviews", "/checkout"]
AGENTS = ["Mozilla/5.0 (X11; Linux)", "Mozilla/5.0 (Macintosh)", "curl/8.5", "Bot/2.1 (crawler)"]


def customers(rng: random.Random) -> Iterable[Row]:
    for number in range(1, 1501):
        yield (number, f"{pick(rng, FIRST)} {pick(rng, LAST)}", pick(rng, CITIES), day(rng, 2019),
               rng.randrange(0, 5), "" if rng.random() < 0.2 else fixed(rng, 0, 30, 1))


def orders(rng: random.Random) -> Iterable[Row]:
    for number in range(1, 6001):
        yield (10000 + number, rng.randrange(1, 1600), pick(rng, GOODS), rng.randrange(1, 9),
               fixed(rng, 2, 400, 2), pick(rng, STATES), day(rng, 2024),
               "" if rng.random() < 0.7 else f"gift for {pick(rng, FIRST)}")


def events(rng: random.Random) -> Iterable[Row]:
    clock = 1700000000
    for number in range(1, 9001):
        clock += rng.randrange(1, 90)
        status = 200 if rng.random() < 0.9 else rng.choice([301, 404, 500])
        yield (number, clock, pick(rng, PAGES), status, int(900 * rng.random() ** 3),
               "" if rng.random() < 0.4 else rng.randrange(1, 1500), pick(rng, AGENTS))


AIRPORTS = ["Oslo", "Porto", "Rome", "Sofia", "Tunis", "Vienna", "Warsaw", "Zürich", "Nice", "Lyon",
            "Malta", "Faro", "Cork", "Bari", "Graz", "Split", "Izmir", "Riga", "Turku", "Vigo"]
AIRCRAFT = ["A320", "B738", "E190", "A20N", "AT76", "CRJ9"]
REASONS = ["weather", "crew, late", "technical", "slot", "late \"inbound\" aircraft"]
SITES = ["roof", "cellar", "lab-1", "lab-2", "yard", "server room", "gate"]
UNITS = ["degC", "hPa", "lux", "percent"]
TOPICS = ["History", "Gardens", "Rivers", "Music", "Bread", "Stars", "Birds", "Bridges", "Maps"]
STYLES = ["A short guide to %s", "%s, and what they mean", "The %s book", "%s for everyone",
          "On %s", "The new \"%s\" reader", "Letters about %s\nwith notes"]
WRITERS = ["M. Okafor", "Lindqvist, Sara", "J. Tanaka", "Ana Ferreira", "de Vries, P.", "R. Singh",
           "E. Novák", "Li Wei", "H. Bernard"]


def airports(rng: random.Random) -> Iterable[Row]:
    for name in AIRPORTS:
        yield (name[:3].upper(), name, rng.randrange(1, 5), rng.randrange(2, 700))


def flights(rng: random.Random) -> Iterable[Row]:
    for number in range(1, 6001):
        delay = int(-15 + 200 * rng.random() ** 4)
        yield (f"PG{100 + number % 800}", day(rng, 2025), pick(rng, AIRPORTS)[:3].upper(),
               pick(rng, AIRPORTS)[:3].upper(), pick(rng, AIRCRAFT), rng.randrange(30, 230),
               "" if rng.random() < 0.03 else delay,
               pick(rng, REASONS) if delay > 30 else "")


def sensors(rng: random.Random) -> Iterable[Row]:
    for number in range(1, 12001):
        unit = number % len(UNITS)
        yield (number // 20, rng.randrange(1, 41), rng.choice(SITES), UNITS[unit],
               "" if rng.random() < 0.05 else fixed(rng, 10 ** unit, 3 * 10 ** unit, 3),
               rng.randrange(0, 2), fixed(rng, 2.9, 4.2, 2))


def books(rng: random.Random) -> Iterable[Row]:
    for number in range(1, 4001):
        yield (number, pick(rng, STYLES) % pick(rng, TOPICS), pick(rng, WRITERS),
               1900 + int(125 * rng.random() ** 0.5), rng.randrange(40, 900),
               "" if rng.random() < 0.3 else fixed(rng, 1, 5, 1), rng.randrange(0, 12))


def loans(rng: random.Random) -> Iterable[Row]:
    for number in range(1, 6001):
        yield (number, rng.randrange(1, 4001), rng.randrange(1, 600), day(rng, 2025),
               "" if rng.random() < 0.2 else rng.randrange(1, 60))


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("outdir", type=Path)
    out: Path = parser.parse_args(argv).outdir
    (out / "train").mkdir(parents=True, exist_ok=True)
    (out / "eval").mkdir(parents=True, exist_ok=True)
    write(out / "train/customers.csv", "id,name,city,since,level,discount",
          customers(random.Random(11)))
    write(out / "train/orders.csv", "id,customer,item,quantity,price,state,day,note",
          orders(random.Random(12)))
    write(out / "train/events.csv", "id,time,page,status,ms,customer,agent",
          events(random.Random(13)))
    write(out / "eval/airports.csv", "code,name,runways,elevation", airports(random.Random(21)))
    write(out / "eval/flights.csv", "flight,day,origin,target,aircraft,seats,delay,reason",
          flights(random.Random(22)))
    write(out / "eval/sensors.csv", "tick,device,site,unit,value,flag,battery",
          sensors(random.Random(23)))
    write(out / "eval/books.csv", "id,title,author,year,pages,rating,shelf",
          books(random.Random(24)))
    write(out / "eval/loans.csv", "id,book,reader,day,days", loans(random.Random(25)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

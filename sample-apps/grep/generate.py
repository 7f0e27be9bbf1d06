"""Write the texts and pattern lists that the workloads search: generate.py OUTDIR.

Training and evaluation texts are of the same kinds (logs, source code, prose, CSV, a directory
of small files) but have different formats, vocabularies, lengths and seeds.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

ONSETS = "b br c ch d dr f fl g gr h j k l m n p pl qu r s sh sl st t tr v w".split()
VOWELS = "a e i o u ai ea ou".split()
CODAS = ["", "", "", "n", "r", "s", "t", "l", "nd", "st", "m", "ck"]


def pick(rng: Random, items: list[str]) -> str:
    return items[rng.randrange(len(items))]


def pick_early(rng: Random, items: list[str]) -> str:
    """Prefer the front of the list, as languages prefer their short words."""
    return items[int(len(items) * rng.random() ** 3)]


def vocabulary(rng: Random, count: int) -> list[str]:
    words: set[str] = set()
    while len(words) < count:
        syllables = 1 + rng.randrange(3)
        words.add("".join(pick(rng, ONSETS) + pick(rng, VOWELS) + pick(rng, CODAS)
                          for _ in range(syllables)))
    return sorted(words, key=lambda word: (len(word), word))


def prose(rng: Random, words: list[str], width: int) -> Iterator[str]:
    line: list[str] = []
    length = 0
    left = 0
    while True:
        word = pick_early(rng, words)
        if left == 0:
            left = 4 + rng.randrange(20)
            word = word.capitalize()
        left -= 1
        word += "." if left == 0 else "," if rng.randrange(11) == 0 else ""
        if length + len(word) > width:
            yield " ".join(line)
            line, length = [], 0
            if rng.randrange(9) == 0:
                yield ""
        line.append(word)
        length += len(word) + 1


def access_log(rng: Random, words: list[str]) -> Iterator[str]:
    second = 0
    while True:
        second += rng.randrange(3)
        address = ".".join(str(rng.randrange(1, 255)) for _ in range(4))
        path = "/".join(pick_early(rng, words) for _ in range(1 + rng.randrange(4)))
        query = f"?id={rng.randrange(100000)}" if rng.randrange(4) == 0 else ""
        status = [200, 200, 200, 200, 200, 200, 301, 304, 304, 404, 403, 500, 503][
            int(13 * rng.random() ** 1.5)]
        yield (f'{address} - - [12/Mar/2024:{second // 3600 % 24:02}:{second // 60 % 60:02}:'
               f'{second % 60:02} +0000] "{pick(rng, ["GET", "GET", "GET", "POST", "HEAD"])} '
               f'/{path}{query} HTTP/1.1" {status} {rng.randrange(80000)}')


def service_log(rng: Random, words: list[str]) -> Iterator[str]:
    levels = ["DEBUG", "INFO", "INFO", "INFO", "INFO", "WARN", "ERROR"]
    events = ["opened", "closed", "Timeout after", "retried", "refused by", "written to",
              "Connection reset by", "read from"]
    millisecond = 0
    while True:
        millisecond += rng.randrange(900)
        seconds = millisecond // 1000
        yield (f"2025-10-{1 + seconds // 86400:02}T{seconds // 3600 % 24:02}:"
               f"{seconds // 60 % 60:02}:{seconds % 60:02}.{millisecond % 1000:03}Z "
               f"{pick(rng, levels)} {pick_early(rng, words)}[{rng.randrange(30000)}]: "
               f"{pick(rng, events)} {pick(rng, words)}-{rng.randrange(9)} "
               f"10.{rng.randrange(4)}.{rng.randrange(256)}.{rng.randrange(256)}:"
               f"{1024 + rng.randrange(60000)} in {rng.randrange(4000)} ms")


def c_source(rng: Random, words: list[str]) -> Iterator[str]:
    def name() -> str:
        return "_".join(pick_early(rng, words) for _ in range(1 + rng.randrange(2)))

    while True:
        yield f"/* {' '.join(pick(rng, words) for _ in range(6)).capitalize()}. */"
        yield f"static int {name()}(struct {name()} *{name()}, size_t {name()})"
        yield "{"
        for _ in range(3 + rng.randrange(12)):
            kind = rng.randrange(6)
            indent = "    " * (1 + rng.randrange(3))
            if kind == 0:
                yield f"{indent}if ({name()} != NULL && {name()}->{name()} < {rng.randrange(99)})"
            elif kind == 1:
                yield f'{indent}    error("{name()}: %s\\n", {name()}({name()}));'
            elif kind == 2:
                yield f"{indent}for (int i = 0; i < {name()}; i++)"
            elif kind == 3:
                yield f"{indent}    {name()}[i] = {name()}({name()}, 0x{rng.getrandbits(16):04x});"
            elif kind == 4:
                yield f"{indent}{name()} = {name()} + {rng.randrange(1000)};"
            else:
                yield f"{indent}return {name()}({name()}, {name()});"
        yield "}"
        yield ""


def python_source(rng: Random, words: list[str]) -> Iterator[str]:
    def name() -> str:
        return "_".join(pick_early(rng, words) for _ in range(1 + rng.randrange(3)))

    while True:
        if rng.randrange(5) == 0:
            yield f"class {pick(rng, words).capitalize()}({pick(rng, words).capitalize()}):"
        yield f"    def {name()}(self, {name()}: int, {name()}: str = '') -> None:"
        yield f'        """{" ".join(pick(rng, words) for _ in range(5)).capitalize()}."""'
        for _ in range(2 + rng.randrange(9)):
            indent = "    " * (2 + rng.randrange(3))
            kind = rng.randrange(5)
            if kind == 0:
                yield f"{indent}if self.{name()} is not None and {name()} > {rng.randrange(50)}:"
            elif kind == 1:
                yield f"{indent}    raise ValueError(f'{name()}: {{{name()}}}')"
            elif kind == 2:
                yield f"{indent}for {name()} in self.{name()}.items():  # {pick(rng, words)}"
            elif kind == 3:
                yield f"{indent}self.{name()}[{rng.randrange(10)}] = {name()}({name()})"
            else:
                yield f"{indent}return {name()}({name()}, {name()}={rng.randrange(1000)})"
        yield ""


def orders(rng: Random, words: list[str]) -> Iterator[str]:
    yield "order,customer,city,amount,paid,shipped"
    number = 100000
    while True:
        number += 1 + rng.randrange(5)
        amount = f"{rng.randrange(3000)}.{rng.randrange(100):02}" if rng.randrange(40) else ""
        day = f"2023-{1 + rng.randrange(12):02}-{1 + rng.randrange(28):02}"
        yield (f"{number},{pick(rng, words).capitalize()},{pick_early(rng, words)},{amount},"
               f"{pick(rng, ['yes', 'no'])},{day if rng.randrange(6) else ''}")


def readings(rng: Random, words: list[str]) -> Iterator[str]:
    yield "station;time;temperature;humidity;pressure;remark"
    minute = 0
    while True:
        minute += 10
        values = [f"{rng.randrange(-200, 400) / 10:.1f}" if rng.randrange(30) else "NA"
                  for _ in range(3)]
        remark = pick(rng, words) if rng.randrange(8) == 0 else ""
        yield (f"{pick_early(rng, words).upper()}{rng.randrange(100):02};"
               f"{minute // 60 % 24:02}:{minute % 60:02};{';'.join(values)};{remark}")


def write(path: Path, lines: Iterator[str], size: int) -> None:
    """Write about `size` bytes of the lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="ascii", newline="\n") as file:
        while file.tell() < size:
            file.write("".join(f"{next(lines)}\n" for _ in range(100)))


Maker = Callable[[Random, list[str]], Iterator[str]]


def write_tree(path: Path, rng: Random, words: list[str], makers: list[Maker], files: int) -> None:
    for i in range(files):
        folder = path / pick(rng, words[:8]) / pick(rng, words[8:12])
        maker = makers[i % len(makers)]
        write(folder / f"{pick(rng, words)}{i}.txt", maker(rng, words), 8000 + rng.randrange(48000))


def write_words(path: Path, rng: Random, words: list[str], count: int) -> None:
    path.write_text("".join(f"{pick(rng, words)}\n" for _ in range(count)), encoding="ascii")


def write_train(path: Path) -> None:
    rng = Random(11)
    words = vocabulary(rng, 3000)
    write(path / "access.log", access_log(rng, words), 2_400_000)
    write(path / "driver.c", c_source(rng, words), 1_200_000)
    write(path / "novel.txt", prose(rng, words, 72), 1_200_000)
    write(path / "orders.csv", orders(rng, words), 1_600_000)
    write_tree(path / "tree", rng, words, [c_source, lambda r, w: prose(r, w, 60)], 44)
    write_words(path / "names.txt", rng, words, 30)
    write_words(path / "marks.txt", rng, words, 12)


def write_eval(path: Path) -> None:
    rng = Random(29)
    words = vocabulary(rng, 4200)
    write(path / "service.log", service_log(rng, words), 2_400_000)
    write(path / "letters.txt", prose(rng, words, 64), 1_900_000)
    write(path / "readings.csv", readings(rng, words), 1_600_000)
    write_tree(path / "archive", rng, words,
               [python_source, service_log, lambda r, w: prose(r, w, 80)], 52)
    write_words(path / "terms.txt", rng, words, 24)
    write_words(path / "topics.txt", rng, words, 16)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("outdir", type=Path, metavar="OUTDIR")
    outdir = parser.parse_args(argv).outdir
    write_train(outdir / "train")
    write_eval(outdir / "eval")
    return 0


if __name__ == "__main__":
    sys.exit(main())

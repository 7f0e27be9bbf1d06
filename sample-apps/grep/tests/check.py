"""Compare grep with GNU grep on generated expressions and texts; print relative CPU times.

GNU grep 3.8 has a few bugs of its own with -o and -w, and some expressions keep it busy for
ages. Where the two differ, a matcher that follows the definition decides: it tries every
beginning and every end. A difference counts as a failure unless this matcher sides with us.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from test_grep import APP, OPTIMIZED, Command, build, gnu_command, outcome

PACKAGES = ["grep"]

ALPHABET = "aab b_c-A.B"
WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789")
SPACE = frozenset(" \t\v\f\r")
OPTIONS = ["", "-o", "-c", "-io", "-w", "-ow", "-vn", "-in", "-inow", "-cv"]


@dataclass(frozen=True)
class Node:
    """An expression: its text, and what it is made of."""

    kind: str  # set, assert, concat, either, repeat
    text: str
    members: frozenset[str] = frozenset()
    inverted: bool = False
    parts: tuple["Node", ...] = ()
    least: int = 0
    most: int = 0


SETS = [
    Node("set", ".", frozenset(), True),
    Node("set", "[ab]", frozenset("ab")),
    Node("set", "[^a]", frozenset("a"), True),
    Node("set", "[a-c]", frozenset("abc")),
    Node("set", "[A-Ca]", frozenset("ABCa")),
    Node("set", "[-a]", frozenset("-a")),
    Node("set", "[]b]", frozenset("]b")),
    Node("set", "[b-]", frozenset("b-")),
    Node("set", "[[:alpha:]]", WORD - frozenset("_0123456789")),
    Node("set", "[[:upper:]_]", frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ_")),
    Node("set", "[^[:space:]b]", SPACE | {"b"}, True),
    Node("set", r"\w", WORD),
    Node("set", r"\W", WORD, True),
    Node("set", r"\s", SPACE),
    Node("set", r"\S", SPACE, True),
]
ASSERTIONS = [Node("assert", text) for text in ["^", "$", r"\b", r"\B", r"\<", r"\>"]]
REPEATS = [("*", 0, 99), ("+", 1, 99), ("?", 0, 1), ("{2}", 2, 2), ("{1,2}", 1, 2),
           ("{0,2}", 0, 2), ("{2,}", 2, 99), ("{,3}", 0, 3)]


class Maker:
    """Makes random expressions."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng

    def atom(self, depth: int) -> Node:
        kind = self.rng.randrange(20)
        if kind < 6 and depth > 0:
            inner = self.either(depth - 1)
            return Node("concat", f"({inner.text})", parts=(inner,))
        if kind < 9:
            return SETS[self.rng.randrange(len(SETS))]
        byte = "abc_ -A.B"[self.rng.randrange(9)]
        return Node("set", r"\." if byte == "." else byte, frozenset(byte))

    def item(self, depth: int) -> Node:
        if self.rng.randrange(9) == 0:
            return ASSERTIONS[self.rng.randrange(len(ASSERTIONS))]
        atom = self.atom(depth)
        if self.rng.randrange(5) > 1:
            return atom
        text, least, most = REPEATS[self.rng.randrange(len(REPEATS))]
        return Node("repeat", atom.text + text, parts=(atom,), least=least, most=most)

    def concat(self, depth: int) -> Node:
        count = 0 if self.rng.randrange(15) == 0 else 1 + self.rng.randrange(4)
        parts = tuple(self.item(depth) for _ in range(count))
        return Node("concat", "".join(part.text for part in parts), parts=parts)

    def either(self, depth: int) -> Node:
        count = 1 if self.rng.randrange(3) else 1 + self.rng.randrange(3)
        parts = tuple(self.concat(depth) for _ in range(count))
        return Node("either", "|".join(part.text for part in parts), parts=parts)

    def text(self) -> str:
        return "".join(
            "".join(ALPHABET[self.rng.randrange(len(ALPHABET))]
                    for _ in range(self.rng.randrange(13))) + "\n"
            for _ in range(14))


class Definition:
    """What grep is defined to do with one line."""

    def __init__(self, expression: Node, line: str, options: str) -> None:
        self.line = line
        self.expression = expression
        self.fold = "i" in options
        self.words = "w" in options
        self.known: dict[tuple[int, int], frozenset[int]] = {}

    def is_word(self, i: int) -> bool:
        return 0 <= i < len(self.line) and self.line[i] in WORD

    def holds(self, assertion: str, i: int) -> bool:
        before, after = self.is_word(i - 1), self.is_word(i)
        return {
            "^": i == 0, "$": i == len(self.line), r"\b": before != after,
            r"\B": before == after, r"\<": after and not before, r"\>": before and not after,
        }[assertion]

    def accepts(self, node: Node, byte: str) -> bool:
        forms = {byte, byte.lower(), byte.upper()} if self.fold else {byte}
        return bool(forms & node.members) != node.inverted

    def ends(self, node: Node, i: int) -> frozenset[int]:
        """Where matches of the node that begin at i end."""
        key = (id(node), i)
        if key not in self.known:
            self.known[key] = frozenset(self.find_ends(node, i))
        return self.known[key]

    def find_ends(self, node: Node, i: int) -> Iterator[int]:
        if node.kind == "set":
            if i < len(self.line) and self.accepts(node, self.line[i]):
                yield i + 1
        elif node.kind == "assert":
            if self.holds(node.text, i):
                yield i
        elif node.kind == "either":
            for part in node.parts:
                yield from self.ends(part, i)
        elif node.kind == "concat":
            places = frozenset([i])
            for part in node.parts:
                places = frozenset(end for place in places for end in self.ends(part, place))
            yield from places
        else:
            places = frozenset([i])
            for count in range(node.most + 1):
                if count >= node.least:
                    yield from places
                if not places:
                    break
                places = frozenset(
                    end for place in places for end in self.ends(node.parts[0], place))

    def is_match(self, begin: int, end: int) -> bool:
        return not self.words or not (self.is_word(begin - 1) or self.is_word(end))

    def longest(self, begin: int) -> int:
        """The end of the longest match that begins there, or -1."""
        return max((end for end in self.ends(self.expression, begin)
                    if self.is_match(begin, end)), default=-1)

    def spans(self) -> list[str]:
        found, begin = [], 0
        while begin < len(self.line):
            end = self.longest(begin)
            if end > begin:
                found.append(self.line[begin:end])
            begin = max(end, begin + 1)
        return found

    def matches(self) -> bool:
        return any(self.longest(begin) >= 0 for begin in range(len(self.line) + 1))


def defined_output(expression: Node, text: str, options: str) -> tuple[bytes, int]:
    output: list[str] = []
    selected = 0
    for number, line in enumerate(text.splitlines(), 1):
        definition = Definition(expression, line, options)
        if definition.matches() == ("v" in options):
            continue
        selected += 1
        prefix = f"{number}:" if "n" in options else ""
        output += [prefix + part for part in
                   (definition.spans() if "o" in options else [line])]
    if "c" in options:
        output = [str(selected)]
    return "".join(f"{line}\n" for line in output).encode(), 0 if selected else 1


def gnu_outcome(arguments: list[str], text: bytes) -> tuple[bytes, int] | None:
    try:
        return outcome(gnu_command(arguments), text, timeout=2)
    except subprocess.TimeoutExpired:
        return None


def check_expressions(program: Path, rng: Random, pairs: int) -> int:
    maker = Maker(rng)
    failures = gnu_wrong = gnu_hung = 0
    for i in range(pairs):
        expression, text = maker.either(2), maker.text()
        options = OPTIONS[i % len(OPTIONS)]
        arguments = [*options.split(), "-e", expression.text]
        ours = outcome([program, *arguments], text.encode())
        gnu = gnu_outcome(arguments, text.encode())
        if ours == gnu:
            continue
        if ours == defined_output(expression, text, options):
            gnu_hung += gnu is None
            gnu_wrong += gnu is not None
        else:
            failures += 1
            print(f"differs: grep {' '.join(arguments)!r} on {text!r}: {ours}, GNU {gnu}")
    print(f"expressions: {pairs} compared, {failures} failures; GNU grep was wrong in "
          f"{gnu_wrong} and had no answer after two seconds in {gnu_hung}")
    return failures


def check_strings(program: Path, rng: Random, pairs: int) -> int:
    maker = Maker(rng)
    failures = 0
    for i in range(pairs):
        strings = "\n".join(
            "".join("aabc-.A"[rng.randrange(7)] for _ in range(1 + rng.randrange(5)))
            for _ in range(1 + rng.randrange(6)))
        arguments = ["-F", *["", "-o", "-i", "-ion", "-c"][i % 5].split(), "-e", strings]
        text = maker.text().encode()
        ours, gnu = outcome([program, *arguments], text), gnu_outcome(arguments, text)
        if ours != gnu:
            failures += 1
            print(f"differs: grep {arguments} on {text!r}: {ours}, GNU {gnu}")
    print(f"strings: {pairs} compared, {failures} failures")
    return failures


SPEED = [
    ["-n", "-e", '" (40[34]|50[0-9]) [0-9]+$', "train/access.log"],
    ["-o", "-e", r"[a-z_]+\([a-z_, ]*\)", "train/driver.c"],
    ["-o", "-i", "-w", "-f", "train/names.txt", "train/novel.txt"],
    ["-n", "-i", "-e", r"(timeout|reset|refused) .*10\.3\.", "eval/service.log"],
    ["-c", "-e", "[aeiou].{5,20}[xyz]", "eval/letters.txt"],
    ["-c", "-F", "-e", "ERROR", "eval/service.log"],
    ["-r", "-c", "-F", "-i", "-f", "eval/topics.txt", "eval/archive"],
]


def cpu_seconds(command: Command, directory: Path) -> float:
    """Run with a file as output: GNU grep stops early if it is /dev/null."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with (directory / "output").open("wb") as output:
        subprocess.run(command, cwd=directory, stdout=output, env={**os.environ, "LC_ALL": "C"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def print_speed(program: Path, directory: Path) -> None:
    print("CPU time of GNU grep over ours (medians of 15 interleaved pairs):")
    for arguments in SPEED:
        ratios = [cpu_seconds(gnu_command(arguments), directory)
                  / cpu_seconds([program, *arguments], directory) for _ in range(15)]
        print(f"  {statistics.median(ratios):6.2f}  grep {' '.join(arguments)}")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=6000, help="how many to compare")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        program = build(directory / "grep", OPTIMIZED)
        failures = check_expressions(program, Random(args.seed), args.pairs)
        failures += check_strings(program, Random(args.seed), args.pairs // 4)
        subprocess.run([sys.executable, APP / "generate.py", directory], check=True)
        print_speed(program, directory)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

"""Tests of the parser: it is built with the sanitizers, and run as a user would."""

import dataclasses
import importlib.util
import json
import math
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
from decimal import Decimal, localcontext
from typing import Any

import pytest

APP = pathlib.Path(__file__).resolve().parent.parent
STRICT = "-std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror".split()
SANITIZED = "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all".split()


def find_clang() -> str:
    """$CLANG, or the newest that is installed."""
    if "CLANG" in os.environ:
        return os.environ["CLANG"]
    by_version = sorted(
        pathlib.Path("/usr/lib").glob("llvm-*/bin/clang"),
        key=lambda path: int(path.parts[3].removeprefix("llvm-")),
    )
    found = shutil.which("clang-22") or (str(by_version[-1]) if by_version else None)
    assert found is not None, "no clang: install clang-22 or set CLANG"
    return found


def build(output: pathlib.Path, flags: list[str], sources: list[pathlib.Path]) -> pathlib.Path:
    """Compile without a warning."""
    subprocess.run([find_clang(), *STRICT, *flags, *sources, "-o", output, "-lm"], check=True)
    return output


@pytest.fixture(scope="session")
def parser(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The program with sanitizers."""
    output = tmp_path_factory.mktemp("sanitized") / "parser"
    return build(output, SANITIZED, sorted(APP.glob("*.c")))


@pytest.fixture(scope="session")
def optimized(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The program as it is used."""
    return build(tmp_path_factory.mktemp("optimized") / "parser", ["-O2"], sorted(APP.glob("*.c")))


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The workload documents."""
    directory = tmp_path_factory.mktemp("inputs")
    subprocess.run([sys.executable, APP / "generate.py", directory], check=True)
    return directory


@dataclasses.dataclass(frozen=True)
class Result:
    """What a run left."""

    status: int
    out: bytes
    err: str


def run(program: pathlib.Path, *arguments: object, stdin: bytes = b"") -> Result:
    """Run the program with arguments and standard input."""
    command = [str(program), *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    return Result(done.returncode, done.stdout, done.stderr.decode())


# Valid documents, and how they are printed.
ACCEPTED = [
    (b"null", b"null"),
    (b" \t\r\n true \t\r\n ", b"true"),
    (b"false", b"false"),
    (b'""', b'""'),
    (b"[]", b"[]"),
    (b"{ }", b"{}"),
    (b"[[ ],{ },[[ ] ] ]", b"[[],{},[[]]]"),
    (b'{"a" : 1 , "b" : [ 2 , {"c" : null} ] }', b'{"a":1,"b":[2,{"c":null}]}'),
    (b'{"b":1,"a":2,"b":3}', b'{"b":1,"a":2,"b":3}'),
    (b'{"":{"":""}}', b'{"":{"":""}}'),
    # escapes
    (rb'"\"\\\/\b\f\n\r\t"', rb'"\"\\/\b\f\n\r\t"'),
    (rb'"\u0000\u0001\u000b\u001F\u007f"', b'"\\u0000\\u0001\\u000b\\u001f\x7f"'),
    (rb'"\u0041\u00e9\u20AC\uffff"', "\"A\u00e9\u20ac\uffff\"".encode()),
    (rb'"\ud83d\ude00 \uDBFF\uDFFF"', "\"\U0001f600 \U0010ffff\"".encode()),
    (rb'{"\u0061":"x\ty"}', rb'{"a":"x\ty"}'),
    # the limits of UTF-8
    (b'"\xc2\x80\xdf\xbf\xe0\xa0\x80"', b'"\xc2\x80\xdf\xbf\xe0\xa0\x80"'),
    (b'"\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"', b'"\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"'),
    (b'"\\n\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"', b'"\\n\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"'),
    # integers
    (b"[0,-0,7,-7,10,1234567890]", b"[0,-0,7,-7,10,1234567890]"),
    (b"72057594037927935", b"72057594037927935"),
    (b"-72057594037927936", b"-72057594037927936"),
    (b"9223372036854775808", b"9223372036854775808"),
    (b"99999999999999999999999999999999", b"99999999999999999999999999999999"),
    # fractions and exponents
    (b"[0.0,-0.0,0e9,0E-99999,1.0,1e0]", b"[0.0,-0.0,0.0,0.0,1.0,1.0]"),
    (b"[0.1,0.30000000000000004,1.10]", b"[0.1,0.30000000000000004,1.1]"),
    (b"[1e15,1e16,1E+2,12e-1]", b"[1000000000000000.0,1e16,100.0,1.2]"),
    (b"[0.0001,0.00001,123e-7]", b"[0.0001,1e-5,1.23e-5]"),
    (b"3.14159265358979323846", b"3.141592653589793"),
    (b"[5e-324,2.2250738585072014e-308]", b"[5e-324,2.2250738585072014e-308]"),
    (b"1.7976931348623157e308", b"1.7976931348623157e308"),
    (b"9007199254740993.0", b"9007199254740992.0"),
    (b"9007199254740993.00000000000000000000000001", b"9007199254740994.0"),
    (b"1" + b"0" * 400 + b"e-400", b"1.0"),
    (b"0." + b"0" * 400 + b"1e401", b"1.0"),
    # what a double cannot hold is kept as written
    (b"[1e309,-1.50E+400,1e-400]", b"[1e309,-1.50E+400,1e-400]"),
    (b"1e99999999999999999999999999", b"1e99999999999999999999999999"),
    (b"1e-99999999999999999999999999", b"1e-99999999999999999999999999"),
    (b"1.7976931348623159e308", b"1.7976931348623159e308"),
    (b"2.4703282292062327e-324", b"2.4703282292062327e-324"),
    (b"2.4703282292062328e-324", b"5e-324"),
]


@pytest.mark.parametrize(("document", "printed"), ACCEPTED)
def test_a_valid_document_is_printed_minified(
    parser: pathlib.Path, document: bytes, printed: bytes
) -> None:
    assert run(parser, "print", stdin=document) == Result(0, printed + b"\n", "")


@pytest.mark.parametrize(("document", "printed"), ACCEPTED)
def test_what_is_printed_is_printed_the_same_again(
    parser: pathlib.Path, document: bytes, printed: bytes
) -> None:
    assert run(parser, "print", stdin=printed).out == printed + b"\n"


END = ", but the input ends here"
ITEM, MEMBER = "expected ',' or ']'", "expected ',' or '}'"
NAME = "expected a member name in double quotes"
UTF8, CONTROL = "ill-formed UTF-8", "control character in a string must be escaped"
HEX = "expected four hexadecimal digits after \\u"
UNPAIRED = "\\u escape is an unpaired surrogate"
UNCLOSED = "string without a closing quote"
DEEP = "nested too deeply (more than 1024 levels)"

# Invalid documents, and line, column and cause of the error.
REJECTED = [
    (b"", 1, 1, "expected a value" + END),
    (b" \n ", 2, 2, "expected a value" + END),
    (b"\xef\xbb\xbf{}", 1, 1, "JSON must not start with a byte order mark"),
    (b"\x00", 1, 1, "expected a value"),
    (b"\xa0", 1, 1, "expected a value"),
    (b"\x0c1", 1, 1, "expected a value"),
    (b"1 2", 1, 3, "expected the end of the input"),
    (b"[] \x00", 1, 4, "expected the end of the input"),
    (b"// x\n1", 1, 1, "expected a value"),
    (b"'a'", 1, 1, "expected a value"),
    # literals
    (b"tru", 1, 1, "expected a value"),
    (b"nul\x00", 1, 1, "expected a value"),
    (b"True", 1, 1, "expected a value"),
    (b"truey", 1, 5, "expected the end of the input"),
    (b"NaN", 1, 1, "expected a value"),
    (b"[-Infinity]", 1, 3, "expected a digit after the minus sign"),
    # arrays and objects
    (b"[", 1, 2, "expected a value" + END),
    (b"[1", 1, 3, ITEM + END),
    (b"[1,", 1, 4, "expected a value" + END),
    (b"[1,]", 1, 4, "expected a value"),
    (b"[,1]", 1, 2, "expected a value"),
    (b"[1 2]", 1, 4, ITEM),
    (b"[1}", 1, 3, ITEM),
    (b"]", 1, 1, "expected a value"),
    (b"{", 1, 2, NAME + END),
    (b"{1:2}", 1, 2, NAME),
    (b'{"a"}', 1, 5, "expected ':'"),
    (b'{"a":}', 1, 6, "expected a value"),
    (b'{"a":1]', 1, 7, MEMBER),
    (b'{"a":1,}', 1, 8, NAME),
    (b'{"a":1 "b":2}', 1, 8, MEMBER),
    (b'{\n "a": [\r\n  1,\n\t x]}', 4, 3, "expected a value"),
    (b"[" * 1025 + b"]" * 1025, 1, 1025, DEEP),
    (b'{"":' * 1025 + b"1" + b"}" * 1025, 1, 4097, DEEP),
    (b"[" * 100_000, 1, 1025, DEEP),
    # numbers
    (b"-", 1, 2, "expected a digit after the minus sign" + END),
    (b"+1", 1, 1, "expected a value"),
    (b".5", 1, 1, "expected a value"),
    (b"01", 1, 1, "a number must not start with a zero"),
    (b"-00", 1, 2, "a number must not start with a zero"),
    (b"1.", 1, 3, "expected a digit after the decimal point" + END),
    (b"1.e5", 1, 3, "expected a digit after the decimal point"),
    (b"1e", 1, 3, "expected a digit in the exponent" + END),
    (b"1e+", 1, 4, "expected a digit in the exponent" + END),
    (b"1e5.5", 1, 4, "expected the end of the input"),
    (b"0x10", 1, 2, "expected the end of the input"),
    (b"1_000", 1, 2, "expected the end of the input"),
    # strings
    (b'"abc', 1, 1, UNCLOSED),
    (b'["a\\n', 1, 2, UNCLOSED),
    (b'"a\\"', 1, 1, UNCLOSED),
    (b'"a\x00"', 1, 3, CONTROL),
    (b'"a\nb"', 1, 3, CONTROL),
    (b'"\\n\x1f"', 1, 4, CONTROL),
    (b'"\\x41"', 1, 2, "unknown escape"),
    (b'"\\', 1, 2, "unknown escape"),
    (b'"ab\\u12g4"', 1, 4, HEX),
    (b'"\\u123', 1, 2, HEX),
    (b'"\\ud800"', 1, 2, UNPAIRED),
    (b'"\\udc00"', 1, 2, UNPAIRED),
    (b'"\\ud800\\ud800"', 1, 2, UNPAIRED),
    (b'"\\ud800\\u0041"', 1, 2, UNPAIRED),
    (b'"\\ud800\\n"', 1, 2, UNPAIRED),
    (b'"\\ud800\\udc0"', 1, 2, UNPAIRED),
    # UTF-8: continuation alone, overlong, surrogates, too large, cut off
    (b'"\x80"', 1, 2, UTF8),
    (b'"\xc0\x80"', 1, 2, UTF8),
    (b'"\xc1\xbf"', 1, 2, UTF8),
    (b'"\xe0\x9f\xbf"', 1, 2, UTF8),
    (b'"\xf0\x8f\xbf\xbf"', 1, 2, UTF8),
    (b'"\xed\xa0\x80"', 1, 2, UTF8),
    (b'"\xed\xbf\xbf"', 1, 2, UTF8),
    (b'"\xf4\x90\x80\x80"', 1, 2, UTF8),
    (b'"\xf5\x80\x80\x80"', 1, 2, UTF8),
    (b'"\xff"', 1, 2, UTF8),
    (b'"\xc3"', 1, 2, UTF8),
    (b'"\xe2\x82"', 1, 2, UTF8),
    (b'"\xf0\x9f\x98"', 1, 2, UTF8),
    (b'"\xf0\x9f\x98', 1, 2, UTF8),
    (b'"\\n\xc3\xa9\xc3("', 1, 5, UTF8),
]


@pytest.mark.parametrize(("document", "line", "column", "what"), REJECTED)
def test_an_invalid_document_is_rejected_with_place_and_cause(
    parser: pathlib.Path, document: bytes, line: int, column: int, what: str
) -> None:
    result = run(parser, "check", stdin=document)
    assert (result.status, result.out) == (1, b"")
    assert result.err.splitlines()[0] == f"<stdin>:{line}:{column}: {what}"


# Documents, and the two lines below the error message.
SHOWN = [
    (b"[1,\n 2 3,\n4]", " 2 3,", "   ^"),
    (b'\t["a" 1]', ' ["a" 1]', "      ^"),
    (b'{"a": "x\ny"}', '{"a": "x', "        ^"),
    ('["é日😀" 1]'.encode(), '["é日😀" 1]', "       ^"),
    (b'["\xc3\xa9" \x1b\xc2\x9b\xff\x7f]\r\n', '["é" ????]', "     ^"),
    (b"[1,\n", "", "^"),
]


@pytest.mark.parametrize(("document", "line", "caret"), SHOWN)
def test_an_error_shows_its_line_with_a_caret(
    parser: pathlib.Path, document: bytes, line: str, caret: str
) -> None:
    assert run(parser, "check", stdin=document).err.split("\n")[1:] == [line, caret, ""]


@pytest.mark.parametrize(
    ("before", "after", "shown", "caret"),
    [
        (38, 35, '"' + "é" * 38 + '"x' + "y" * 35, 40),
        (200, 400, "..." + "é" * 39 + '"x' + "y" * 35 + "...", 43),
        (200, 3, "..." + "é" * 39 + '"xyyy', 43),
    ],
    ids=["whole", "middle", "end"],
)
def test_a_long_line_is_shown_around_the_error(
    parser: pathlib.Path, before: int, after: int, shown: str, caret: int
) -> None:
    document = '"' + "é" * before + '"x' + "y" * after
    lines = run(parser, "check", stdin=document.encode()).err.splitlines()
    assert lines[0] == f"<stdin>:1:{before + 3}: expected the end of the input"
    assert lines[1:] == [shown, " " * caret + "^"]


def test_indented_output_has_a_line_per_value(parser: pathlib.Path) -> None:
    document = b'{"a":[1,[],{}],"b":{"c":"d"}}'
    printed = (
        b'{\n  "a": [\n    1,\n    [],\n    {}\n  ],\n'
        b'  "b": {\n    "c": "d"\n  }\n}\n'
    )
    assert run(parser, "print", "--indent", 2, stdin=document) == Result(0, printed, "")


@pytest.mark.parametrize("indent", [0, 1, 16])
def test_the_layout_is_that_of_python(
    parser: pathlib.Path, inputs: pathlib.Path, indent: int
) -> None:
    path = inputs / "train" / "catalog.json"
    layout: Any = {"indent": indent} if indent else {"separators": (",", ":")}
    expected = json.dumps(json.loads(path.read_bytes()), ensure_ascii=False, **layout)
    assert run(parser, "print", "--indent", indent, path).out.decode() == expected + "\n"


QUERIED = b"""{"a": [10, {"b": "x", "*": "star"}, [20, 21]], "": {"": 0}, "m~n/o": 1, "t": true,
"d": 1, "d": 2, "0": "zero", "\\u00e9": "e", "o": {},
"10": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, "ten"]}"""


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        ("/a/0", ["10"]),
        ("/a/1", ['{"b":"x","*":"star"}']),
        ("/a/1/b", ['"x"']),
        ("/a/2/1", ["21"]),
        ("/", ['{"":0}']),
        ("//", ["0"]),
        ("/m~0n~1o", ["1"]),
        ("/d", ["1", "2"]),
        ("/0", ['"zero"']),
        ("/é", ['"e"']),
        ("/10/10", ['"ten"']),
        ("/a/*", ["10", '{"b":"x","*":"star"}', "[20,21]"]),
        ("/a/*/*", ['"x"', '"star"', "20", "21"]),
        ("/*/2", ["[20,21]", "2"]),
        ("/a/1/~2", ['"star"']),
        ("/a/1/*", ['"x"', '"star"']),
    ],
)
def test_a_pointer_selects(parser: pathlib.Path, pointer: str, found: list[str]) -> None:
    printed = "".join(value + "\n" for value in found).encode()
    assert run(parser, "query", pointer, stdin=QUERIED) == Result(0, printed, "")


def test_the_empty_pointer_selects_the_document(parser: pathlib.Path) -> None:
    assert run(parser, "query", "", stdin=b"[1, 2]").out == b"[1,2]\n"


@pytest.mark.parametrize(
    "pointer",
    "/x /a/3 /a/00 /a/01 /a/-1 /a/- /a/+1 /a/1e0 /a/ /t/0 /t/* /o/* /a/0/0 /A "
    "/a/18446744073709551615 /a/18446744073709551616 /a/99999999999999999999 /**".split(),
)
def test_a_pointer_that_selects_nothing_says_so(parser: pathlib.Path, pointer: str) -> None:
    message = f"parser: <stdin>: no value at '{pointer}'\n"
    assert run(parser, "query", pointer, stdin=QUERIED) == Result(1, b"", message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "missing argument 'COMMAND'"),
        (["chek"], "unknown command 'chek'"),
        (["print", "--intend", "2"], "unknown option '--intend'"),
        (["check", "--indent", "2"], "unknown option '--indent'"),
        (["print", "-i"], "unknown option '-i'"),
        (["print", "--indent", "17"], "--indent needs a number from 0 to 16, not '17'"),
        (["print", "--indent", "2x"], "--indent needs a number from 0 to 16, not '2x'"),
        (["print", "--indent"], "--indent needs a number from 0 to 16, not ''"),
        (["check", "--repeat", "0"], "--repeat needs a number from 1 to 1000000000, not '0'"),
        (["check", "--repeat", "-1"], "--repeat needs a number from 1 to 1000000000, not '-1'"),
        (["check", "--repeat", "9" * 40], "--repeat needs a number from 1 to 1000000000"),
        (["query"], "missing argument 'POINTER'"),
        (["query", "a/b"], "bad pointer 'a/b': it must be empty or begin with '/'"),
        (["query", "/a~"], "bad pointer '/a~': '~' must be followed by 0, 1 or 2"),
        (["query", "/~3/a"], "bad pointer '/~3/a': '~' must be followed by 0, 1 or 2"),
        (["check", "no-such-file"], "cannot read 'no-such-file': No such file or directory"),
        (["check", "/"], "cannot read '/': Is a directory"),
    ],
)
def test_wrong_usage_has_status_2(
    parser: pathlib.Path, arguments: list[str], message: str
) -> None:
    result = run(parser, *arguments, stdin=b"[]")
    assert (result.status, result.out) == (2, b"")
    assert result.err.startswith("parser: " + message)


@pytest.mark.parametrize("arguments", [["--help"], ["print", "--help"]])
def test_help_names_every_command(parser: pathlib.Path, arguments: list[str]) -> None:
    result = run(parser, *arguments)
    assert (result.status, result.err) == (0, "")
    for command in ("check", "print", "query"):
        assert f"parser {command}" in result.out.decode()


def test_several_files_are_read_and_the_worst_status_counts(
    parser: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "-bad.json"
    good.write_bytes(b"[1,\n{}]")
    bad.write_bytes(b"{]")
    result = run(parser, "check", "--", bad, good, "-", stdin=b"1")
    assert result.status == 1
    assert result.out.decode().splitlines() == [
        f"{good}: valid, 7 bytes, 3 values, depth 2",
        "<stdin>: valid, 1 bytes, 1 values, depth 0",
    ]
    assert result.err.startswith(f"{bad}:1:2: {NAME}\n")
    assert run(parser, "check", bad, tmp_path / "none").status == 2


@pytest.mark.parametrize("command", ["print", "--help"])
def test_a_failed_write_is_reported(parser: pathlib.Path, command: str) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [parser, command], input=b"[]", stdout=full, stderr=subprocess.PIPE, check=False
        )
    message = b"parser: cannot write standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (2, message)


@pytest.mark.parametrize("arguments", [["check"], ["print"], ["query", "/statuses/*/user"]])
def test_repetitions_print_once(
    parser: pathlib.Path, inputs: pathlib.Path, arguments: list[str]
) -> None:
    path = inputs / "eval" / "tweets.json"
    once = run(parser, *arguments, path)
    assert once.status == 0 and once.out != b""
    assert run(parser, *arguments, path, "--repeat", 3) == once


def test_1024_levels_are_parsed_printed_and_queried(parser: pathlib.Path) -> None:
    document = b"[" * 1023 + b"{}" + b"]" * 1023
    assert run(parser, "print", stdin=document).out == document + b"\n"
    assert run(parser, "query", "/0" * 1023, stdin=document).out == b"{}\n"
    assert run(parser, "query", "/*" * 5000, stdin=document).status == 1


def test_text_larger_than_every_buffer_passes_unchanged(parser: pathlib.Path) -> None:
    document = json.dumps(["x" * 1_000_000, "\n\"\u0001é" * 100_000], ensure_ascii=False)
    assert json.loads(run(parser, "print", stdin=document.encode()).out) == json.loads(document)


def normalized(value: float) -> bytes:
    """Python's repr is the shortest decimal too, but writes exponents as e+20 and e-07."""
    digits, _, exponent = repr(value).partition("e")
    return (f"{digits}e{int(exponent)}" if exponent else digits).encode()


def expected_number(text: str) -> bytes:
    """How a number with a fraction or an exponent is printed: as written if out of range."""
    value, nonzero = float(text), set(text.partition("e")[0]) & set("123456789")
    return text.encode() if math.isinf(value) or (value == 0 and nonzero) else normalized(value)


def finite(rng: random.Random) -> float:
    """A double with random bits."""
    while True:
        value: float = struct.unpack("<d", struct.pack("<Q", rng.getrandbits(64)))[0]
        if math.isfinite(value):
            return value


def middles(rng: random.Random, count: int) -> list[str]:
    """Decimals at and next to the middle between two doubles, where rounding is hardest."""
    texts = []
    with localcontext() as context:
        context.prec = 1200
        for _ in range(count):
            value = abs(finite(rng)) if rng.random() < 0.5 else rng.getrandbits(60) / 64
            below = min(value, 1e308)
            middle = (Decimal(below) + Decimal(math.nextafter(below, math.inf))) / 2
            text = f"{middle:f}" if rng.random() < 0.5 else f"{middle:e}"
            digits, e, exponent = text.partition("e")
            digits += "" if "." in digits else ".0"
            tail = ["", "1", "0" * 900, "0" * 900 + "1"][rng.randrange(4)]
            texts.append(digits + tail + e + exponent)
            last = str(int(digits[-1]) - 1) if digits[-1] in "123456789" else digits[-1]
            texts.append(digits[:-1] + last + "9" * rng.randrange(30) + e + exponent)
    return texts


def random_numbers(rng: random.Random, count: int) -> list[str]:
    """Numbers with a fraction or an exponent, in every length and magnitude."""
    texts = []
    for _ in range(count):
        value, bits = finite(rng), rng.randrange(1, 100)
        power = math.ldexp(1.0, rng.randrange(-1074, 1024))
        texts += [
            f"{value:.16e}",
            f"{value:.{rng.randrange(1, 30)}e}",
            f"{rng.getrandbits(bits)}.{rng.getrandbits(100 - bits)}",
            f"-{rng.getrandbits(bits)}e{rng.randrange(-300, 280)}",
            f"{math.nextafter(power, 0):.{rng.randrange(14, 19)}e}",
            f"{power:.17e}",
            f"{rng.getrandbits(30) / 10 ** rng.randrange(10):.{rng.randrange(1, 10)}f}",
        ]
    return texts


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param(random_numbers(random.Random(1), 8000), id="random"),
        pytest.param(middles(random.Random(2), 1000), id="middles"),
    ],
)
def test_doubles_are_read_and_printed_exactly(parser: pathlib.Path, texts: list[str]) -> None:
    expected = [expected_number(text) for text in texts]
    printed = run(parser, "print", stdin=f"[{','.join(texts)}]".encode()).out
    assert printed.strip(b"[]\n").split(b",") == expected


def mutants(rng: random.Random, count: int) -> list[bytes]:
    """Documents with a few bytes changed, most of them invalid."""
    seed = '[{"a": "\\u00e9\\ud83d\\ude00é日\\n", "b": [-0.5e+3, 10, true, null]}, [[], {}]]'
    material = b'"\\/{}[]:,-+.eE0123456789 \n\tabcdfnrtu\x00\x1f\x7f\x80\xc3\xed\xa0\xf0\xff'
    made = []
    for _ in range(count):
        document = bytearray(seed.encode())
        for _ in range(rng.randrange(1, 4)):
            start = rng.randrange(len(document))
            end = start + rng.randrange(3)
            document[start:end] = bytes(rng.choice(material) for _ in range(rng.randrange(3)))
        made.append(bytes(document))
    return made


def python_accepts(document: bytes) -> bool:
    """Whether Python's json does, without NaN, Infinity and unpaired surrogates."""

    def refuse(text: str) -> float:
        raise ValueError(text)

    try:
        value = json.loads(document.decode(), parse_constant=refuse)
        json.dumps(value, ensure_ascii=False).encode()  # fails on unpaired surrogates
    except ValueError:
        return False
    return True


def test_mutated_documents_are_judged_as_python_judges_them(
    parser: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    documents = mutants(random.Random(3), 4000)
    for number, document in enumerate(documents):
        (tmp_path / f"{number:04}").write_bytes(document)
    paths = sorted(tmp_path.iterdir())
    lines = run(parser, "check", *paths).out.decode().splitlines()
    accepted = {line.partition(": valid")[0] for line in lines}
    expected = {str(path) for path in paths if python_accepts(path.read_bytes())}
    assert 300 < len(expected) < 3700
    assert accepted == expected


REPEATED = [b"1,", b"[],", b"{},", b'"",', b"1.5,", b"1e1,", b'"\\n",', b'{"":[]},', b"1e999,"]


@pytest.mark.parametrize("element", REPEATED)
def test_memory_stays_within_ten_times_the_input(
    optimized: pathlib.Path, tmp_path: pathlib.Path, element: bytes
) -> None:
    size = 24_000_000
    path = tmp_path / "document.json"
    path.write_bytes(b"[" + element * (size // len(element)) + b"0]")
    # GNU time starts it, as a child's peak includes that of the process it was copied from.
    peak = tmp_path / "peak"
    command = ["time", "-f", "%M", "-o", str(peak), str(optimized), "print", str(path)]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    assert int(peak.read_text()) * 1024 < 9.5 * size


def test_workload_documents_are_reproducible_and_valid(
    parser: pathlib.Path, inputs: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    subprocess.run([sys.executable, APP / "generate.py", tmp_path], check=True)
    paths = sorted(inputs.glob("*/*.json"))
    assert len(paths) == 8
    for path in paths:
        assert path.read_bytes() == (tmp_path / path.relative_to(inputs)).read_bytes()
        printed = run(parser, "print", path).out
        assert json.loads(printed) == json.loads(path.read_bytes())


def test_the_table_of_powers_is_what_its_script_writes() -> None:
    spec = importlib.util.spec_from_file_location("powers", APP / "powers.py")
    assert spec is not None and spec.loader is not None
    powers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(powers)
    for k in range(powers.MIN, powers.MAX + 1):
        significand = powers.significand(k)
        assert significand.bit_length() == 128
    written = subprocess.run([sys.executable, APP / "powers.py"], capture_output=True, check=True)
    assert written.stdout == (APP / "powers.h").read_bytes()


def test_the_fuzz_target_accepts_what_the_parser_accepts(tmp_path: pathlib.Path) -> None:
    modules = [path for path in sorted(APP.glob("*.c")) if path.name != "main.c"]
    flags = ["-O1", "-g", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]
    fuzz = build(tmp_path / "fuzz", flags, [*modules, APP / "fuzz" / "fuzz.c"])
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    documents = [document for document, _ in ACCEPTED] + [case[0] for case in REJECTED]
    for number, document in enumerate(documents):
        (corpus / str(number)).write_bytes(document)
    done = subprocess.run(
        [fuzz, "-seed=1", "-runs=20000", corpus], capture_output=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]

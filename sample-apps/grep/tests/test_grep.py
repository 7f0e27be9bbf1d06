"""Tests of grep: against GNU grep, and of what only this grep promises."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

APP = Path(__file__).resolve().parent.parent
WARNINGS = "-std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror".split()
SANITIZED = "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all".split()
OPTIMIZED = ["-O2"]

Command = list[str | Path]
ENVIRONMENT = {**os.environ, "LC_ALL": "C"}


def compiler() -> str:
    newest = sorted(Path("/usr/lib").glob("llvm-*/bin/clang"),
                    key=lambda path: int(path.parent.parent.name.split("-")[1]))
    return (os.environ.get("CLANG") or shutil.which("clang-22")
            or (str(newest[-1]) if newest else "clang"))


def build(program: Path, flags: list[str]) -> Path:
    subprocess.run([compiler(), *WARNINGS, *flags, *sorted(APP.glob("*.c")), "-o", program],
                   check=True)
    return program


def gnu_command(arguments: list[str]) -> Command:
    return ["grep", *([] if any(a.startswith("-F") for a in arguments) else ["-E"]), *arguments]


def run(command: Command, text: bytes = b"", cwd: Path | None = None,
        timeout: float | None = 60) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, input=text, capture_output=True, env=ENVIRONMENT, cwd=cwd,
                          timeout=timeout)


def outcome(command: Command, text: bytes = b"", cwd: Path | None = None,
            timeout: float | None = 60) -> tuple[bytes, int]:
    """Standard output and exit status."""
    done = run(command, text, cwd, timeout)
    return done.stdout, done.returncode


@pytest.fixture(scope="session")
def grep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("sanitized") / "grep", SANITIZED)


@pytest.fixture(scope="session")
def fast_grep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("optimized") / "grep", OPTIMIZED)


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inputs")
    subprocess.run([sys.executable, APP / "generate.py", path], check=True)
    return path


# Options, then the pattern: what comes after the first blank.
SYNTAX = r"""
-n abc
-n a|c
-o a|ab|abc
-o abc|ab|a
-o (a|ab)(c|bcd)
-o a*
-o a+
-o ab?
-o (ab)*
-o (ab)+
-o (ab|a)*
-o (a|b)*c
-o (a*)*
-o (a*)+
-o (a+|b+)*c
-o x*
-c x*
-o a{2}
-o a{2,}
-o a{,2}
-o a{,}
-o a{1,2}
-o a{0,1}b
-o a{0}b
-c a{0}
-o (ab){2}
-o (a{2}){2}
-o a{1,2}{2}
-o a{2}*
-o a**
-o a+?
-o (a|b{2}){2,3}
-o a{1
-o a{
-o a{x}
-o a{1x}
-o a\{2
-o }
-o ()
-n ()
-o a()b
-o (|a)b
-o (a|)b
-o a||b
-n |
-n a|
-n |zzz
-o )
-o a)
-o \(a\)
-o .
-o ..
-o .*
-o ^.
-o .$
-o ^a
-o a$
-n ^$
-n ^
-n $
-c ^
-c $
-n ^a.*c$
-o (^a|b)
-o (^|b)a
-o a($|b)
-o x^a
-o a$b
-o (^)*a
-n (^a)+
-o (a$)+
-o ^(ab|a)*$
-o [abc]
-o [abc]+
-o [^abc]+
-o [a-c]+
-o [a-cx-z]+
-o []a]+
-o [^]a]+
-o [a-]+
-o [-a]+
-o [a^]+
-o [^^]+
-o [--/]+
-o [+--]+
-o [a\]+
-o [\n]+
-o [\w]+
-o [[a]+
-o [a[]+
-o [[.a.]]+
-o [[.a.]-c]+
-o [[.-.]]+
-o [[=a=]b]+
-o [.]+
-o [*]+
-o [|]+
-o [a-a]+
-o [:a]+
-o [a:]+
-o [[:alpha:]]+
-o [[:digit:]]+
-o [[:alnum:]]+
-o [[:upper:]]+
-o [[:lower:]]+
-o [[:space:]]+
-o [[:blank:]]+
-o [[:punct:]]+
-o [[:print:]]+
-o [[:graph:]]+
-o [[:cntrl:]]+
-o [[:xdigit:]]+
-o [^[:alpha:]]+
-o [[:alpha:][:digit:]]+
-o [[:digit:]-]+
-o \.
-o \*
-o \+
-o \?
-o \|
-o \^
-o \$
-o \[
-o \]
-o \}
-o \\
-o \/
-o a\.b
-o \w
-o \w+
-o \W+
-o \s+
-o \S+
-o \bab
-o ab\b
-o \bab\b
-o \Bb
-o b\B
-o \B
-n \B
-o \b
-c \b
-o \<a
-o a\>
-o \<ab\>
-o \<\w{3}\>
-o \w+\>
-c \<
-c \>
-c \`
-o \`a
-o c\'
-o \bx\b|a\b
-o (\<a|b)c
-o (\ba)*b
-o \b\w+\b.\b\w+\b
-i ABC
-i -o aBc
-i -o [A-C]+
-i -o [^A]+
-i -o [[:upper:]]+
-i -o [[:lower:]]+
-i -o \<AB
-i -o a{2}
-i -o (AB|ba)+
-v a
-v -n a
-v -c a
-v ^$
-v -o a
-v -n x*
-c -v zzz
-c a
-c -o a
-l a
-l zzz
-c -l a
-q a
-q zzz
-q -c a
-n -o a
-H a
-H -n a
-H -c a
-h a
-w a
-w ab
-w -o ab
-w -o a
-w -n ab|abc
-w -o \w+
-w a.
-w .
-w -c b*
-w -v ab
-w -i AB
-w -i -o aB
-w ^
-w $
-w ab$
-w ^ab
-w a|b|c
-w -c .*
-w -o [a-z]+
-F a.b
-F a*
-F ab
-F -o ab
-F -i AB
-F -i -o aB
-F -w ab
-F -w -o ab
-F -v ab
-F -c .
-F -n $
-F \
-F -o a+b
-F [a
-F -q (
-F -o zzz
-n -e a -e c
-o -e ab -e abc -e b
-F -o -e ab -e abc -e b
-F -w -e ab -e b
-i -e A -e zzz
-c -e zzz -e yyy
-ne a
-noe a
-n a.*b.*c
-n a.{2,4}c
-n (a|b|c){3}
-n ^.{3}$
-n ^(..)*$
-n ^(...)*$
-c ((a|b)*|c)*d?
-o ((a*)|(b*))+
-o (a|b)(a|b)(a|b)
-o (a?b?c?)+
-o a(b(c(d)?)?)?
-o (abc|ab|a)(c|bc)?
-o [[:alpha:]_][[:alnum:]_]*
-o -e -?[0-9]+
-o [^ ]+$
-o ^[^ ]+
-o [^[:space:]]+b\>
-o \W\w\W
-o \w\W\w
-o \<.
-o .\>
-o \Bb\B
-o \b.
-o ab$|^ab
-o (ab)?$
-n (a|^)b($|c)
-n -i ^ABC$
-i -n (abc|cba)$
-i -c [[:alpha:]]{5,}
-w -n (ab)+
-w -o (a|ab|abc)
-w -n -i b|cba
-n -v [[:alnum:]]
-n -v ^.*a.*$
-H -o -n b+
-c -i -v A
-c -w -v ab
-l -v a
-q -v a
-i -F -n -e AB -e .B
-F -n -o -e aa -e aaa -e a
-F -c -e (a) -e [a] -e {a}
"""

LINES = b"""abc
aabbcc
ab ab abc
xabcx abab

a.b a*b a+b a?b a|b a^b a$b
(a) [a] {a} a{1 a{x} a\\{2 \\ a/b
a-b_c a_b ab- -ab _ab ab_
ABC aBc Ab aB
0123 4a5b 6 7-8 +,-./ :a: ]a[ ]^-
\ttab\x0bvertical\x0cfeed\rreturn \x01\x7f
\xe4\xf6\xfc a\xffb
aaaaaaaa
bababcbbbb
 a  b   c\x20
ab abcd cba
abab$ $a ^a c"""


def cases(table: str) -> Iterator[list[str]]:
    for line in table.strip("\n").splitlines():
        words = line.split(" ")
        flags = 0
        while flags < len(words) - 1 and re.fullmatch(r"-[a-zA-Z]+", words[flags]):
            flags += 1
            if words[flags - 1].endswith("e"):
                break
        yield words[:flags] + (words[flags:] if "-e" in words else [" ".join(words[flags:])])


@pytest.mark.parametrize("arguments", cases(SYNTAX), ids=" ".join)
def test_output_and_status_are_those_of_gnu_grep(grep: Path, arguments: list[str]) -> None:
    expected = outcome(gnu_command(arguments), LINES)
    assert expected[1] < 2
    assert outcome([grep, *arguments], LINES) == expected


TEXTS = {
    "train/access.log": r"""
-n " (404|500) [0-9]+$
-o [0-9]{1,3}(\.[0-9]{1,3}){3}
-c POST .*(403|503)
-o \[[^]]*\]
-c -v GET
-o -i get /b[a-z]+/
-n ^1[0-9]{2}\.(1|2)
-o \?id=[0-9]+
-F -c HTTP/1.1" 304
-c \b50[03]\b
-w -c 404|403
-o :[0-5][0-9]:[0-5][0-9]\b
-c ^.{60,90}$
-c ^.{0,70}$
-o (GET|HEAD) /[^/? ]*\?
""",
    "train/driver.c": r"""
-n ^static
-o [a-z_]+\([a-z_, ]*\)
-o 0x[0-9a-f]{4}
-c ^ *(if|for) \(
-o "[^"]*"
-n return .*, .*\);$
-w -c int
-o \w+->\w+
-v -c ;$
-o /\*.*\*/
-i -c NULL
-n ^[{}]$
-F -n [i] =
-F -o !=
-o [a-z]+(_[a-z]+)+
""",
    "eval/letters.txt": r"""
-c ^$
-o \<[A-Z][a-z]*
-o \w+,
-w -c ba|be|bi
-i -w -o BA|BE
-n \.$
-o ([a-z]+ ){4}[a-z]+
-c (.)(.)(.)ea
-o [aeiou]{2,}
-o \b[a-z]{1,3}\b
-c ^[^,.]*$
-c (ba|be).{0,20}(st|nd)
-n [aeiou].{5,20}[xyz]|qu.{3,9}qu
-v -c e
-o (tr|br|dr|gr)[aeiou]+
""",
    "eval/readings.csv": r"""
-o ;-?[0-9]+\.[0-9];NA;
-c NA
-v -c ^[A-Z]+[0-9]{2};([0-9:]+);(-?[0-9.]+;){3}[a-z]*$
-n ;NA;NA;
-o ^[A-Z]+
-o [a-z]+$
-w -c NA
-c ;;|;$
-F -c ;NA;
-n 00:[0-9]0;-
""",
}


@pytest.mark.parametrize(
    ("text", "arguments"),
    [(text, case) for text, table in TEXTS.items() for case in cases(table)], ids=str)
def test_real_texts_give_what_gnu_grep_gives(grep: Path, inputs: Path, text: str,
                                             arguments: list[str]) -> None:
    some = (inputs / text).read_bytes()[:60_000]
    expected = outcome(gnu_command(arguments), some)
    assert expected[1] < 2
    assert outcome([grep, *arguments], some) == expected


def test_more_than_three_hundred_pairs_are_compared() -> None:
    assert sum(len(list(cases(table))) for table in [SYNTAX, *TEXTS.values()]) > 300


def test_large_files_are_searched_across_blocks_and_long_lines(grep: Path, tmp_path: Path) -> None:
    rng = Random(5)
    lines = ["".join("ab cd\t."[rng.randrange(7)] for _ in range(rng.randrange(100)))
             for _ in range(6000)]
    lines[3000] = "x" * 300_000 + "abcab"
    lines[3001] = "y" * 131_071
    (tmp_path / "text").write_text("\n".join(lines))
    for arguments in (["-n", "abca+b"], ["-o", "-n", "a(b|c)+a"], ["-c", "^y+$"], ["-v", "a"],
                      ["-F", "-n", "bcab"], ["-c", "-w", "a|cd"]):
        arguments.append("text")
        assert outcome([grep, *arguments], cwd=tmp_path) == outcome(
            gnu_command(arguments), cwd=tmp_path)


def test_more_states_than_the_cache_holds_give_what_gnu_grep_gives(grep: Path) -> None:
    rng = Random(6)
    text = "".join("".join("ab"[rng.randrange(2)] for _ in range(80)) + "\n"
                   for _ in range(600)).encode()
    for arguments in (["-c", "a[ab]{17}b[ab]{17}a"], ["-n", "^(a|b)*a(a|b){30}b{5}"],
                      ["-o", "a[ab]{18}bbb"]):
        assert outcome([grep, *arguments], text) == outcome(gnu_command(arguments), text)


def test_thousands_of_strings_give_what_gnu_grep_gives(grep: Path, tmp_path: Path) -> None:
    rng = Random(8)
    words = ["".join("etaoin"[rng.randrange(6)] for _ in range(4 + rng.randrange(6)))
             for _ in range(6000)]
    (tmp_path / "strings").write_text("\n".join(words[:4000]))
    (tmp_path / "text").write_text(
        "\n".join(" ".join(words[i:i + 7]) for i in range(3000, 6000, 7)))
    for options in (["-c"], ["-o"], ["-w", "-n"], ["-o", "-w"], ["-o", "-i"]):
        arguments = ["-F", *options, "-f", "strings", "text"]
        assert outcome([grep, *arguments], cwd=tmp_path) == outcome(
            gnu_command(arguments), cwd=tmp_path)


@pytest.mark.parametrize(("arguments", "text", "expected"), [
    (["-ow", r"([[:alpha:]]){1,2}\.?[b-]*"], ".b.a--cB-\n", "b\na-\ncB-\n"),
    (["-ow", r"_*\w{1,2}[b-]{0,2}\S?"], "bB._BA.cA\n", "bB\n_BA\ncA\n"),
    (["-w", "(-a)?"], "-ab\n", "-ab\n"),
    (["-o", "(^a)+"], "aaaa\nba\n", "a\n"),
    (["-o", "^*a"], "ba\n", "a\n"),
    (["-o", "a|*b"], "b*ab\n", "b\na\nb\n"),
    (["-o", "{1}a"], "{1}a\n", "a\n"),
    (["-o", "{"], "a{\n", "{\n"),
    (["-o", "{,a"], "{,a\n", "{,a\n"),
    (["-o", "+a"], "+a\n", "a\n"),
])
def test_definition_holds_where_gnu_grep_is_inconsistent(
        grep: Path, arguments: list[str], text: str, expected: str) -> None:
    assert outcome([grep, *arguments], text.encode()) == (expected.encode(), 0)


@pytest.mark.parametrize(("pattern", "reason"), [
    ("a(b", "unmatched (, at byte 2 of 'a(b'"),
    ("((a)", "unmatched (, at byte 1 of '((a)'"),
    ("ab[c", "unmatched [, at byte 3 of 'ab[c'"),
    ("[]", "unmatched [, at byte 1 of '[]'"),
    ("[[:alpha", "unmatched [, at byte 1 of '[[:alpha'"),
    ("[a-", "unmatched [, at byte 1 of '[a-'"),
    ("[[:beta:]]", "unknown character class, at byte 4 of '[[:beta:]]'"),
    ("[:alpha:]", "a character class is written [[:name:]], not [:name:], at byte 1"),
    ("[z-a]", "invalid range, at byte 2 of '[z-a]'"),
    ("[a-c-e]", "invalid range, at byte 5"),
    ("[a--]", "invalid range, at byte 2"),
    ("[[:alpha:]-z]", "invalid range, at byte 2"),
    ("[a-[:alpha:]]", "invalid range, at byte 2"),
    ("[[=a=]-c]", "invalid range, at byte 2"),
    ("[[.ab.]]", "unknown collating element, at byte 4"),
    ("a\\", "trailing backslash, at byte 2 of 'a\\'"),
    ("a{2,1}", "interval with its ends exchanged, at byte 2 of 'a{2,1}'"),
    ("a{32768}", "repetition above 32767, at byte 2"),
    ("a{1,99999999999999999999}", "repetition above 32767, at byte 2"),
    ("x" * 50 + "(", "unmatched (, at byte 51 of '" + "x" * 40 + "...'"),
    ("a\nb(", "unmatched (, at byte 2 of 'b('"),
    (r"(a)\1", r"back-references are not supported, at byte 4 of '(a)\1'"),
    ("((a{1000}){1000}){1000}", "regular expression too big"),
    ("(((((((((a{9}){9}){9}){9}){9}){9}){9}){9}){9})", "regular expression too big"),
])
def test_bad_pattern_is_refused_with_place_and_cause(
        grep: Path, pattern: str, reason: str) -> None:
    done = run([grep, "-e", pattern], b"a\n")
    assert (done.stdout, done.returncode) == (b"", 2)
    assert done.stderr.decode().startswith(f"grep: {reason}")


@pytest.mark.parametrize(("pattern", "text"), [
    ("^a{32767}$", "a" * 32767), ("^(a?){999}$", "a" * 999), ("(" * 5000 + "a" + ")" * 5000, "a"),
    ("a" + "*" * 5000, "b"), ("|" * 5000, "b"), ("[^b]{0,3000}b", "aab"),
], ids=["repeated", "optional", "nested", "stars", "branches", "long gap"])
def test_large_expressions_within_the_limits_work(grep: Path, pattern: str, text: str) -> None:
    assert outcome([grep, "-c", "-e", pattern], text.encode()) == (b"1\n", 0)


@pytest.mark.parametrize(("arguments", "reason"), [
    ([], "a pattern is needed"),
    (["-Z", "a"], "unknown option -Z"),
    (["--colour", "a"], "unknown option --colour"),
    (["a", "-e"], "option -e needs an argument"),
    (["-f", "missing"], "missing: No such file or directory"),
    (["-f", "."], ".: Is a directory"),
    (["a", "--repeat"], "option --repeat needs an argument"),
    (["--repeat", "0", "a", "f"], "--repeat needs a number from 1 up, not '0'"),
    (["--repeat=-1", "a", "f"], "--repeat needs a number from 1 up, not '-1'"),
    (["--repeat", "1x", "a", "f"], "--repeat needs a number from 1 up, not '1x'"),
    (["--repeat", "2", "a"], "--repeat needs files"),
    (["--repeat", "2", "a", "-"], "--repeat needs files"),
])
def test_bad_command_line_is_refused_with_its_cause(
        grep: Path, tmp_path: Path, arguments: list[str], reason: str) -> None:
    done = run([grep, *arguments], b"a\n", tmp_path)
    assert (done.stdout, done.returncode) == (b"", 2)
    assert done.stderr.decode().startswith(f"grep: {reason}")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory with files of all kinds, among them some that -r leaves out."""
    for name, content in {
        "tree/b/two.txt": b"alpha beta\ngamma\n",
        "tree/a/one.txt": b"alpha\n",
        "tree/a/deep/er/three.txt": b"no newline alpha",
        "tree/a-b.txt": b"alpha\nbeta\n",
        "tree/empty.txt": b"",
        "tree/binary": b"alpha\0beta\nalpha\n",
        "patterns": b"beta\ngamma",
        "nothing": b"",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "tree/link.txt").symlink_to("a/one.txt")
    (tmp_path / "tree/loop").symlink_to("..")
    os.mkfifo(tmp_path / "tree/pipe")
    return tmp_path


@pytest.mark.parametrize("arguments", [
    "alpha patterns tree/a/one.txt tree/a-b.txt", "-c a tree/a-b.txt tree/empty.txt",
    "-l a tree/a-b.txt tree/empty.txt patterns", "-h a tree/a-b.txt patterns",
    "-H alpha tree/a/one.txt", "-n -H alpha tree/a/one.txt", "-o -H et tree/a-b.txt patterns",
    "alpha missing tree/a-b.txt", "-s alpha missing tree/a-b.txt", "-s alpha missing",
    "-q alpha missing tree/a-b.txt", "-q alpha tree/a-b.txt missing", "-q zzz missing",
    "alpha tree", "-s alpha tree", "-f patterns tree/a-b.txt", "-f nothing tree/a-b.txt",
    "-v -f nothing tree/a-b.txt", "-c -f - tree/a-b.txt", "-F -f patterns tree/b/two.txt",
    "-e alp -f patterns -o tree/b/two.txt", "alpha tree/a-b.txt -n", "-- -n tree/a-b.txt",
    "-e alpha -- tree/a-b.txt", "-c alpha - tree/a-b.txt", "-H -c alpha -", "-c alpha",
    "-r alpha tree/link.txt", "-r alpha tree/a/one.txt", "-c a tree/binary", "-v -c a tree/binary",
    "-n alpha tree/binary", "-o alpha tree/binary", "-l alpha tree/binary", "-q beta tree/binary",
    "-v zzz tree/binary", "-c beta$ tree/binary", "-H zzz tree/binary", "-c ^beta tree/binary",
    "-o zzz missing -h",
])
def test_files_and_names_are_treated_as_gnu_grep_does(
        grep: Path, tree: Path, arguments: str) -> None:
    ours = run([grep, *arguments.split()], b"alpha\nstdin\n", tree)
    gnu = run([*gnu_command(arguments.split())], b"alpha\nstdin\n", tree)
    assert (ours.stdout, ours.stderr, ours.returncode) == (gnu.stdout, gnu.stderr, gnu.returncode)


@pytest.mark.parametrize("arguments", [
    "-r alpha tree", "-r alpha tree/", "-r -l alpha tree/a tree/b", "-r -c a tree", "-r alpha",
    "-r -h alpha .", "-r -n -o a tree/a patterns", "-r zzz tree", "-r -s alpha tree missing",
])
def test_directories_give_what_gnu_grep_gives_in_the_order_of_names(
        grep: Path, tree: Path, arguments: str) -> None:
    ours = run([grep, *arguments.split()], b"", tree)
    gnu = run(gnu_command(arguments.split()), b"", tree)
    assert sorted(ours.stdout.splitlines()) == sorted(gnu.stdout.splitlines())
    assert sorted(ours.stderr.splitlines()) == sorted(gnu.stderr.splitlines())
    assert ours.returncode == gnu.returncode


def test_directories_are_visited_in_the_order_of_names(grep: Path, tree: Path) -> None:
    done = run([grep, "-r", "-l", "alpha", "tree"], b"", tree)
    assert done.stdout.decode().split() == [
        "tree/a/deep/er/three.txt", "tree/a/one.txt", "tree/a-b.txt", "tree/b/two.txt",
        "tree/binary"]


def test_last_of_two_kinds_of_patterns_counts(grep: Path) -> None:
    assert outcome([grep, "-o", "-E", "-F", "a.b"], b"aab a.b\n") == (b"a.b\n", 0)
    assert outcome([grep, "-o", "-F", "-E", "a.b"], b"aab a.b\n") == (b"aab\na.b\n", 0)


def test_help_is_printed(grep: Path) -> None:
    done = run([grep, "--help"])
    assert done.stdout.startswith(b"usage: grep ")
    assert done.returncode == 0


def test_output_is_not_searched(grep: Path, tmp_path: Path) -> None:
    path = tmp_path / "both"
    path.write_bytes(b"a\n")
    with path.open("ab") as output:
        done = subprocess.run([grep, "a", path], stdout=output, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr.decode() == f"grep: {path}: input file is also the output\n"
    assert path.read_bytes() == b"a\n"


def test_failing_write_is_an_error(grep: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run([grep, "a"], input=b"a\n", stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr == b"grep: write error: No space left on device\n"


def test_quiet_stops_at_the_first_match_of_an_endless_input(grep: Path) -> None:
    with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as endless:
        done = subprocess.run([grep, "-q", "y"], stdin=endless.stdout, timeout=60)
        endless.kill()
    assert done.returncode == 0


def test_repeated_search_prints_once(grep: Path, tree: Path) -> None:
    for arguments in (["alpha", "tree/a-b.txt"], ["-r", "-n", "a", "tree"], ["-c", "zz", "missing"],
                      ["-r", "-o", "-i", "-F", "-f", "patterns", "tree"]):
        once = run([grep, *arguments], b"", tree)
        often = run([grep, "--repeat", "3", *arguments], b"", tree)
        assert (once.stdout, once.stderr, once.returncode) == (
            often.stdout, often.stderr, often.returncode)


@pytest.fixture(scope="session")
def counting_grep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that counts how often each of its branches is taken."""
    return build(tmp_path_factory.mktemp("counting") / "grep",
                 [*OPTIMIZED, "-fprofile-instr-generate"])


def steps(command: Command, cwd: Path) -> int:
    """How often all regions of the program's code were entered: the same in every run."""
    profile, merged = cwd / "profile.raw", cwd / "profile.merged"
    subprocess.run(command, cwd=cwd, stdout=subprocess.DEVNULL,
                   env={**ENVIRONMENT, "LLVM_PROFILE_FILE": str(profile)})
    tool = Path(os.path.realpath(shutil.which(compiler()) or compiler())).parent / "llvm-profdata"
    subprocess.run([tool, "merge", profile, "-o", merged], check=True)
    shown = subprocess.run([tool, "show", "--all-functions", "--counts", merged],
                           capture_output=True, text=True, check=True).stdout
    counts = re.findall(r"Function count: (\d+)|Block counts: \[(.*)\]", shown)
    return sum(int(n) for function, blocks in counts
               for n in re.findall(r"\d+", function + blocks))


HOSTILE = [
    (["-c", "(a*)*b"], "a", 1 << 17), (["-o", "(a*)*b|c"], "a", 1 << 15),
    (["-c", "(a|aa)+$"], "a", 1 << 17), (["-o", "(a|aa)+$"], "a", 1 << 15),
    (["-c", "a{0,50}a{50}b"], "a", 1 << 17), (["-o", "a{0,50}a{50}"], "a", 1 << 15),
    (["-c", ".*.*.*x"], "a", 1 << 17), (["-o", ".*.*.*x|c"], "a", 1 << 15),
    (["-c", "(x+x+)+y"], "x", 1 << 17), (["-c", "([a-z]+)*[0-9]"], "a", 1 << 17),
    (["-o", "(a*b)?"], "a", 1 << 15), (["-o", "b*"], "a", 1 << 15),
    (["-c", "-w", "(a|a)*"], "a", 1 << 17), (["-c", "(a?){60}a{60}b"], "a", 1 << 15),
    (["-c", "(a|b)*a(a|b){24}c"], "ab", 1 << 15), (["-o", "a[ab]{24}c|b$"], "ab", 1 << 15),
]


@pytest.mark.parametrize(("arguments", "letters", "size"), HOSTILE, ids=str)
def test_steps_grow_linearly_with_hostile_patterns(
        counting_grep: Path, tmp_path: Path, arguments: list[str], letters: str,
        size: int) -> None:
    """Eight times the text takes less than three times eight times as many steps; with
    quadratic growth it would take sixty-four times, and exponential growth does not end."""
    rng = Random(7)
    line = "".join(rng.choices(letters, k=8 * size))
    (tmp_path / "small").write_text(line[:size] + "\n")
    (tmp_path / "large").write_text(line + "\n")
    small = steps([counting_grep, *arguments, "small"], tmp_path)
    large = steps([counting_grep, *arguments, "large"], tmp_path)
    assert size < small
    assert large < 3 * 8 * small


def test_memory_stays_bounded_however_many_states_the_text_asks_for(
        fast_grep: Path, tmp_path: Path) -> None:
    """Without a bound, a state for every other byte of the text would take gigabytes."""
    rng = Random(9)
    (tmp_path / "text").write_text(
        "".join("".join(rng.choices("ab", k=80)) + "\n" for _ in range(12_000)))
    limited = ["sh", "-c", 'ulimit -v 32768 && exec "$@"', "sh"]
    for arguments in (["-c", "a[ab]{17}b[ab]{17}c"], ["-o", "a[ab]{24}c|b$"]):
        arguments.append("text")
        assert outcome([*limited, fast_grep, *arguments], cwd=tmp_path) == outcome(
            [fast_grep, *arguments], cwd=tmp_path)
        assert run([*limited, fast_grep, *arguments], cwd=tmp_path).stderr == b""


def workloads() -> dict[str, str]:
    return dict(re.findall(r"^((?:train|eval)\.\w+) *= (.*)$", (APP / "app.mk").read_text(), re.M))


@pytest.mark.parametrize("name", workloads())
def test_workload_succeeds_with_the_output_of_gnu_grep(
        fast_grep: Path, inputs: Path, name: str) -> None:
    text = workloads()[name].replace("$(app.inputs)", ".").replace("$$", "$")
    ours = run([str(fast_grep) if word == "$(BIN)" else word for word in shlex.split(
        text.replace("$(SCALE)", "2"))], b"", inputs)
    gnu = run(gnu_command(shlex.split(re.sub(r"--repeat \S+", "", text))[1:]), b"", inputs)
    assert (ours.returncode, ours.stderr) == (0, b"")
    assert ours.stdout
    assert sorted(ours.stdout.splitlines()) == sorted(gnu.stdout.splitlines())


def test_generated_inputs_are_the_same_every_time(inputs: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, APP / "generate.py", tmp_path], check=True)
    first, second = ({path.relative_to(root): path.read_bytes()
                      for path in root.rglob("*") if path.is_file()}
                     for root in (inputs, tmp_path))
    assert first == second
    assert 0 < sum(map(len, first.values())) < 20_000_000


def test_fuzz_target_finds_nothing_in_a_short_run(tmp_path: Path) -> None:
    sources = [path for path in sorted(APP.glob("*.c")) if path.name != "main.c"]
    subprocess.run([compiler(), *WARNINGS, *SANITIZED, "-fsanitize=fuzzer", *sources,
                    APP / "fuzz" / "fuzz.c", "-o", tmp_path / "fuzz"], check=True)
    done = run([tmp_path / "fuzz", "-runs=1000", "-seed=1", "-max_len=120"], b"", tmp_path)
    assert done.returncode == 0, done.stderr.decode()

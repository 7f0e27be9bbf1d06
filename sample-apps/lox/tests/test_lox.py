"""Tests of the Lox interpreter.

language/*.lox are scripts that say in comments what they do: `//= text` is a line of
standard output, `//! text` a line of standard error. The tables below are scripts with
errors, and scripts at the limits of the implementation.
"""

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

APP = Path(__file__).resolve().parent.parent
WARNINGS = "-std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror".split()
SANITIZE = "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all".split()
FAILING_MALLOC = [
    "-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc", str(APP / "tests" / "failing_malloc.c"),
]
USAGE, COMPILE_ERROR, RUNTIME_ERROR, IO_ERROR = 64, 65, 70, 74


class Case(NamedTuple):
    name: str
    source: str
    stdout: str
    stderr: str

    @property
    def status(self) -> int:
        if not self.stderr:
            return 0
        return COMPILE_ERROR if self.stderr.startswith("[line") else RUNTIME_ERROR


def build(target: Path, *flags: str) -> Path:
    compiler = os.environ.get("CLANG", "/usr/lib/llvm-22/bin/clang")
    sources = sorted(str(path) for path in APP.glob("*.c"))
    subprocess.run([compiler, *WARNINGS, *flags, *sources, "-o", str(target)], check=True)
    return target


def run(binary: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(binary), *arguments], capture_output=True, encoding="utf-8", timeout=120
    )


def check(binary: Path, script: Path, case: Case) -> None:
    script.write_text(case.source, encoding="utf-8")
    done = run(binary, str(script))
    got = (done.stdout, done.stderr, done.returncode)
    assert got == (case.stdout, case.stderr, case.status), case.name


def language_case(path: Path) -> Case:
    source = path.read_text(encoding="utf-8")
    expected = [
        "".join(line + "\n" for line in re.findall(mark + " ?(.*)", source))
        for mark in ("//=", "//!")
    ]
    return Case(path.stem, source, expected[0], expected[1])


# What is wrong with each source, with what the parser makes of the rest of it. Lines that
# do not say so are on line 1.
COMPILE_ERRORS = [
    ("1 = 2;", "at '=': Invalid assignment target."),
    ("var a; var b; a + b = 1;", "at '=': Invalid assignment target."),
    ("(a) = 1;", "at '=': Invalid assignment target."),
    ("f() = 1;", "at '=': Invalid assignment target."),
    ("-a = 1;", "at '=': Invalid assignment target."),
    ("this;", "at 'this': Can't use 'this' outside of a class."),
    ("fun f() { return this; }", "at 'this': Can't use 'this' outside of a class."),
    ("super.m();", "at 'super': Can't use 'super' outside of a class."),
    ("class A { m() { super.m(); } }",
     "at 'super': Can't use 'super' in a class with no superclass."),
    ("class A < B { m() { super; } }", "at ';': Expect '.' after 'super'."),
    ("class A < B { m() { super.1; } }", "at '1': Expect superclass method name."),
    ("class A < A {}", "at 'A': A class can't inherit from itself."),
    ("class A < 1 {}",
     "at '1': Expect superclass name.\n"
     "at end: Expect '}' after block."),
    ("class 1 {}",
     "at '1': Expect class name.\n"
     "at end: Expect '}' after block."),
    ("class A;",
     "at ';': Expect '{' before class body.\n"
     "at end: Expect '}' after block."),
    ("class A { m() {}", "at end: Expect '}' after class body."),
    ("class A { 1() {} }",
     "at '1': Expect method name.\n"
     "at end: Expect '}' after block."),
    ("class A { init() { return 1; } }", "at 'return': Can't return a value from an initializer."),
    ("return;", "at 'return': Can't return from top-level code."),
    ("fun f() { return 1 }",
     "at '}': Expect ';' after return value.\n"
     "at end: Expect '}' after block."),
    ("fun 1() {}",
     "at '1': Expect function name.\n"
     "at end: Expect '}' after block."),
    ("fun f {}", "at '{': Expect '(' after function name."),
    ("fun f(a;) {}",
     "at ';': Expect ')' after parameters.\n"
     "at ')': Expect expression.\n"
     "at end: Expect '}' after block."),
    ("fun f(1) {}",
     "at '1': Expect parameter name.\n"
     "at end: Expect '}' after block."),
    ("fun f() 1;",
     "at '1': Expect '{' before function body.\n"
     "at end: Expect '}' after block."),
    ("fun f() {", "at end: Expect '}' after block."),
    ("f(1;", "at ';': Expect ')' after arguments."),
    ("f(,);", "at ',': Expect expression."),
    ("a.1;", "at '1': Expect property name after '.'."),
    ("(1;", "at ';': Expect ')' after expression."),
    ("print 1", "at end: Expect ';' after value."),
    ("1", "at end: Expect ';' after expression."),
    ("1 +;", "at ';': Expect expression."),
    ("and 1;", "at 'and': Expect expression."),
    ("var 1;", "at '1': Expect variable name."),
    ("var while = 1;",
     "at 'while': Expect variable name.\n"
     "at '=': Expect '(' after 'while'."),
    ("var a 1;", "at '1': Expect ';' after variable declaration."),
    ("if 1) {}", "at '1': Expect '(' after 'if'."),
    ("if (1 {}", "at '{': Expect ')' after condition."),
    ("while 1) {}", "at '1': Expect '(' after 'while'."),
    ("while (1 {}", "at '{': Expect ')' after condition."),
    ("for 1;;) {}", "at '1': Expect '(' after 'for'."),
    ("for (;1) {}", "at ')': Expect ';' after loop condition."),
    ("for (;;1 {}", "at '{': Expect ')' after for clauses."),
    ("for (class A {};;) {}",
     "at 'class': Expect expression.\n"
     "at ';': Expect expression.\n"
     "at ')': Expect expression."),
    ("if (1) var a;", "at 'var': Expect expression."),
    ("{", "at end: Expect '}' after block."),
    ("{ var a; var a; }", "at 'a': Already a variable with this name in this scope."),
    ("fun f(a, a) {}", "at 'a': Already a variable with this name in this scope."),
    ("fun f(a) { var a; }", "at 'a': Already a variable with this name in this scope."),
    ("{ var a = a; }", "at 'a': Can't read local variable in its own initializer."),
    ("@", ": Unexpected character."),
    ("print 1;\nprint\n|", "[line 3] Error: Unexpected character."),
    ("print \0;", ": Unexpected character."),
    ('print "a\nb', "[line 2] Error: Unterminated string."),
    ('print "a\n\0', "[line 2] Error: Unterminated string."),
    # After an error the parser goes on at the next statement.
    ("var 1;\nprint 2;\nprint;\n{ fun }\nclass A { m() { return } }",
     "at '1': Expect variable name.\n"
     "[line 3] Error at ';': Expect expression.\n"
     "[line 4] Error at '}': Expect function name.\n"
     "[line 5] Error at '}': Expect expression.\n"
     "[line 5] Error at end: Expect '}' after block.\n"
     "[line 5] Error at end: Expect '}' after block."),
]

RUNTIME_ERRORS = [
    ("1();", "Can only call functions and classes.", "[line 1] in script"),
    ('"text"();', "Can only call functions and classes.", "[line 1] in script"),
    ("class A {} A()();", "Can only call functions and classes.", "[line 1] in script"),
    ("fun f(a) {} f();", "Expected 1 arguments but got 0.", "[line 1] in script"),
    ("class A {}\nA(1, 2);", "Expected 0 arguments but got 2.", "[line 2] in script"),
    ("class A { init(a) {} } A();", "Expected 1 arguments but got 0.", "[line 1] in script"),
    ("class A { m() {} } A().m(1);", "Expected 0 arguments but got 1.", "[line 1] in script"),
    ("class A { m() {} } var m = A().m; m(1);", "Expected 0 arguments but got 1.",
     "[line 1] in script"),
    ("nil.a;", "Only instances have properties.", "[line 1] in script"),
    ("class A {} A.a;", "Only instances have properties.", "[line 1] in script"),
    ("true.a = 1;", "Only instances have fields.", "[line 1] in script"),
    ("fun f() {} print f.a = 1;", "Only instances have fields.", "[line 1] in script"),
    ("1.5.m();", "Only instances have methods.", "[line 1] in script"),
    ("class A {} A().a;", "Undefined property 'a'.", "[line 1] in script"),
    ("class A {} A().m();", "Undefined property 'm'.", "[line 1] in script"),
    ("class A { m() { return this\n.\na; } } A().m();", "Undefined property 'a'.",
     "[line 3] in m()\n[line 3] in script"),
    ("class A {} class B < A { m() { super.m(); } } B().m();", "Undefined property 'm'.",
     "[line 1] in m()\n[line 1] in script"),
    ("class A {} class B < A { m() { return super.x; } } B().m();", "Undefined property 'x'.",
     "[line 1] in m()\n[line 1] in script"),
    ("var A = 1; class B < A {}", "Superclass must be a class.", "[line 1] in script"),
    ("print a;", "Undefined variable 'a'.", "[line 1] in script"),
    ("a = 1;", "Undefined variable 'a'.", "[line 1] in script"),
    ("print a = 1;", "Undefined variable 'a'.", "[line 1] in script"),
    ("var a = b; var b;", "Undefined variable 'b'.", "[line 1] in script"),
    ("-true;", "Operand must be a number.", "[line 1] in script"),
    ('1 + "a";', "Operands must be two numbers or two strings.", "[line 1] in script"),
    ("nil + nil;", "Operands must be two numbers or two strings.", "[line 1] in script"),
    ("1 - nil;", "Operands must be numbers.", "[line 1] in script"),
    ('"a" * 2;', "Operands must be numbers.", "[line 1] in script"),
    ("1 / false;", "Operands must be numbers.", "[line 1] in script"),
    ('"a" < "b";', "Operands must be numbers.", "[line 1] in script"),
    ("1 <= nil;", "Operands must be numbers.", "[line 1] in script"),
    ("nil > 1;", "Operands must be numbers.", "[line 1] in script"),
    ("true >= 1;", "Operands must be numbers.", "[line 1] in script"),
    ("if (1 <\nnil\n) {}", "Operands must be numbers.", "[line 2] in script"),
    ("while (nil <= 1) {}", "Operands must be numbers.", "[line 1] in script"),
    ("if (1 > nil) {}", "Operands must be numbers.", "[line 1] in script"),
    ("if (1 >= nil) {}", "Operands must be numbers.", "[line 1] in script"),
    ("fun f(n) { f(n + 1); }\nf(1);", "Stack overflow.",
     "[line 1] in f()\n" * 63 + "[line 2] in script"),
    ("class A { init() { A(); } }\nA();", "Stack overflow.",
     "[line 1] in init()\n" * 63 + "[line 2] in script"),
]


def numbered(count: int, text: str, separator: str = "") -> str:
    return separator.join(text.format(i) for i in range(count))


def nested(depth: int, before: str, inside: str, after: str) -> str:
    return before * depth + inside + after * depth


def captured_variables(count: int) -> str:
    """A function that captures that many variables of the two around it."""
    return (
        "fun f() { " + numbered(count // 2, "var a{}; ")
        + "fun g() { " + numbered(count - count // 2, "var b{}; ")
        + "fun h() { " + numbered(count // 2, "a{}; ")
        + numbered(count - count // 2, "b{}; ") + "} } }"
    )


def stack_of(calls: int) -> str:
    """Calls in the last of 255 arguments of each other."""
    return nested(calls, "nil(" + "nil, " * 254, "nil()", ")") + ";"


# At each limit: the largest program that compiles, then one just beyond it.
LIMITS = [
    Case("256 constants", numbered(255, "{};") + "print 7;", "7\n", ""),
    Case(
        "257 constants", numbered(256, "{};") + "print 7;", "",
        "[line 1] Error at '7': Too many constants in one chunk.\n",
    ),
    Case("a name is a constant for each use", "var a = 1;" + "a;" * 253 + "print a;", "1\n", ""),
    Case(
        "too many uses of a name", "var a = 1;" + "a;" * 254 + "print a;", "",
        "[line 1] Error at 'a': Too many constants in one chunk.\n",
    ),
    Case("255 locals", "fun f() { " + numbered(255, "var a{}; ") + "print a254; } f();",
         "nil\n", ""),
    Case(
        "256 locals", "fun f() { " + numbered(256, "var a{}; ") + "}", "",
        "[line 1] Error at 'a255': Too many local variables in function.\n",
    ),
    Case("256 captures", captured_variables(256), "", ""),
    Case(
        "257 captures", captured_variables(257), "",
        "[line 1] Error at 'b128': Too many closure variables in function.\n",
    ),
    Case(
        "255 arguments", "fun f(" + numbered(255, "a{}", ",") + ") { return a254; }"
        + "print f(" + numbered(255, "nil", ",") + ");", "nil\n", "",
    ),
    Case(
        "256 parameters", "fun f(" + numbered(256, "a{}", ",") + ") {}", "",
        "[line 1] Error at 'a255': Can't have more than 255 parameters.\n",
    ),
    Case(
        "256 arguments", "f(" + numbered(256, "nil", ",") + ");", "",
        "[line 1] Error at 'nil': Can't have more than 255 arguments.\n",
    ),
    Case("a long jump", "if (true) {" + "nil;" * 32766 + "} print 1;", "1\n", ""),
    Case(
        "a jump too long", "if (true) {" + "nil;" * 32768 + "} print 1;", "",
        "[line 1] Error at '}': Too much code to jump over.\n",
    ),
    Case(
        "an operand too long to jump over", "nil and (nil" + " == nil" * 32768 + ");", "",
        "[line 1] Error at ')': Too much code to jump over.\n",
    ),
    Case("a long loop", "while (false) {" + "nil;" * 32764 + "} print 1;", "1\n", ""),
    Case(
        "a loop too long", "while (false) {" + "nil;" * 32766 + "}", "",
        "[line 1] Error at '}': Loop body too large.\n",
    ),
    Case("deep parentheses", "print " + nested(990, "(", "1", ")") + ";", "1\n", ""),
    Case("deep blocks", nested(990, "{", "print 1;", "}"), "1\n", ""),
    Case("almost too many values on the stack", stack_of(64), "",
         "Can only call functions and classes.\n[line 1] in script\n"),
    Case("too many values on the stack", stack_of(65), "", "Stack overflow.\n"),
    Case(
        "few calls of a function that needs much stack",
        "fun f() { " + nested(2, "nil(" + "nil, " * 250, "f()", ")") + "; }\nf();", "",
        "Stack overflow.\n" + "[line 1] in f()\n" * 32 + "[line 2] in script\n",
    ),
]

TOO_DEEP = {
    "parentheses": "(",
    "minus signs": "-",
    "negations": "!",
    "assignments": "a = ",
    "operators": "nil or ",
    "calls": "nil(",
    "arguments": "nil(nil, ",
    "blocks": "{",
    "conditions": "if (nil) ",
    "else": "if (nil) nil; else ",
    "loops": "while (nil) ",
    "for": "for (;;) ",
    "functions": "fun f() { ",
    "classes": "class A { m() { ",
    "inheritance": "class A {} class B < A { m() { ",
}


def check_nesting(binary: Path, script: Path, opening: str) -> None:
    script.write_text("fun f(a) { " + opening * 100000)
    done = run(binary, str(script))
    assert done.returncode == COMPILE_ERROR
    assert re.fullmatch(r"\[line 1\] Error at '.+': Too deeply nested.\n", done.stderr)


def check_failing_allocations(binary: Path) -> int:
    """Runs a script with its first allocation failing, then its second and so on, either that
    one or all from it on; returns at which number there was no such allocation any more."""
    for at in range(1, 1000):
        for how in ("FAIL_ONCE", "FAIL_ON"):
            done = subprocess.run(
                [str(binary), str(APP / "tests" / "memory.lox")],
                env={**os.environ, "FAIL_AT": str(at), how: "1"},
                capture_output=True, encoding="utf-8",
            )
            if done.returncode == 0:
                assert (done.stdout, done.stderr) == ("5\n", "")
            else:
                assert done.returncode in (COMPILE_ERROR, RUNTIME_ERROR, IO_ERROR), done.stderr
                assert re.match(r".*(Out of|Cannot allocate) memory", done.stderr)
        if done.returncode == 0:
            return at
    raise AssertionError("no end of allocations")


@pytest.fixture(scope="session")
def lox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("lox") / "lox", *SANITIZE)


@pytest.fixture(scope="session")
def stressed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("stressed") / "lox"
    return build(target, *SANITIZE, "-DLOX_GC_STRESS")


@pytest.fixture(scope="session")
def out_of_memory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("failing") / "lox", *SANITIZE, *FAILING_MALLOC)


def language_cases() -> list[Case]:
    return [language_case(path) for path in sorted(APP.glob("tests/language/*.lox"))]


def error_message(line: str) -> str:
    """A line of the table of compile errors in full."""
    if line.startswith("[line"):
        return line + "\n"
    return "[line 1] Error" + (line if line.startswith(":") else " " + line) + "\n"


def error_cases() -> list[Case]:
    compile_time = [Case(source, source, "", "".join(map(error_message, text.split("\n"))))
                    for source, text in COMPILE_ERRORS]
    return compile_time + [Case(source, source, "", f"{message}\n{trace}\n")
                           for source, message, trace in RUNTIME_ERRORS]


def case_name(case: Case) -> str:
    return case.name


def workload_name(path: Path) -> str:
    return f"{path.parent.name}.{path.stem}"


@pytest.mark.parametrize("case", language_cases(), ids=case_name)
def test_a_script_does_what_its_comments_say(lox: Path, tmp_path: Path, case: Case) -> None:
    assert case.stdout or case.stderr
    check(lox, tmp_path / "script.lox", case)


@pytest.mark.parametrize("case", language_cases(), ids=case_name)
def test_collecting_at_every_allocation_changes_nothing(
    stressed: Path, tmp_path: Path, case: Case
) -> None:
    check(stressed, tmp_path / "script.lox", case)


@pytest.mark.parametrize("case", error_cases(), ids=case_name)
def test_an_error_is_reported_with_its_line(lox: Path, tmp_path: Path, case: Case) -> None:
    check(lox, tmp_path / "script.lox", case)


@pytest.mark.parametrize("case", LIMITS, ids=case_name)
def test_limits_are_where_they_should_be(lox: Path, tmp_path: Path, case: Case) -> None:
    check(lox, tmp_path / "script.lox", case)


@pytest.mark.parametrize("opening", TOO_DEEP.values(), ids=TOO_DEEP.keys())
def test_deep_nesting_is_an_error_and_no_crash(lox: Path, tmp_path: Path, opening: str) -> None:
    check_nesting(lox, tmp_path / "script.lox", opening)


@pytest.mark.parametrize(
    "source",
    [
        'var s = "x"; while (true) s = s + s;',
        "class N {} var n; while (true) { var m = N(); m.n = n; n = m; }",
        "var f; while (true) { var g = f; fun h() { return g; } f = h; }",
        "var f; while (true) { class C { m() { return this; } } var c = C(); c.f = f; f = c.m; }",
    ],
)
def test_a_script_cannot_take_more_memory_than_allowed(
    lox: Path, tmp_path: Path, source: str
) -> None:
    script = tmp_path / "script.lox"
    script.write_text(source)
    done = run(lox, "--max-heap", "4", str(script))
    assert done.returncode == RUNTIME_ERROR
    assert done.stderr == "Out of memory.\n[line 1] in script\n"


def test_any_allocation_may_fail(out_of_memory: Path) -> None:
    assert check_failing_allocations(out_of_memory) > 50


def test_garbage_does_not_count_as_memory(lox: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.lox"
    script.write_text(
        'class N {} for (var i = 0; i < 100000; i = i + 1) { N().text = "a" + "b"; } print 1;'
    )
    done = run(lox, "--max-heap", "2", str(script))
    assert (done.stdout, done.stderr, done.returncode) == ("1\n", "", 0)


@pytest.mark.parametrize(
    ("source", "name"),
    [("while (true) {}", ""), ("for (;;) 1;", ""), ("fun f() { while (true) clock(); } f();", "f")],
)
def test_a_script_that_never_ends_is_stopped_after_its_steps(
    lox: Path, tmp_path: Path, source: str, name: str
) -> None:
    script = tmp_path / "script.lox"
    script.write_text(source)
    done = run(lox, "--max-steps", "1000", str(script))
    trace = f"[line 1] in {name}()\n" if name else ""
    assert done.returncode == RUNTIME_ERROR
    assert done.stderr == f"Too many steps.\n{trace}[line 1] in script\n"


def test_a_repeated_script_starts_afresh_and_prints_once(lox: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.lox"
    script.write_text("fun f() { return a; } var a = 1; print f(); a = 2; print f();")
    done = run(lox, "--repeat", "5", str(script))
    assert (done.stdout, done.stderr, done.returncode) == ("1\n2\n", "", 0)


def test_an_error_ends_the_repetitions(lox: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.lox"
    script.write_text("nil();")
    done = run(lox, "--repeat", "5", str(script))
    assert done.returncode == RUNTIME_ERROR
    assert done.stderr.count("Can only call") == 1


def test_an_empty_script_is_a_script(lox: Path, tmp_path: Path) -> None:
    check(lox, tmp_path / "script.lox", Case("empty", "", "", ""))


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--repeat"],
        ["--repeat", "3"],
        ["--repeat", "0", "a.lox"],
        ["--repeat", "-1", "a.lox"],
        ["--repeat", "2x", "a.lox"],
        ["--repeat", "99999999999999999999", "a.lox"],
        ["--max-heap", "99999999999999", "a.lox"],
        ["--unknown", "1", "a.lox"],
        ["a.lox", "b.lox"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_shows_the_usage(lox: Path, arguments: list[str]) -> None:
    done = run(lox, *arguments)
    assert done.returncode == USAGE
    assert done.stderr.startswith("usage: lox ")


def test_a_script_that_cannot_be_read_is_named(lox: Path, tmp_path: Path) -> None:
    missing = run(lox, str(tmp_path / "missing.lox"))
    assert missing.returncode == IO_ERROR
    assert missing.stderr == f"lox: {tmp_path}/missing.lox: No such file or directory\n"
    assert run(lox, str(tmp_path)).returncode == IO_ERROR


def test_output_that_cannot_be_written_is_an_error(lox: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.lox"
    script.write_text("print 1;")
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([str(lox), str(script)], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == IO_ERROR
    assert b"standard output" in done.stderr


@pytest.mark.parametrize(
    "path", sorted(APP.glob("workloads/*/*.lox")), ids=workload_name
)
def test_a_workload_prints_the_same_every_time(lox: Path, path: Path) -> None:
    first = run(lox, str(path))
    again = run(lox, "--repeat", "2", str(path))
    assert first.returncode == 0 and first.stdout and not first.stderr
    assert (again.stdout, again.returncode) == (first.stdout, 0)

"""Tests of bench.h: what compilers make of loops with and without it, as machine code shows."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

HEADER_DIRECTORY = pathlib.Path(__file__).resolve().parent.parent
FLAGS = "-std=c11 -O2 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror".split()

# Pairs of functions, the second of which differs only in its use of bench.h.
SOURCE = """
#include "bench.h"

int escaped;

unsigned plain_result(unsigned count);
unsigned kept_result(unsigned count);
void plain_local(unsigned count);
void kept_local(unsigned count);
void plain_store(unsigned count);
void kept_store(unsigned count);
void unconcerned_local(unsigned count);

unsigned plain_result(unsigned count) {
    unsigned value = 1;
    for (unsigned i = 0; i < count; i++)
        value = 7;
    return value;
}

unsigned kept_result(unsigned count) {
    unsigned value = 1;
    for (unsigned i = 0; i < count; i++) {
        value = 7;
        black_box(&value);
    }
    return value;
}

void plain_local(unsigned count) {
    unsigned value = count;
    for (unsigned i = 0; i < count; i++)
        value = value * 1664525 + 1013904223;
}

void kept_local(unsigned count) {
    unsigned value = count;
    for (unsigned i = 0; i < count; i++)
        value = value * 1664525 + 1013904223;
    black_box(&value);
}

void plain_store(unsigned count) {
    for (unsigned i = 0; i < count; i++)
        escaped = 7;
}

void kept_store(unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        escaped = 7;
        clobber_memory();
    }
}

void unconcerned_local(unsigned count) {
    unsigned value = count;
    for (unsigned i = 0; i < count; i++)
        value = value * 1664525 + 1013904223;
    clobber_memory();
}
"""


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


def find_objdump() -> pathlib.Path:
    """The disassembler from the directory of the compiler."""
    clang = shutil.which(find_clang())
    assert clang is not None, f"no {find_clang()}"
    return pathlib.Path(clang).resolve().parent / "llvm-objdump"


COMPILERS = [find_clang()] + (["gcc"] if shutil.which("gcc") else [])

# address, mnemonic, and the address that a jump goes to
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\s+(\S+)(?:\s+(?:0x)?([0-9a-f]+) <)?", re.MULTILINE)


class Code:
    """The machine code of one function."""

    def __init__(self, text: str) -> None:
        found = [(int(m[1], 16), m[2], m[3]) for m in INSTRUCTION.finditer(text)]
        self.count = sum(1 for _, name, _ in found if not name.startswith("nop"))
        self.loops = any(target and int(target, 16) <= at for at, _, target in found)


@pytest.fixture(scope="session", params=COMPILERS)
def functions(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Code]:
    """The functions of SOURCE, by name, as one compiler makes them."""
    directory = tmp_path_factory.mktemp("bench")
    (directory / "functions.c").write_text(SOURCE)
    subprocess.run(
        [request.param, *FLAGS, f"-I{HEADER_DIRECTORY}", "-c", "functions.c"],
        cwd=directory,
        check=True,
    )
    listing = subprocess.run(
        [find_objdump(), "-d", "--no-show-raw-insn", directory / "functions.o"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    parts = re.split(r"^[0-9a-f]+ <(\w+)>:$", listing, flags=re.MULTILINE)[1:]
    return {name: Code(text) for name, text in zip(parts[::2], parts[1::2])}


@pytest.mark.parametrize("name", ["plain_result", "plain_local", "plain_store"])
def test_without_it_the_loop_is_deleted(functions: dict[str, Code], name: str) -> None:
    assert not functions[name].loops
    assert 1 <= functions[name].count <= 6


@pytest.mark.parametrize("name", ["kept_result", "kept_local", "kept_store"])
def test_with_it_the_loop_is_kept(functions: dict[str, Code], name: str) -> None:
    assert functions[name].loops


def test_clobbering_memory_does_not_keep_a_local_variable(functions: dict[str, Code]) -> None:
    assert not functions["unconcerned_local"].loops
    assert functions["unconcerned_local"].count <= 6

"""Branch counts as llvm-profgen reads them: ranges of executed instructions, and branches.

Its unsymbolized form is the number of ranges, lines `START-END:COUNT`, the number of branches, and
lines `FROM->TO:COUNT`, with addresses in hexadecimal. x86-64 only.
"""

import re
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from pgolab import bolt, tool

LEAVES = re.compile(r"j|ret|ud2|hlt")


@dataclass(frozen=True)
class Code:
    """A binary's symbols, its instruction addresses, and those that end a basic block."""

    symbols: dict[str, int]
    instructions: list[int]
    leaving: frozenset[int]


def load(binary: Path, llvm_bin: Path) -> Code:
    """Reads a binary by llvm-nm and llvm-objdump; symbols that occur twice are left out."""
    found: dict[str, set[int]] = {}
    for line in tool.output([llvm_bin / "llvm-nm", "--defined-only", binary]).splitlines():
        address, _, name = line.split(" ", 2)
        found.setdefault(name, set()).add(int(address, 16))
    symbols = {name: min(at) for name, at in found.items() if len(at) == 1}
    listing = tool.output([llvm_bin / "llvm-objdump", "-d", "--no-show-raw-insn", binary])
    code = re.findall(r"^ *([0-9a-f]+): *\t(\S+)", listing, re.MULTILINE)
    instructions = [(int(address, 16), word) for address, word in code]
    leaving = frozenset(at for at, word in instructions if LEAVES.match(word))
    return Code(symbols, sorted(at for at, _ in instructions), leaving)


def unsymbolized(counts: Counter[tuple[str, str]], code: Code) -> str:
    """The text form of BOLT's counts; branches to and from other objects are left out."""
    entered: Counter[int] = Counter()
    taken: Counter[tuple[int, int]] = Counter()
    for (ends, kind), count in counts.items():
        if kind != "taken":
            continue
        _, source, source_offset, _, target, target_offset = ends.split(" ")
        begin = code.symbols.get(bolt.plain(source))
        to = code.symbols.get(bolt.plain(target))
        if to is None:
            continue
        entered[to + int(target_offset, 16)] += count
        if begin is not None:
            taken[begin + int(source_offset, 16), to + int(target_offset, 16)] += count
    ranges = {(start, block_end(start, entered, code)): n for start, n in entered.items()}
    lines = [f"{len(ranges)}"]
    lines += [f"{start:x}-{end:x}:{n}" for (start, end), n in sorted(ranges.items())]
    lines += [f"{len(taken)}"]
    lines += [f"{source:x}->{to:x}:{n}" for (source, to), n in sorted(taken.items())]
    return "\n".join(lines) + "\n"


def block_end(start: int, entered: Counter[int], code: Code) -> int:
    """The address of the last instruction that surely follows when control enters at start."""
    end = start
    for at in range(bisect_left(code.instructions, start), len(code.instructions)):
        address = code.instructions[at]
        if address != start and address in entered:
            break
        end = address
        if address in code.leaving:
            break
    return end

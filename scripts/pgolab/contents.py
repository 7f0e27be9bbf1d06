"""What a binary consists of: its sections and its functions, each with a hash; how two differ."""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from pgolab import tool
from pgolab.record import Content

# Lines of `readelf --sections --symbols`: name, type, address, offset, size; and value, size, name.
# The section that a symbol gives is not always the one that it lies in: BOLT leaves some stale.
SECTION = re.compile(r" *\[ *\d+\] (\S+) +(\S+) +([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+) ")
FUNCTION = re.compile(r" *\d+: ([0-9a-f]+) +(\d+) FUNC +\S+ +\S+ +\d+ (\S+)")
DIGITS = 16  # of the hash of a function: there are many, and none is looked up by it


def of_binary(app: str, variant: str, binary: Path, llvm_bin: Path) -> list[Content]:
    """The sections of a variant's binary, then the functions that its symbol table has."""
    data = binary.read_bytes()
    readelf = llvm_bin / "llvm-readelf"
    listed = tool.output([readelf, "--wide", "--sections", "--symbols", binary])
    headers, _, symbols = listed.partition("Symbol table '.symtab'")
    found = []
    loaded = []
    for line in headers.splitlines():
        if match := SECTION.match(line):
            name, kind = match.group(1, 2)
            address, offset, size = (int(text, 16) for text in match.group(3, 4, 5))
            end = offset if kind == "NOBITS" else offset + size
            own = data[offset:end]
            loaded += [(name, address, own)] if address else []
            found.append(Content(app, variant, name, "", size, hashlib.sha256(own).hexdigest()))
    for line in symbols.splitlines():
        if match := FUNCTION.match(line):
            value, size = int(match[1], 16), int(match[2])
            for name, address, own in loaded:
                start, end = value - address, value - address + size
                if 0 <= start < len(own):
                    digest = hashlib.sha256(own[start:end]).hexdigest()[:DIGITS]
                    found.append(Content(app, variant, name, match[3], size, digest))
    return found


@dataclass(frozen=True)
class Difference:
    """What differs between two lists of named parts.

    resized: names with their bytes then and now, None where there was or is no such part;
    rewritten: the names of parts that have the same size and other bytes.
    """

    resized: list[tuple[str, int | None, int | None]]
    rewritten: list[str]


def difference(then: list[Content], now: list[Content]) -> Difference:
    """Compares sections, or functions, by their names; several of a name in their order."""
    old, new = _by_name(then), _by_name(now)
    resized: list[tuple[str, int | None, int | None]] = []
    rewritten = []
    for key in dict.fromkeys([*new, *old]):
        was, is_now = old.get(key), new.get(key)
        if was is None or is_now is None or was.bytes != is_now.bytes:
            before = was.bytes if was else None
            resized.append((key[0], before, is_now.bytes if is_now else None))
        elif was.sha256 != is_now.sha256:
            rewritten.append(key[0])
    return Difference(resized, rewritten)


def _by_name(parts: list[Content]) -> dict[tuple[str, int], Content]:
    seen: Counter[str] = Counter()
    found = {}
    for part in parts:
        name = part.function or part.section
        found[name, seen[name]] = part
        seen[name] += 1
    return found

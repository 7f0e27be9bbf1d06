"""Find out how well a profile fits the program that was compiled with it.

Of the counts in the profile, those are of no use that belong to functions which changed since
(mismatched: the compiler says so) or which the program no longer has (missing). Reads what the
compiler said in *.messages and what it read in *.d, both beside the objects. The result is JSON:
share, mismatched, missing.
"""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pgolab import errors, files, profile, tool, units
from pgolab.errors import Failure

_CHANGED = re.compile(
    r"^warning: (?P<file>.*): function control flow change detected \(hash mismatch\)"
    r" (?P<name>\S+) Hash = \d+ up to (?P<count>\d+) count discarded \[-Wbackend-plugin\]$",
    re.MULTILINE,
)
SUFFIXES = (".c", ".h", ".inc", ".def", ".cc", ".cpp", ".cxx", ".C", ".c++", ".hh", ".hpp")
ONE_STEP = "one-step"  # a file beside the objects that says that they are not all
NAMED = 5  # functions that a message names
SHORTEST = 3  # letters of a word that a macro pastes to others


def mismatched(objects: Path) -> dict[str, int]:
    """The functions that changed since, as `file;name`, with the counts that were discarded."""
    found: dict[str, int] = {}
    for messages in sorted(objects.rglob("*.messages")):
        for match in _CHANGED.finditer(messages.read_text(encoding="utf-8", errors="replace")):
            found[f"{match['file']};{match['name']}"] = int(match["count"])
    return found


def defined(nm: Path, objects: Path) -> set[str]:
    """The functions that the objects define, native or LLVM's."""
    # A link is followed here: a thin archive finds its members from where it lies.
    paths = sorted(path.resolve() for path in objects.rglob("*.o"))
    if not paths:
        return set()
    text = tool.output([nm, "--defined-only", "--format=just-symbols", *paths])
    return set(text.split())


def words(objects: Path) -> set[str]:
    """Every word of the files that were compiled, which the .d files beside the objects list."""
    listed: set[str] = set()
    for made in objects.rglob("*.d"):
        listed.update(made.read_text(encoding="utf-8").replace("\\\n", " ").split())
    found: set[str] = set()
    for path in (Path(name) for name in listed if name.endswith(SUFFIXES)):
        if path.is_file():
            found.update(re.findall(r"\w+", path.read_text(encoding="utf-8", errors="replace")))
    return found


def spelt(name: str, known: set[str], pasted: int = 2) -> bool:
    """Whether a name is a word of the sources, or pasted from so many more of them by macros."""
    return name in known or pasted > 0 and any(
        name[:at] in known and spelt(name[at:], known, pasted - 1)
        for at in range(SHORTEST, len(name) - SHORTEST + 1)
    )  # fmt: skip


def identifiers(mangled: str) -> list[str]:
    """The names that a mangled name of C++ is made of."""
    found, end = [], 0
    for length in re.finditer(r"(?<!\d)[1-9]\d*", mangled):
        if length.start() >= end:
            end = length.end() + int(length[0])
            found.append(mangled[length.end():end])
    return found


def known_to_cpp(mangled: str, known: set[str]) -> bool:
    """Whether a mangled name may be of a function that is there, inlined everywhere or not.

    It is not where none of its names is a word of the sources. What the implementation's own
    headers define is not among them.
    """
    names = identifiers(mangled)
    return not names or any(n in known or re.match(r"_[_A-Z]", n) for n in names)


def missing(
    sums: dict[str, int], symbols: set[str], known: set[str], one_step: bool
) -> dict[str, int]:
    """The functions with counts that the program no longer has.

    A function that is local to a file may have been inlined everywhere, so that there is no symbol
    left: it counts as missing when its name is not spelt in the sources any more. So does any
    function where sources were compiled and linked in one step, without an object, and any of C++,
    as templates are inlined everywhere too: those by the names in their mangled names.
    """
    found: dict[str, int] = {}
    for name, count in sums.items():
        local, own = ";" in name, profile.plain(name).split(".")[0]
        if own.startswith("_Z"):
            here = own in symbols or known_to_cpp(own, known)
        else:
            here = own in symbols or ((local or one_step) and spelt(own, known))
        if count and not here:
            found[own] = found.get(own, 0) + count
    return found


def shares(counts: dict[str, int], total: int) -> list[dict[str, Any]]:
    """Functions with their shares of all counts, the largest first."""
    names = sorted(counts, key=lambda name: (-counts[name], name))
    return [
        {"function": profile.plain(name), "share": round(counts[name] / total, 6)}
        for name in names
        if counts[name]
    ]


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    parser.add_argument("--profile", type=Path, required=True)
    parser.add_argument("--objects", type=Path, required=True, help="beside them .messages and .d")
    parser.add_argument("--llvm-bin", type=Path, required=True)
    parser.add_argument("--least", required=True, help="fail below this share")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)
    least = 1.0 if args.least == "100%" else units.fraction("MIN_PROFILE_MATCH", args.least)
    sums = profile.counts(args.llvm_bin / "llvm-profdata", args.profile)
    changed = mismatched(args.objects)
    symbols = defined(args.llvm_bin / "llvm-nm", args.objects)
    one_step = (args.objects / ONE_STEP).exists()
    gone = missing(sums, symbols, words(args.objects), one_step)
    total = max(1, sum(sums.values()))
    found: dict[str, Any] = {
        "share": round(max(0.0, 1 - sum([*changed.values(), *gone.values()]) / total), 6),
        "mismatched": shares(changed, total),
        "missing": shares(gone, total),
    }
    worst = [
        f"  {one['function']}: {one['share']:.1%} of the counts, {what}"
        for kind, what in (("mismatched", "changed since"), ("missing", "no longer there"))
        for one in found[kind][:NAMED]
    ]
    label = f"{args.output.parent.parent.name}/{args.output.parent.name}"
    share = found["share"]
    if share < least:
        raise Failure(
            f"the profile '{args.profile}' fits only {share:.1%} of '{label}'",
            "without PROFILE= one is trained on these sources; or allow less by MIN_PROFILE_MATCH=",
            worst,
        )
    if worst:
        print(f"pgolab: the profile is stale: it fits {share:.1%} of '{label}'", file=sys.stderr)
        print(*worst, sep="\n", file=sys.stderr)
    files.write_text(args.output, json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    errors.run(main)

"""Lay out a linked binary anew by its BOLT profile, and the libraries in lib/ beside it.

bolt.json beside the binary notes what that did to the program itself.
"""

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from pgolab import bolt, errors, files, layouts

WANTED = [
    "-reorder-blocks=ext-tsp", "-reorder-functions=cdsort", "-split-functions",
    "-split-all-cold", "-icf=all", "-use-gnu-stack", "-dyno-stats",
]  # fmt: skip
HOT = 0.01  # a function of this share of the instructions is worth naming


def dyno_stats(log: str) -> dict[str, list[int]]:
    """BOLT's estimates by the profile, before and after, by name."""
    stats: dict[str, list[int]] = {}
    for value, name in re.findall(r"^ +(\d+) : ([^\n(=]+?) *(?:\([^)]*\))?$", log, re.MULTILINE):
        stats.setdefault(name, []).append(int(value))
    return {name: values for name, values in stats.items() if len(values) == 2}


def lay_out(program: Path, binary: Path, profile: str, arguments: list[str], work: Path) -> Path:
    """Makes work/output of a binary, and work/log; what else is in work goes."""
    # BOLT writes its command line into what it makes: it gets the same one wherever that lies.
    files.empty_directory(work)
    (work / "input").symlink_to(binary.resolve())
    files.write_text(work / "profile.fdata", profile)
    log = bolt.run(program, binary, arguments, work)
    files.write_text(work / "log", log)
    return work / "output"


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    parser.add_argument("--input", type=Path, required=True, help="linked with --emit-relocs")
    parser.add_argument("--profile", type=Path, required=True, help="the .fdata, its .json beside")
    parser.add_argument("--llvm-bin", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)
    program = args.llvm_bin / "llvm-bolt"
    arguments = ["-data=profile.fdata", "-o", "output", *bolt.options(program, WANTED)]
    libraries = args.output.parent / "lib"
    work = args.output.with_name("bolt.work")
    for path in layouts.libraries(args.input):
        libraries.mkdir(parents=True, exist_ok=True)
        part = bolt.part(args.profile, path.name)
        lay_out(program, path, part, arguments, work).replace(libraries / path.name)
    made = lay_out(program, args.input, bolt.part(args.profile, ""), arguments, work)
    log = (work / "log").read_text(encoding="utf-8")
    shares = json.loads(args.profile.with_suffix(".json").read_text())["skipped"]
    hot = [name for name, share in shares.items() if share >= HOT]
    facts = {
        "dyno_stats": dyno_stats(log),
        "covered_share": round(1 - sum(shares.values()), 5),
        "skipped_hot": hot,
        "arguments": ["input", *bolt.ALWAYS, *arguments],
        "pie": "position-independent executable" in log,
    }
    files.write_text(args.output.with_name("bolt.json"), json.dumps(facts, indent=2) + "\n")
    made.replace(args.output)
    shutil.rmtree(work)
    if hot:
        print(
            f"note: BOLT could not reach {sum(shares.values()):.0%} of the instructions of"
            f" {args.output.name}, in {', '.join(hot)}"
            + ("; in a program built with nopie it can" if facts["pie"] else "")
        )
    return 0


if __name__ == "__main__":
    errors.run(main)

"""Use a profile that is there instead of training: one that was given, or a committed text.

It may be indexed, raw or text. For `pgo` it has to be one of Clang's IR instrumentation, for
`sample`, whose profiles are NAME.prof, a sample profile.
"""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pgolab import errors, files, tool
from pgolab.errors import Failure

HINT = "PROFILE= is what llvm-profdata merged from builds with -fprofile-generate"


def shown(profdata: Path, given: Path, *options: str) -> tuple[bool, str]:
    """Whether llvm-profdata can read it so, and what it says."""
    command: list[str | Path] = [profdata, "show", *options, given]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return done.returncode == 0, done.stdout + done.stderr


def check_sampled(profdata: Path, given: Path) -> None:
    """Failure, with the reason, unless given is a sample profile."""
    readable, text = shown(profdata, given, "--sample")
    if not readable:
        reason = text.strip().splitlines()[-1] if text.strip() else "no reason given"
        hint = "SAMPLE_PROFILE= is what llvm-profgen made; what PROFILE= takes is another kind"
        raise Failure(f"'{given}' cannot be read as a sample profile", hint, [reason])


def check(profdata: Path, given: Path) -> None:
    """Failure, with the reason, unless given is a profile of IR instrumentation."""
    readable, text = shown(profdata, given)
    if not readable:
        if shown(profdata, given, "--sample")[0]:
            raise Failure(f"'{given}' is a sample profile", "SAMPLE_PROFILE= and `sample` take it")
        reason = text.strip().splitlines()[-1] if text.strip() else "no reason given"
        raise Failure(f"'{given}' cannot be read as a profile", HINT, [reason])
    if "Instrumentation level: Front-end" in text:
        raise Failure(f"'{given}' is of -fprofile-instr-generate, which `pgo` cannot use", HINT)


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    parser.add_argument("--given", type=Path, required=True)
    parser.add_argument("--profile", type=Path, required=True, help="the profile to make of it")
    parser.add_argument("--llvm-bin", type=Path, required=True)
    args = parser.parse_args(argv)
    profdata = args.llvm_bin / "llvm-profdata"
    if not args.given.is_file():
        raise Failure(f"there is no profile '{args.given}'", "give the path of one that is there")
    sampled = args.profile.suffix == ".prof"
    (check_sampled if sampled else check)(profdata, args.given)
    args.profile.parent.mkdir(parents=True, exist_ok=True)
    made = args.profile.with_name(f".{args.profile.name}.tmp")
    kind = ["--sample", "--extbinary"] if sampled else []
    tool.output([profdata, "merge", *kind, "-o", made, args.given])
    noted = args.given.with_name(args.given.name + ".json")
    facts = {"tool": tool.output([profdata, "--version"]).split("\n")[0].strip(), "workloads": {}}
    if noted.is_file():
        facts = json.loads(noted.read_text(encoding="utf-8"))
    facts |= {"sha256": files.sha256(made), "taken_from": str(args.given)}
    files.write_text(args.profile.with_suffix(".json"), json.dumps(facts, indent=2) + "\n")
    files.replace_if_changed(made, args.profile)
    return 0


if __name__ == "__main__":
    errors.run(main)

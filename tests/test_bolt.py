"""BOLT and sample profiles: what is refused, what is weighed, and that nothing depends on luck."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from conftest import LLVM, ROOT, TINY

from pgolab import bolt, branches, callgrind

RELOCATIONS = ["-Wl,--emit-relocs", "-fno-pie", "-no-pie"]
PROBES = ["-g1", "-fpseudo-probe-for-profiling", "-funique-internal-linkage-names", *RELOCATIONS]


def build(where: Path, *flags: str) -> Path:
    """The tiny app and its manifest in a directory; the binary."""
    (where / "manifest").mkdir(parents=True)
    (where / "inputs").mkdir()
    facts = f"name = tiny\ndir = {TINY}\nabout = tiny\nsources = main.c step.c\n"
    (where / "manifest/app").write_text(facts)
    lines = ["one.command = @BIN@ 1 app/train.txt", "two.command = @BIN@ 9 app/train2.txt"]
    (where / "manifest/train").write_text("\n".join(lines) + "\n")
    command: list[str | Path] = [LLVM / "clang", "-O2", "-fuse-ld=lld", "-Wl,--build-id=none"]
    command += [f"-ffile-prefix-map={TINY}=.", *flags, "main.c", "step.c", "-o", where / "tiny"]
    subprocess.run(command, cwd=TINY, check=True)
    return where / "tiny"


def run(script: str, where: Path, profile: str) -> str:
    """Trains; what it said on standard error."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / script, "--manifest", where / "manifest",
         "--inputs", where / "inputs", "--binary", where / "tiny", "--llvm-bin", LLVM,
         "--timeout", "60s", "--profile", where / profile],
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode == 0) == (done.stderr == "")
    return done.stderr


@pytest.mark.parametrize("flags, reason", [
    ([], "require relocations"),
    (["-Wl,--emit-relocs", "-static"], "static binary"),
    (["strip"], "stripped"),
])  # fmt: skip
def test_a_binary_that_bolt_cannot_take_is_refused_with_its_reason(
    tmp_path: Path, flags: list[str], reason: str
) -> None:
    binary = build(tmp_path, *(RELOCATIONS if flags == ["strip"] else flags))
    if flags == ["strip"]:
        subprocess.run([LLVM / "llvm-strip", binary], check=True)
    said = run("bolt_train.py", tmp_path, "b.fdata").splitlines()
    assert said[0].startswith("pgolab: BOLT cannot take ") and reason in said[0]
    assert said[-1].startswith("hint: ")
    assert not (tmp_path / "b.fdata").exists()


@pytest.mark.parametrize("script, profile, flags", [
    ("bolt_train.py", "b.fdata", RELOCATIONS),
    ("sample_train.py", "s.prof", PROBES),
])  # fmt: skip
def test_two_trainings_in_two_places_give_the_same_bytes(
    tmp_path: Path, script: str, profile: str, flags: list[str]
) -> None:
    places = [tmp_path / "here", tmp_path / "quite" / "far away"]
    for place in places:
        build(place, *flags)
        assert run(script, place, profile) == ""
    assert (places[0] / profile).read_bytes() == (places[1] / profile).read_bytes()
    noted = json.loads((places[0] / profile).with_suffix(".json").read_text())
    shares = [w["merge_weight"] * w["total_count"] for w in noted["workloads"].values()]
    assert shares[0] == pytest.approx(shares[1], rel=0.01)


def test_what_bolt_makes_does_the_same_wherever_it_is_made(tmp_path: Path) -> None:
    made = []
    for place in (tmp_path / "here", tmp_path / "quite" / "far"):
        binary = build(place, *RELOCATIONS)
        assert run("bolt_train.py", place, "b.fdata") == ""
        subprocess.run(
            [sys.executable, ROOT / "scripts/bolt.py", "--input", binary, "--profile",
             place / "b.fdata", "--llvm-bin", LLVM, "--output", place / "out/tiny"], check=True,
        )  # fmt: skip
        made.append((place / "out/tiny").read_bytes())
        prints = [subprocess.check_output([b, "3", TINY / "eval.txt"])
                  for b in (binary, place / "out/tiny")]  # fmt: skip
        assert prints[0] == prints[1]
        facts = json.loads((place / "out/bolt.json").read_text())
        assert facts["covered_share"] == 1 and not facts["pie"]
        assert all(len(v) == 2 for v in facts["dyno_stats"].values())
        assert facts["dyno_stats"]["executed instructions"][0] > 0
    assert made[0] == made[1]
    assert b"command line: llvm-bolt input " in made[0]


def test_skipped_functions_are_named_as_in_the_source() -> None:
    warning = "BOLT-WARNING: failed to post-process indirect branches for "
    log = f"{warning}run/1(*2)\n{warning}next\n{warning}register_tm_clones/1(*2)\n"
    assert bolt.skipped(log) == {"run", "next"}


def test_callgrind_counts_are_self_cost_in_the_program_alone() -> None:
    text = "ob=(1) /p\nfn=(1) f\n5 10\n+1 2\ncfn=(2) g\ncalls=3 9\n5 100\n" \
           "fn=(2)\n9 7\nob=(2) /libc.so\nfn=(3) h\n1 50\n"
    assert callgrind.parse(text, "/p") == {"f": 12, "g": 7}


def test_ranges_end_where_control_may_leave_or_enter() -> None:
    code = branches.Code({"f": 16}, [16, 18, 20, 22], frozenset({20}))
    counts = Counter({("1 f 4 1 f 2", "taken"): 7, ("0 [unknown] 0 1 f 0", "taken"): 1})
    assert branches.unsymbolized(counts, code) == "2\n10-10:1\n12-14:7\n1\n14->12:7\n"

"""What is said about a profile, and profiles that are used without training."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import match
import pytest
from conftest import LLVM, Project, copy_project, edit_file, steps

TRAIN = ("train", "APP=apps/tiny", "VARIANTS=o2-pgo")
BUILD = ("build", "APP=apps/tiny", "VARIANTS=o2-pgo o2-pgo-thin")
# Other control flow in step(), for edit().
LOOP = "while (*state & 16)\n        *state >>= 1;\n    "
OTHER_STEP = ("step.c", "if (kind < 250)", f"{LOOP}if (kind < 250)")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The tiny app, built with its profile."""
    made = copy_project(tmp_path_factory.mktemp("health") / "pgolab")
    made.app()
    made.ok(*BUILD)
    return made


@pytest.fixture(scope="module")
def saved(trained: Project) -> Path:
    return trained.save()


@pytest.fixture
def copied(trained: Project, saved: Path) -> Project:
    """The project as it was when it had been built, at the same place, to change."""
    trained.restore(saved)
    return trained


def noted(project: Project, name: str = "profiles/tiny/pgo.json") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project.root / name).read_text())
    return found


def edit(project: Project, file: str, old: str, new: str) -> None:
    edit_file(project.root / "apps/tiny" / file, old, new)


def binaries(project: Project) -> list[bytes]:
    paths = sorted((project.root / "build/tiny").glob("o2-pgo*/tiny"))
    return [path.read_bytes() for path in paths]


def test_the_notes_of_a_profile_say_how_healthy_it_is(copied: Project) -> None:
    facts = noted(copied)
    assert facts["functions"] == {"with_counts": 2, "without_counts": 0}
    assert sorted(h["function"] for h in facts["hottest"]) == ["main", "step"]
    assert sum(h["share"] for h in facts["hottest"]) == pytest.approx(1, abs=0.001)
    assert facts["raw_profiles"] == {"read": 2, "dropped": 0, "lost": 0}
    assert facts["overlap_with_previous"] is None
    assert re.fullmatch("[0-9a-f]{64}", facts["sources_sha256"])


def test_training_says_what_ran_and_how_much_is_as_before(copied: Project) -> None:
    edit(copied, "train2.txt", "77", "78")
    said = copied.ok(*TRAIN)
    assert re.search(r"^tiny/pgo: 2 of 2 functions ran, most in .* \d+%; [0-9.]+% as before$", said,
                     re.MULTILINE)  # fmt: skip
    assert noted(copied)["overlap_with_previous"] > 0.99


def test_the_overlap_with_a_profile_of_other_code_is_small(copied: Project) -> None:
    edit(copied, *OTHER_STEP)
    copied.ok(*TRAIN)
    assert noted(copied)["overlap_with_previous"] < 0.5


@pytest.mark.parametrize("spoil", [
    "printf damaged > ${LLVM_PROFILE_FILE%/*}/9.profraw",
    'for f in ${LLVM_PROFILE_FILE%/*}/*.profraw; do head -c 150 "$f" > ${f%/*}/9.profraw; done',
])  # fmt: skip
def test_a_raw_profile_that_cannot_be_read_is_dropped_counted_and_said(
    copied: Project, spoil: str
) -> None:
    script = copied.root / "apps/tiny/run"
    script.write_text(f'#!/bin/sh\n"$@"\n{spoil}\n')
    script.chmod(0o755)
    edit(copied, "app.mk", "train.one = ", "train.one = $(app.dir)/run ")
    before = (copied.root / "profiles/tiny/pgo.profdata").read_bytes()
    done = copied.make(*TRAIN)
    assert done.returncode == 0, done.stderr
    assert "pgolab: 'train.one': 1 raw profile dropped: 9.profraw: " in done.stderr
    assert noted(copied)["raw_profiles"] == {"read": 2, "dropped": 1, "lost": 0}
    assert (copied.root / "profiles/tiny/pgo.profdata").read_bytes() == before


def test_training_fails_when_no_raw_profile_can_be_read(copied: Project) -> None:
    script = copied.root / "apps/tiny/run"
    spoil = 'for f in ${LLVM_PROFILE_FILE%/*}/*.profraw; do printf damaged > "$f"; done'
    script.write_text(f'#!/bin/sh\n"$@"\n{spoil}\n')
    script.chmod(0o755)
    edit(copied, "app.mk", "train.one = ", "train.one = $(app.dir)/run ")
    assert "'train.one' of tiny wrote no raw profile that can be read" in copied.error(*TRAIN)


def test_the_profile_of_a_build_fits_it(copied: Project) -> None:
    for variant in ("o2-pgo", "o2-pgo-thin"):
        found = noted(copied, f"build/tiny/{variant}/profile-match.json")
        assert found == {"share": 1, "mismatched": [], "missing": []}


def given(project: Project) -> str:
    """A copy of the profile, as PROFILE= takes it."""
    shutil.copy2(project.root / "profiles/tiny/pgo.profdata", project.root / "given.profdata")
    return "PROFILE=given.profdata"


def test_a_given_profile_is_used_instead_of_training(copied: Project) -> None:
    setting, before = given(copied), binaries(copied)
    shutil.rmtree(copied.root / "build")
    shutil.rmtree(copied.root / "profiles")
    done = steps(copied.ok(*BUILD, setting))
    assert "TAKE tiny/pgo" in done and "TRAIN tiny/pgo" not in done
    assert binaries(copied) == before
    assert noted(copied)["taken_from"] == "given.profdata"
    assert steps(copied.ok(*BUILD, setting)) == []
    assert "TRAIN tiny/pgo" in steps(copied.ok(*BUILD))


@pytest.mark.parametrize("variant", ["o2-pgo", "o2-pgo-thin", "o2-pgo-full"])
def test_a_stale_profile_fails_the_build_with_the_functions_named(
    copied: Project, variant: str
) -> None:
    setting = given(copied)
    edit(copied, *OTHER_STEP)
    said = copied.error("build", "APP=apps/tiny", f"VARIANTS={variant}", setting)
    assert re.match(r"pgolab: the profile '.*' fits only [0-9.]+% of 'tiny/", said)
    assert re.search(r"^  step: [0-9.]+% of the counts, changed since$", said, re.MULTILINE)
    assert "MIN_PROFILE_MATCH" in said


def test_a_stale_profile_is_used_where_less_is_asked_for_and_the_share_is_kept(
    copied: Project,
) -> None:
    setting = given(copied)
    edit(copied, *OTHER_STEP)
    done = copied.make(*BUILD, setting, "MIN_PROFILE_MATCH=1%")
    assert done.returncode == 0, done.stderr
    assert "pgolab: the profile is stale: it fits" in done.stderr
    found = noted(copied, "build/tiny/o2-pgo/profile-match.json")
    assert 0 < found["share"] < 0.95
    assert [f["function"] for f in found["mismatched"]] == ["step"]
    assert found["share"] + found["mismatched"][0]["share"] == pytest.approx(1, abs=1e-4)
    assert copied.make(*BUILD, setting).returncode != 0


def test_a_function_that_was_renamed_is_missing(copied: Project) -> None:
    setting = given(copied)
    for file in ("step.c", "step.h", "main.c"):
        edit(copied, file, "step(", "advance(")
    copied.ok(*BUILD, setting, "MIN_PROFILE_MATCH=1%")
    found = noted(copied, "build/tiny/o2-pgo-thin/profile-match.json")
    assert [f["function"] for f in found["missing"]] == ["step"]
    assert found["mismatched"] == []


def test_a_local_function_that_was_inlined_everywhere_is_not_missing(copied: Project) -> None:
    edit(copied, "step.c", "unsigned step(", "static unsigned half(unsigned x)\n{\n"
         "    return x > 9 ? x / 2 : x;\n}\n\nunsigned step(")  # fmt: skip
    edit(copied, "step.c", "return kind * FACTOR", "return half(kind) * FACTOR")
    copied.ok(*BUILD)
    assert noted(copied, "build/tiny/o2-pgo/profile-match.json")["share"] == 1


def test_a_template_that_was_inlined_everywhere_is_not_missing() -> None:
    sums = {"_Z5twiceIiET_S0_": 5, "_ZN5Shape4areaEv": 5, "_ZNKSt5__any3getEv": 5, "gone": 4}
    sums |= {"kept": 3, "a.c;inlined": 2, "a.c;old": 1, "_Z7removedRN1a3OldE": 6, "_Z4lostv": 7}
    gone = match.missing(sums, {"kept", "_Z4lostv"}, {"inlined", "twice", "Shape"}, one_step=False)
    assert gone == {"gone": 4, "old": 1, "_Z7removedRN1a3OldE": 6}


def test_a_local_function_that_macros_name_is_not_missing() -> None:
    words = {"normal_", "scan", "Atts", "x", "y", "xy"}
    sums = {"a.c;normal_scanAtts": 3, "a.c;normal_scan": 2, "a.c;normal_scanned": 1, "a.c;xyyx": 1}
    gone = match.missing(sums, set(), words, one_step=False)
    assert gone == {"normal_scanned": 1, "xyyx": 1}


def make_profile(tmp_path: Path, *flags: str) -> Path:
    """A profile of another kind."""
    (tmp_path / "x.c").write_text("int main(void) { return 0; }\n")
    subprocess.run([LLVM / "clang", *flags, "x.c", "-o", "x"], cwd=tmp_path, check=True)
    subprocess.run(["./x"], cwd=tmp_path, env={"LLVM_PROFILE_FILE": "x.profraw"}, check=True)
    merge: list[str | Path] = [LLVM / "llvm-profdata", "merge", "x.profraw", "-o", "x.profdata"]
    subprocess.run(merge, cwd=tmp_path, check=True)
    return tmp_path / "x.profdata"


def of_the_front_end(tmp_path: Path) -> Path:
    return make_profile(tmp_path, "-fprofile-instr-generate")


def of_samples(tmp_path: Path) -> Path:
    (tmp_path / "s.prof").write_text("main:10:1\n 1: 10\n")
    return tmp_path / "s.prof"


def of_nothing(tmp_path: Path) -> Path:
    (tmp_path / "n.profdata").write_bytes(b"\xff\x00 nothing \x00")
    return tmp_path / "n.profdata"


def of_a_later_version(tmp_path: Path) -> Path:
    made = make_profile(tmp_path, "-fprofile-generate")
    content = bytearray(made.read_bytes())
    content[8] += 9  # the version, after the magic number
    made.write_bytes(content)
    return made


def absent(tmp_path: Path) -> Path:
    return tmp_path / "absent.profdata"


@pytest.mark.parametrize("kind, wrong", [
    (of_the_front_end, "is of -fprofile-instr-generate"),
    (of_samples, "is a sample profile"),
    (of_nothing, "cannot be read as a profile"),
    (of_a_later_version, "cannot be read as a profile"),
    (absent, "there is no profile"),
])  # fmt: skip
def test_a_profile_of_another_kind_is_refused(
    copied: Project, tmp_path: Path, kind: Any, wrong: str
) -> None:
    before = noted(copied)
    said = copied.error(*BUILD, f"PROFILE={kind(tmp_path)}")
    assert wrong in said.splitlines()[0]
    assert noted(copied) == before


def exported(project: Project) -> Path:
    project.ok("profile-export", "APP=apps/tiny")
    return project.root / "profiles/tiny/pgo.proftext"


def test_an_exported_profile_is_sorted_text_and_the_same_each_time(copied: Project) -> None:
    text = exported(copied)
    first = text.read_text()
    assert first.startswith("# IR level Instrumentation Flag\n:ir\n")
    assert first.index("\nmain\n") < first.index("\nstep\n")
    text.unlink()
    assert exported(copied).read_text() == first


def test_building_from_a_committed_profile_needs_no_training_and_gives_the_same_bytes(
    copied: Project,
) -> None:
    text, before = exported(copied), binaries(copied)
    shutil.rmtree(copied.root / "build")
    for left in (copied.root / "profiles/tiny").iterdir():
        if not left.name.startswith(text.name):
            left.unlink()
    done = steps(copied.ok(*BUILD))
    assert not [s for s in done if "train" in s.lower()]
    assert "TAKE tiny/pgo" in done
    assert binaries(copied) == before
    assert steps(copied.ok(*BUILD)) == []


@pytest.mark.parametrize("file, old, new", [
    ("step.h", "FACTOR 3", "FACTOR 5"),
    ("app.mk", "-std=c11", "-std=c11 -DX"),
    ("app.mk", "train.two.weight = 3", "train.two.weight = 2"),
])  # fmt: skip
def test_a_committed_profile_of_other_sources_is_trained_anew_and_said(
    copied: Project, file: str, old: str, new: str
) -> None:
    exported(copied)
    edit(copied, file, old, new)
    said = copied.ok(*BUILD)
    assert "the committed profile 'profiles/tiny/pgo.proftext' is of other sources" in said
    assert "TRAIN tiny/pgo" in steps(said)


@pytest.mark.parametrize("variant, key", [
    ("o2-cspgo-thin", "o2-cspgo-thin"), ("o2-pgo-startup", "startup"),
])  # fmt: skip
def test_the_text_of_other_kinds_says_all_that_the_profile_says(
    copied: Project, tmp_path: Path, variant: str, key: str
) -> None:
    copied.ok("profile-export", "APP=apps/tiny", f"VARIANTS={variant}")
    text = copied.root / f"profiles/tiny/{key}.proftext"
    back = tmp_path / "back.profdata"
    subprocess.run([LLVM / "llvm-profdata", "merge", text, "-o", back], check=True)
    # Not byte by byte: two records of one name may stand in either order.
    shown = [
        subprocess.run(
            [LLVM / "llvm-profdata", "show", "--all-functions", "--counts", kind, profile],
            capture_output=True, text=True, check=True,
        ).stdout
        for kind in ("--detailed-summary", "--showcs", "--temporal-profile-traces")
        for profile in (back, text.with_suffix(".profdata"))
    ]  # fmt: skip
    assert shown[::2] == shown[1::2]

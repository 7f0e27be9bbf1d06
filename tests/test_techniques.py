"""What techniques do to a build, which profiles they share, and which names they refuse."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from conftest import LLVM, ROOT, Project, copy_project, steps

from pgolab import profile, text_pages

VARIANTS = (
    "o2 o1-pgo o3-pgo o2-native-pgo o2-nopie o2-unity o2-unity-pgo o2-cspgo-thin o2-cspgo-full"
    " o2-pgo-startup o2-sample-thin o2-nopie-sample o2-bolt o2-pgo-thin-bolt o2-pgo-startup-bolt"
    " gcc-o2 gcc-o2-full gcc-o2-pgo-full"
)
COMMAND = ("verify", "APP=apps/tiny", f"VARIANTS={VARIANTS}", "LAYOUTS=2")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The tiny app in many variants, verified."""
    made = copy_project(tmp_path_factory.mktemp("techniques") / "pgolab")
    made.app()
    made.ok(*COMMAND)
    return made


def output(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def binary(project: Project, variant: str) -> Path:
    return project.root / "build" / "tiny" / variant / "tiny"


def parts(project: Project, variant: str) -> dict[str, list[str]]:
    made: dict[str, list[str]] = json.loads(binary(project, variant).with_name("parts").read_text())
    return made


def test_many_variants_are_built_once(built: Project) -> None:
    assert "Nothing to be done" in built.ok(*COMMAND)


@pytest.mark.parametrize("variant, profiles", [
    ("o2", []),
    ("o1-pgo", ["pgo"]),
    ("o3-pgo", ["o3-pgo"]),
    ("o2-native-pgo", ["native-pgo"]),
    ("o2-unity-pgo", ["unity-pgo"]),
    ("o2-cspgo-thin", ["pgo", "o2-cspgo-thin"]),
    ("o2-cspgo-full", ["pgo", "o2-cspgo-full"]),
    ("o2-pgo-startup", ["pgo", "startup"]),
    ("o2-sample-thin", ["sample"]),
    ("o2-nopie-sample", ["sample"]),
    ("o2-pgo-thin-bolt", ["pgo", "o2-pgo-thin-bolt"]),
    ("o2-pgo-startup-bolt", ["pgo", "startup", "o2-pgo-startup-bolt"]),
    ("gcc-o2-pgo-full", ["gcc-pgo"]),
])  # fmt: skip
def test_a_profile_is_shared_by_all_that_it_is_right_for(
    built: Project, variant: str, profiles: list[str]
) -> None:
    assert parts(built, variant)["profiles"] == profiles


# Before counters are placed, -O3 splits the call of `total`, by whether the pointer is null.
SPLIT = """
#include "step.h"
__attribute__((noinline)) static int odd(unsigned x) { return x % 3 == 1; }
__attribute__((noinline)) static unsigned total(unsigned *p, unsigned x) { return p ? *p += x : x; }
__attribute__((noinline)) static unsigned split(unsigned *p, unsigned x) {
    return !p || odd(x) ? total(p, x) : x;
}
unsigned step(unsigned *state) { return *state += split(*state & 4 ? state : 0, *state) + 1; }
"""


def test_a_profile_fits_at_each_level(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "pgolab")
    (project.app() / "step.c").write_text(SPLIT)
    variants = ("o1-pgo", "o2-pgo", "o3-pgo", "o3-pgo-thin", "o3-cspgo-full")
    project.ok("build", "APP=apps/tiny", f"VARIANTS={' '.join(variants)}")
    lox = ("os-pgo", "os-pgo-full")
    project.ok("build", f"APP={ROOT}/sample-apps/lox", f"VARIANTS={' '.join(lox)}")
    for name, variant in [*(("tiny", v) for v in variants), *(("lox", v) for v in lox)]:
        match = project.root / "build" / name / variant / "profile-match.json"
        assert json.loads(match.read_text())["share"] == 1, variant
    given = f"PROFILE={project.root}/profiles/tiny/pgo.profdata"
    said = project.error("build", "APP=apps/tiny", "VARIANTS=o3-pgo", given)
    assert "split: " in said and "changed since" in said


def test_a_technique_for_the_link_alone_uses_the_objects_of_the_variant_without_it(
    built: Project,
) -> None:
    assert parts(built, "o2-pgo-startup")["builds"] == ["o2-pgo", "o2-pgo-startup"]
    assert not list(binary(built, "o2-pgo-startup").parent.rglob("*.o"))


def test_only_nopie_is_not_position_independent(built: Project) -> None:
    kinds = {
        v: re.search(r"Type:\s+(\w+)", output(LLVM / "llvm-readelf", "-h", binary(built, v)))
        for v in ("o2", "o2-nopie")
    }
    assert {v: kind and kind[1] for v, kind in kinds.items()} == {"o2": "DYN", "o2-nopie": "EXEC"}


def test_unity_compiles_one_module(built: Project) -> None:
    assert [p.name for p in binary(built, "o2-unity").parent.rglob("*.o")] == ["one-module.o"]
    module = binary(built, "o2-unity").parent / "obj/one-module.o"
    names = output(LLVM / "llvm-nm", "--defined-only", module)
    assert {"main", "step"} <= {line.split()[-1] for line in names.splitlines()}


def test_a_context_sensitive_profile_holds_that_of_the_first_stage(built: Project) -> None:
    show = (LLVM / "llvm-profdata", "show")
    first = output(*show, built.root / "profiles/tiny/pgo.profdata")
    second = built.root / "profiles/tiny/o2-cspgo-thin.profdata"
    assert total(output(*show, second)) == total(first) > 0
    assert total(output(*show, "--showcs", second)) > 0
    assert total(output(*show, "--showcs", built.root / "profiles/tiny/pgo.profdata")) == 0


def test_the_overlap_of_context_sensitive_profiles_is_a_share(built: Project) -> None:
    thin, full = (built.root / f"profiles/tiny/o2-cspgo-{m}.profdata" for m in ("thin", "full"))
    same = profile.overlap(LLVM / "llvm-profdata", thin, thin, context_sensitive=True)
    other = profile.overlap(LLVM / "llvm-profdata", thin, full, context_sensitive=True)
    assert same == pytest.approx(1)
    assert 0 <= other <= 1 + 1e-9


def total(shown: str) -> int:
    """The functions with counters that llvm-profdata shows."""
    found = re.search(r"^Total functions: (\d+)$", shown, re.MULTILINE)
    assert found, shown
    return int(found[1])


def test_startup_puts_functions_in_the_order_of_their_first_calls(built: Project) -> None:
    def order(variant: str) -> list[str]:
        lines = output(LLVM / "llvm-nm", "-n", "--defined-only", binary(built, variant))
        names = (line.split()[-1] for line in lines.splitlines())
        return [name for name in names if name in ("main", "step")]

    assert order("o2-pgo-startup") == ["main", "step"]


def test_the_pages_of_code_that_a_run_touches_are_counted() -> None:
    text = (
        "ob=/lib/libc.so.6\nfn=exit\n0x9000 1 1\n"
        "ob=/bin/program\nfn=main\n0x1ff0 33 1\n0x1fff 33 4\n"
        "calls=1 0x35360 31\n0x2000 35 16\ncob=/lib/libc.so.6\n0x5004 1 1\n"
    )
    assert text_pages.pages(text, "/bin/program") == {1, 2, 5}
    assert text_pages.pages(text, "/bin/other") == set()


def test_a_program_that_uses_more_code_touches_more_pages(built: Project, tmp_path: Path) -> None:
    tiny = binary(built, "o2")
    command = (["1", str(built.root / "apps/tiny/eval.txt")], tmp_path, LLVM, "eval.steps")
    assert 1 <= text_pages.touched(tiny, *command) <= tiny.stat().st_size // 4096 + 1


@pytest.mark.parametrize("variant", ["o2-bolt", "o2-pgo-thin-bolt", "o2-pgo-startup-bolt"])
def test_bolt_rewrites_the_linked_binary_and_says_what_it_did(built: Project, variant: str) -> None:
    for made in (binary(built, variant), binary(built, variant).parent / "layouts/1/tiny"):
        assert ".note.bolt_info" in output(LLVM / "llvm-readelf", "-SW", made)
        facts = json.loads(made.with_name("bolt.json").read_text())
        before, after = facts["dyno_stats"]["taken branches"]
        assert 0 < after <= before
        assert facts["covered_share"] == 1


@pytest.mark.parametrize("variant", ["gcc-o2", "gcc-o2-full", "gcc-o2-pgo-full"])
def test_variants_of_gcc_are_compiled_by_gcc_alone(built: Project, variant: str) -> None:
    comment = output(LLVM / "llvm-readelf", "-p", ".comment", binary(built, variant))
    assert "GCC" in comment
    assert "clang" not in comment


def test_a_sample_profile_that_is_given_is_used(built: Project, tmp_path: Path) -> None:
    given = tmp_path / "production.prof"
    given.write_bytes((built.root / "profiles/tiny/sample.prof").read_bytes())
    before = binary(built, "o2-sample-thin").read_bytes()
    arguments = ("build", "APP=apps/tiny", "VARIANTS=o2-sample-thin")
    assert "TAKE tiny/sample" in steps(built.ok(*arguments, f"SAMPLE_PROFILE={given}"))
    assert binary(built, "o2-sample-thin").read_bytes() == before
    wrong = built.error(*arguments, f"SAMPLE_PROFILE={built.root}/profiles/tiny/pgo.profdata")
    assert "cannot be read as a sample profile" in wrong
    unused = built.error("build", "APP=apps/tiny", "VARIANTS=o2-pgo", f"SAMPLE_PROFILE={given}")
    assert "SAMPLE_PROFILE is given and none of" in unused


def test_gcc_uses_its_profile(built: Project) -> None:
    command = (binary(built, "gcc-o2-pgo-full").parent / "compile.flags").read_text()
    use = re.search(r"-fprofile-use='?([^ ']+)", command)
    assert use and {p.name for p in Path(use[1]).rglob("*.gcda")} == {"main.gcda", "step.gcda"}
    assert "-Wmissing-profile" not in command


@pytest.mark.parametrize("variant, message, nearest", [
    ("gcc-o2-thin", "GCC has no counterpart of 'thin' in the variant 'gcc-o2-thin'", "gcc-o2"),
    ("gcc-o2-cspgo-full", "GCC has no counterpart of 'cspgo'", "gcc-o2-full"),
    ("gcc-o2-unity", "GCC has no counterpart of 'unity'", "gcc-o2"),
    ("o2-gcc", "is not in the order compiler, level", "gcc-o2"),
    ("o2-nopie-native", "is not in the order compiler, level", "o2-native-nopie"),
    ("o2-pgo-cspgo", "more than one profile technique: pgo cspgo", "o2-pgo"),
])  # fmt: skip
def test_a_name_that_makes_no_sense_is_refused(
    built: Project, variant: str, message: str, nearest: str
) -> None:
    error = built.error("build", "APP=apps/tiny", f"VARIANTS={variant}")
    assert message in error
    assert f"did you mean '{nearest}'?" in error


def own_technique(project: Project, name: str, text: str) -> str:
    directory = project.root / "mine"
    directory.mkdir(exist_ok=True)
    (directory / f"{name}.mk").write_text(text)
    return f"TECHNIQUES={directory}"


def test_a_directory_of_techniques_is_used_in_names_at_once(project: Project) -> None:
    setting = own_technique(
        project,
        "inline9",
        "technique.inline9.group := modifier\n"
        "technique.inline9.help := a low threshold\n"
        "technique.inline9.cflags := -mllvm -inline-threshold=9\n",
    )
    done = steps(project.ok("build", "APP=apps/tiny", "VARIANTS=o2-inline9-pgo", setting))
    assert "LD tiny/o2-inline9-pgo" in done
    assert "TRAIN tiny/pgo" in done
    stamp = project.root / "build/tiny/o2-inline9-pgo/compile.flags"
    assert "-inline-threshold=9" in stamp.read_text()
    assert "a low threshold" in project.ok("list", setting)


@pytest.mark.parametrize("text, message", [
    ("technique.mine.group := modifier\n", "the technique 'mine' has no 'technique.mine.help'"),
    ("technique.mine.help := x\n", "the technique 'mine' has the group ''"),
    ("technique.mine.group := levle\n", "the technique 'mine' has the group 'levle'"),
    ("technique.mine.group := modifier\ntechnique.mine.help := x\ntechnique.mine.cflag := -g\n",
     "unknown name 'technique.mine.cflag' in a technique's file"),
    ("technique.other.group := modifier\n", "unknown name 'technique.other.group'"),
])  # fmt: skip
def test_a_technique_that_is_wrong_is_refused(project: Project, text: str, message: str) -> None:
    setting = own_technique(project, "mine", text)
    assert message in project.error("build", "APP=apps/tiny", "VARIANTS=o2", setting)


def test_a_technique_with_a_dash_in_its_name_is_refused(project: Project) -> None:
    setting = own_technique(project, "fast-calls", "")
    error = project.error("build", "APP=apps/tiny", "VARIANTS=o2", setting)
    assert "the technique 'fast-calls' has a '-' in its name" in error


def test_a_directory_without_techniques_is_refused(project: Project) -> None:
    error = project.error("build", "APP=apps/tiny", "VARIANTS=o2", "TECHNIQUES=nothing")
    assert "there is no technique in TECHNIQUES='nothing'" in error


def test_costs_are_taken_with_the_machine_to_itself(project: Project) -> None:
    project.ok("build", "APP=apps/tiny", "VARIANTS=o2 o2-pgo")
    done = project.ok("costs", "APP=apps/tiny", "VARIANTS=o2-pgo", "LAYOUTS=2")
    assert {"CC tiny/o2/main.o", "CC tiny/pgo-train/main.o", "LD tiny/o2-pgo"} <= set(steps(done))
    costs = [p.read_text().split() for p in (project.root / "build/tiny").glob("*/*/*.cost")]
    assert len(costs) == 6
    assert {c[4] for c in costs} == {"1"}
    rows = [line.split() for line in done.splitlines() if line.startswith("o2")]
    assert [row[0] for row in rows] == ["o2", "o2-pgo"]
    assert float(rows[1][1]) > 0

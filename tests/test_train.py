"""Training: what is refused, how workloads are weighted, and which builds a profile serves."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import LLVM, ROOT, Project, counters, edit_file

from pgolab import training
from pgolab.manifest import Workload

TRAIN = ("train", "APP=apps/tiny", "VARIANTS=o2-pgo")


def edit(app: Path, old: str, new: str, file: str = "main.c") -> None:
    edit_file(app / file, old, new)


def when_training(code: str) -> str:
    """C for the end of main that runs where the seed is that of train2.txt alone."""
    return f'if (kind == 77) {{ puts("the last words"); fflush(stdout); {code} }} return 0;'


@pytest.mark.parametrize("code, wrong, hint", [
    ("return 3;", "'train.two' of tiny ended with status 3 in training", "status 0"),
    ("abort();", "'train.two' of tiny was killed by SIGABRT in training", "status 0"),
    ("raise(SIGSEGV);", "'train.two' of tiny was killed by SIGSEGV in training", "status 0"),
    ("for (;;) pause();", "'train.two' of tiny took longer than 1 second", "TIMEOUT="),
    ("syscall(SYS_exit_group, 0);", "'train.two' of tiny wrote no raw profile", "SIGKILL"),
])  # fmt: skip
def test_training_that_goes_wrong_names_the_workload_and_shows_its_last_words(
    shared: Project, app: Path, code: str, wrong: str, hint: str
) -> None:
    edit(app, "#include <stdio.h>", "#include <signal.h>\n#include <stdio.h>\n"
         "#include <sys/syscall.h>\n#include <unistd.h>")  # fmt: skip
    edit(app, "unsigned long sum", "unsigned kind = seed;\n    unsigned long sum")
    edit(app, "return 0;", when_training(code))
    edit(app, "-std=c11", "-std=gnu11", "app.mk")
    said = shared.error(*TRAIN, "TIMEOUT=1s").splitlines()
    assert said[0].startswith(f"pgolab: {wrong}")
    assert "the last words" in said
    assert any(line.startswith("hint: ") and hint in line for line in said)
    assert not (shared.root / "profiles/tiny/pgo.profdata").exists()


def test_only_the_end_of_a_long_output_is_shown(shared: Project, app: Path) -> None:
    edit(app, "return 0;", 'for (int i = 0; i < 99; i++) printf("%d!\\n", i); return 1;')
    said = shared.error(*TRAIN).splitlines()
    assert "98!" in said
    assert len(said) < 20


@pytest.mark.parametrize("command, wrong", [
    ("$(app.dir)/run $(BIN)", "'train.one' of tiny wrote no raw profile"),
    ("$(app.dir)/absent $(BIN)", "'train.one' of tiny cannot start"),
    ("$(app.dir)/train.txt $(BIN)", "'train.one' of tiny cannot start: Permission denied"),
])  # fmt: skip
def test_a_command_that_does_not_run_the_binary_is_said(
    shared: Project, app: Path, command: str, wrong: str
) -> None:
    (app / "run").write_text("#!/bin/sh\nexit 0\n")
    (app / "run").chmod(0o755)
    edit(app, "train.one = $(BIN)", f"train.one = {command}", "app.mk")
    assert shared.error(*TRAIN).startswith(f"pgolab: {wrong}")


def test_counters_that_are_all_zero_are_an_error(shared: Project, app: Path) -> None:
    (app / "main.c").write_text(
        "extern int __llvm_profile_write_file(void);\n"
        "extern void __llvm_profile_reset_counters(void);\n"
        "int main(void)\n{\n#ifdef TRAINING\n"
        "    __llvm_profile_reset_counters();\n    return __llvm_profile_write_file();\n#endif\n}\n"
    )
    technique = shared.root / "pipeline/techniques/pgo.mk"
    kept = technique.read_text()
    technique.write_text(kept.replace("-fprofile-generate", "-fprofile-generate -DTRAINING"))
    (app / "step.c").unlink()
    try:
        said = shared.error(*TRAIN)
    finally:
        technique.write_text(kept)
    assert said.startswith("pgolab: 'train.one' of tiny wrote a raw profile with all counters zero")
    assert "$(BIN)" in said


def test_a_failed_training_keeps_the_profile_that_there_was(shared: Project, app: Path) -> None:
    shared.ok(*TRAIN)
    before = {p.name: p.read_bytes() for p in (shared.root / "profiles/tiny").iterdir()}
    assert sorted(before) == ["pgo.json", "pgo.profdata"]
    edit(app, "77\n", "", "train2.txt")
    shared.error(*TRAIN)
    assert before == {p.name: p.read_bytes() for p in (shared.root / "profiles/tiny").iterdir()}
    (app / "train2.txt").write_text("77\n")
    shared.ok(*TRAIN)


def shares(shared: Project) -> tuple[float, float]:
    """How much the functions `first` and `second` count in the merged profile."""
    profile = shared.root / "profiles/tiny/pgo.profdata"
    both = [float(sum(counters(profile, f))) for f in ("first", "second")]
    return both[0] / sum(both), both[1] / sum(both)


TWO_LOOPS = """
#include <stdlib.h>
volatile unsigned sink;
__attribute__((noinline)) static void first(int n) { for (int i = 0; i < n; i++) sink += 3; }
__attribute__((noinline)) static void second(int n) { for (int i = 0; i < n; i++) sink += 5; }
int main(int argc, char **argv)
{
    if (argc > 2)
        second(atoi(argv[1]));
    else
        first(atoi(argv[1]));
    return 0;
}
"""


@pytest.mark.parametrize("long, weights, expected", [
    (1000, "", 0.5),
    (1000000, "", 0.5),
    (1000000, "train.b.weight = 3", 0.75),
    (1000000, "train.a.weight = 4", 0.2),
    (1000000, "train.a.weight = 2\ntrain.b.weight = 0.5", 0.2),
])  # fmt: skip
def test_workloads_count_by_their_weight_however_long_they_ran(
    shared: Project, app: Path, long: int, weights: str, expected: float
) -> None:
    (app / "main.c").write_text(TWO_LOOPS)
    (app / "step.c").unlink()
    (app / "app.mk").write_text(
        "app.about := two loops\napp.sources := $(app.dir)/main.c\n"
        f"train.a = $(BIN) 1000\ntrain.b = $(BIN) {long} second\n{weights}\neval.e = $(BIN) 5\n"
    )
    shared.ok(*TRAIN)
    assert shares(shared)[1] == pytest.approx(expected, abs=0.01)


def test_the_json_beside_a_profile_says_what_went_into_it(
    shared: Project, app: Path
) -> None:
    shared.ok(*TRAIN)
    profile = shared.root / "profiles/tiny/pgo.profdata"
    noted = json.loads(profile.with_suffix(".json").read_text())
    digest = subprocess.run(["sha256sum", profile], capture_output=True, text=True, check=True)
    assert noted["sha256"] == digest.stdout.split()[0]
    assert noted["tool"]
    one, two = noted["workloads"]["one"], noted["workloads"]["two"]
    assert list(noted["workloads"]) == ["one", "two"]
    assert (one["weight"], two["weight"]) == (1, 3)
    assert one["raw_profiles"] == two["raw_profiles"] == 1
    shares = [w["merge_weight"] * w["total_count"] / w["weight"] for w in (one, two)]
    assert shares[0] == pytest.approx(shares[1], rel=0.01)
    assert one["wall_s"] > 0 and one["cpu_s"] > 0
    merged = sum(w["merge_weight"] * w["total_count"] for w in (one, two))
    shown = subprocess.run(
        [LLVM / "llvm-profdata", "show", "--detailed-summary", profile],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert f"Total count: {merged}\n" in shown


def test_what_a_child_process_does_is_in_the_profile(
    shared: Project, app: Path
) -> None:
    edit(app, "int main", "#include <sys/wait.h>\n#include <unistd.h>\nvolatile int sink;\n"
         "__attribute__((noinline)) void child(void) { sink++; }\nint main")  # fmt: skip
    edit(app, "if (argc", "if (fork() == 0) return child(), 0;\n    wait(0);\n    if (argc")
    edit(app, "-std=c11", "-std=gnu11", "app.mk")
    shared.ok(*TRAIN)
    assert min(counters(shared.root / "profiles/tiny/pgo.profdata", "child")) > 0


def test_the_profile_does_not_depend_on_where_the_clone_lies(
    new_project: Callable[[str], Project],
) -> None:
    profiles = []
    for name in ("here", "quite/far away/from it's home"):
        clone = new_project(name)
        clone.app()
        clone.ok(*TRAIN)
        profiles.append((clone.root / "profiles/tiny/pgo.profdata").read_bytes())
    assert profiles[0] == profiles[1]


def test_training_leaves_the_app_and_the_project_alone(shared: Project, app: Path) -> None:
    before = sorted(p.name for p in (*app.iterdir(), *shared.root.iterdir()))
    shared.ok(*TRAIN)
    after = sorted(p.name for p in (*app.iterdir(), *shared.root.iterdir()))
    assert sorted(before + ["build", "profiles"]) == after


@pytest.mark.parametrize("weights, totals, merged", [
    ((1,), (12345,), [1]),
    ((1, 1), (500, 500), [1, 1]),
    ((1, 1), (300, 100), [1, 3]),
    ((1, 3), (100, 100), [1, 3]),
    ((1, 1), (100, 1011), [1011, 100]),
])  # fmt: skip
def test_merge_weights_are_whole_and_have_no_common_factor(
    weights: tuple[float, ...], totals: tuple[int, ...], merged: list[int]
) -> None:
    workloads = [Workload("train", f"w{i}", (), weight) for i, weight in enumerate(weights)]
    assert training.merge_weights(workloads, list(totals)) == merged


MODES = {
    "o2": ["-O2"], "o3": ["-O3"], "thin": ["-O2", "-flto=thin"], "full": ["-O2", "-flto=full"],
}  # fmt: skip


def compile_with(source: Path, made: Path, flags: list[str]) -> str:
    """Compiles and links an app by hand; what the compiler said."""
    done = subprocess.run(
        [LLVM / "clang", "-std=c11", "-ffunction-sections", f"-ffile-prefix-map={source}=.",
         "-fuse-ld=lld", "-Wl,--build-id=none", *flags, *sorted(source.glob("*.c")), "-o", made],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def parser_profiles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A profile of the parser taken in each mode, on the same input."""
    place = tmp_path_factory.mktemp("modes")
    text = json.dumps([{"name": f"n{i}", "x": [i / 7, -i, None, True, "ü\n"]} for i in range(500)])
    (place / "input.json").write_text(text)
    profiles = {}
    for mode, flags in MODES.items():
        binary = place / f"{mode}-train"
        source = ROOT / "sample-apps/parser"
        compile_with(source, binary, [*flags, "-fprofile-generate"])
        subprocess.run(
            [binary, "print", "--repeat", "3", place / "input.json"],
            env={"LLVM_PROFILE_FILE": str(place / f"{mode}.profraw")},
            stdout=subprocess.DEVNULL, check=True,
        )  # fmt: skip
        profiles[mode] = place / f"{mode}.profdata"
        raw = place / f"{mode}.profraw"
        merge = ["merge", "-o", str(profiles[mode]), str(raw)]
        subprocess.run([LLVM / "llvm-profdata", *merge], check=True)
    return profiles


@pytest.mark.parametrize("mode", ["o3", "thin", "full"])
def test_a_profile_taken_at_o2_equals_one_taken_in_another_mode(
    parser_profiles: dict[str, Path], mode: str
) -> None:
    text = subprocess.run(
        [LLVM / "llvm-profdata", "overlap", parser_profiles["o2"], parser_profiles[mode]],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    levels = re.findall(r"(?:Edge profile|Function) overlap[^:]*: ([0-9.]+)%", text)
    assert levels and set(levels) == {"100.000"}, text
    assert "mismatch" not in text.lower()


@pytest.mark.parametrize("mode", sorted(MODES))
def test_a_profile_taken_at_o2_is_used_in_every_mode_without_a_mismatch(
    parser_profiles: dict[str, Path], tmp_path: Path, mode: str
) -> None:
    use = [f"-fprofile-use={parser_profiles['o2']}", "-Werror"]
    source = ROOT / "sample-apps/parser"
    assert compile_with(source, tmp_path / "parser", [*MODES[mode], *use]) == ""


def test_the_compiler_would_tell_of_a_profile_of_other_code(
    parser_profiles: dict[str, Path], tmp_path: Path
) -> None:
    changed = tmp_path / "parser"
    shutil.copytree(ROOT / "sample-apps/parser", changed)
    for file in changed.glob("*.c"):
        file.write_text(file.read_text().replace("for (", "if (changed) for (")
                        .replace("#include \"json.h\"", "#include \"json.h\"\nextern int changed;"))
    (changed / "changed.c").write_text("int changed = 1;\n")
    use = [f"-fprofile-use={parser_profiles['o2']}", "-O2"]
    assert "control flow change" in compile_with(changed, tmp_path / "binary", use)

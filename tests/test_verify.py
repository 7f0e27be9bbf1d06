"""A binary that does not do what the baseline does is found, named, and never timed."""

import json
from pathlib import Path

import pytest
from conftest import Project, edit_file

APP = "APP=apps/tiny"
OS = ("VARIANTS=os", "LAYOUTS=2", "BUDGET=1s")


def edit(app: Path, old: str, new: str, file: str = "main.c") -> None:
    edit_file(app / file, old, new)


def at_end(app: Path, code: str, headers: str = "") -> None:
    """Lets main run C code before it ends; small and timed are macros there."""
    edit(app, "return 0;", f"{code}\n    return 0;")
    edit(app, "#include <stdio.h>", f"{headers}\n#include <stdio.h>\n"
         "#ifdef __OPTIMIZE_SIZE__\n#define small 1\n#else\n#define small 0\n#endif")  # fmt: skip
    edit(app, "-std=c11", "-std=gnu11", "app.mk")


def declare_output(app: Path, name: str) -> None:
    edit(app, "eval.steps.work", f"eval.steps.output = {name}\neval.steps.work", "app.mk")


DIFFERS = "os of tiny does not do what the baseline does on"


@pytest.mark.parametrize("code, output, wrong, detail", [
    ('int held = small && argv[2][4] == \'e\';\n'
     '    puts("start"); puts(held ? "small" : "large"); puts("end");', None,
     f"{DIFFERS} 'eval.steps': standard output", [" start", "-large", "+small", " end"]),
    ('if (seed == 77u * small) puts("trained");', None, None, []),
    ('if (small) printf("no newline");', None, "standard output", ["+no newline"]),
    ('printf(small ? "7\\n" : "7");', None, "standard output", ["difference is at byte "]),
    ('printf(small ? "7\\r\\n" : "7\\n");', None, "standard output", ["difference is at byte "]),
    ('fwrite("\\xff\\0b\\0\\n", 1, 5 - small, stdout);', None, "standard output",
     ["; the first difference is at byte "]),
    ('if (small) return 4;', None, "'train.one' of tiny ended with status 4 with os", []),
    ('if (small) abort();', None, "'train.one' of tiny was killed by SIGABRT with os", []),
    ('fprintf(fopen("made.txt", "w"), "%d\\n", small);', "made.txt",
     f"{DIFFERS} 'eval.steps': made.txt", ["-0", "+1"]),
    ('fprintf(fopen(small ? "other" : "made", "w"), "1\\n");', "made",
     "'eval.steps' of tiny made no file 'made' with os", []),
    ('fprintf(fopen("unknown", "w"), "%d\\n", small);', None, None, []),
    ('if (small) fprintf(stderr, "diagnostics\\n");', None, None, []),
])  # fmt: skip
def test_what_a_variant_does_otherwise_is_reported_and_not_timed(
    shared: Project, app: Path, code: str, output: str | None, wrong: str | None, detail: list[str]
) -> None:
    at_end(app, code)
    if output:
        declare_output(app, output)
    results = sorted((shared.root / "results").iterdir())
    if wrong is None:
        shared.ok("verify", APP, *OS)
        return
    said = shared.error("report", APP, *OS)
    assert wrong in said.splitlines()[0]
    for line in detail:
        assert line in said
    assert sorted((shared.root / "results").iterdir()) == results


def test_training_workloads_are_verified_too(shared: Project, app: Path) -> None:
    at_end(app, 'if (small && argv[2][5] == \'r\') puts("in train2.txt");')
    edit(app, "$(app.dir)/train2.txt", "app/train2.txt", "app.mk")
    assert f"{DIFFERS} 'train." in shared.error("verify", APP, *OS).splitlines()[0]


def test_every_layout_is_verified(shared: Project, app: Path) -> None:
    (app / "step.c").write_text((app / "step.c").read_text().replace(
        "{\n", "{\n    extern int main(int, char **);\n", 1))
    at_end(app, 'char *a = (char *)step, *b = (char *)main; printf("%ld\\n", (long)(a - b));')
    said = shared.error("verify", APP, "VARIANTS=o2 o3", "LAYOUTS=4").splitlines()
    assert said[0].startswith("pgolab: o2 of tiny does not do what the baseline does on")
    assert any("/layouts/" in line for line in said if line.startswith("hint: "))


def test_a_baseline_that_was_not_asked_for_is_not_linked_again(shared: Project, app: Path) -> None:
    shared.ok("verify", APP, "BASELINE=o1", "VARIANTS=o3", "LAYOUTS=3", "BUDGET=9s")
    built = shared.root / "build" / app.name
    made = {v: len(list((built / v / "layouts").glob("[0-9]*"))) for v in ("o1", "o3")}
    assert made == {"o1": 0, "o3": 2}
    shared.ok("verify", APP, "BASELINE=o1", "VARIANTS=o1 o3", "LAYOUTS=3", "BUDGET=9s")
    assert len(list((built / "o1/layouts").glob("[0-9]*"))) == 2


@pytest.mark.parametrize("code, headers", [
    ('printf("%d\\n", (int)getpid());', "#include <unistd.h>"),
    ("struct timespec t; clock_gettime(CLOCK_REALTIME, &t); printf(\"%ld\\n\", t.tv_nsec);",
     "#include <time.h>"),
])  # fmt: skip
def test_a_baseline_that_prints_something_else_each_time_is_said(
    shared: Project, app: Path, code: str, headers: str
) -> None:
    at_end(app, code, headers)
    said = shared.error("verify", APP, *OS).splitlines()
    assert said[0] == "pgolab: 'train.one' of tiny gives another output each time: standard output"
    assert "deterministic" in next(line for line in said if line.startswith("hint: "))


def test_a_baseline_that_fails_is_said(shared: Project, app: Path) -> None:
    at_end(app, "if (!small) return 7;")
    said = shared.error("verify", APP, *OS).splitlines()[0]
    assert "ended with status 7 with o2" in said


def test_a_long_difference_is_cut(shared: Project, app: Path) -> None:
    at_end(app, 'for (int i = 0; i < 5000; i++) printf("%d %0500d\\n", i + small, 0);')
    said = shared.error("verify", APP, *OS)
    assert len(said.splitlines()) < 25
    assert max(len(line) for line in said.splitlines()) <= 250


def test_metrics_may_differ_and_are_not_output(shared: Project, app: Path) -> None:
    at_end(app, 'char *m = getenv("PGOLAB_METRICS");\n'
           '    fprintf(fopen(m, "w"), "{\\"metric\\": \\"pid\\", \\"value\\": %d, '
           '\\"better\\": \\"lower\\"}\\n", (int)getpid());', "#include <unistd.h>")  # fmt: skip
    edit(app, "train.", "# ", "app.mk")
    shared.ok("verify", APP, *OS)


def test_a_variant_that_is_repaired_is_verified_again(shared: Project, app: Path) -> None:
    at_end(app, "printf(\"%d\\n\", small);")
    shared.error("verify", APP, *OS)
    shared.error("verify", APP, *OS)
    edit(app, "printf(\"%d\\n\", small);", "")
    shared.ok("verify", APP, *OS)


def test_another_baseline_is_verified_by_itself(shared: Project, app: Path) -> None:
    at_end(app, 'puts(small ? "small" : "large");')
    shared.ok("verify", APP, "BASELINE=os", "VARIANTS=os", "LAYOUTS=2")
    shared.ok("verify", APP, "VARIANTS=o3", "LAYOUTS=2")
    said = shared.error("verify", APP, "BASELINE=os", "VARIANTS=o3", "LAYOUTS=2").splitlines()
    assert said[0].startswith("pgolab: o3 of tiny does not do what the baseline does on")
    assert {"-small", "+large"} <= set(said)


def test_a_variant_that_cannot_be_verified_leaves_earlier_results(
    shared: Project, app: Path
) -> None:
    shared.ok("measure", APP, "VARIANTS=o3", "LAYOUTS=2", "BUDGET=1s")
    latest = (shared.root / "results/latest").resolve()
    before = {p.name: p.read_bytes() for p in latest.iterdir()}
    at_end(app, "if (small) abort();")
    shared.error("report", APP, "VARIANTS=o3 os", "LAYOUTS=2", "BUDGET=1s")
    assert (shared.root / "results/latest").resolve() == latest
    assert {p.name: p.read_bytes() for p in latest.iterdir()} == before
    assert json.loads(before["run.json"])["apps"]["tiny"]["variants"].keys() == {"o2", "o3"}

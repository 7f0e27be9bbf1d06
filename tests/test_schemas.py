"""The JSON Schemas of a run's files: what pgolab writes fits them, and what does not is refused."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import analyse
import jsonschema
import pytest
from conftest import ROOT, copy_project
from test_analyse import Made, one, write

from pgolab import record
from pgolab.errors import Failure
from pgolab.record import Content


def schema(name: str) -> jsonschema.Draft202012Validator:
    text = (ROOT / f"docs/schemas/{name}-1.json").read_text()
    jsonschema.Draft202012Validator.check_schema(json.loads(text))
    return jsonschema.Draft202012Validator(json.loads(text))


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Runs of the tiny app, by time and by instructions."""
    made = copy_project(tmp_path_factory.mktemp("schemas") / "pgolab")
    made.app()
    for extra in (["BUDGET=2s", "LAYOUTS=2"], ["METRIC=instructions"]):
        made.ok("report", "APP=apps/tiny", "VARIANTS=o2-pgo", "PRECISION=50%", *extra)
    return sorted(p for p in (made.root / "results").iterdir() if not p.is_symlink())


def test_what_pgolab_writes_fits(real: list[Path]) -> None:
    assert len(real) == 2
    for run in real:
        schema("run").validate(load(run / "run.json"))
        schema("summary").validate(load(run / "summary.json"))


def test_the_contents_of_binaries_are_those_that_run_json_sums_up(real: list[Path]) -> None:
    for run in real:
        rows = record.read_rows(run / "contents.csv", Content)
        for name, variant in load(run / "run.json")["apps"]["tiny"]["variants"].items():
            own = [r for r in rows if (r.app, r.variant) == ("tiny", name)]
            sections = {r.section: r.bytes for r in own if not r.function}
            assert variant["sections"].items() <= sections.items()
            code = [r.bytes for r in own if r.function and r.section == ".text"]
            assert 0 < sum(code) <= variant["sections"][".text"]


@pytest.mark.parametrize("made", [
    Made(one(o3=1.1, o2_pgo=1.2), long_runs={"variant": "o3", "factor": 8, "ln_ratios": [0.1] * 3}),
    Made(one(o3=1.1), disturbed=frozenset(range(25))),
    Made(one(o3=1.1), layouts=1),
])
def test_summaries_of_all_kinds_fit(tmp_path: Path, made: Made) -> None:
    analyse.main([str(write(tmp_path / "run", made))])
    schema("summary").validate(load(tmp_path / "run/summary.json"))


def required(node: dict[str, Any], place: str = "") -> dict[str, tuple[str, ...]]:
    """The required keys of each place of the schema of runs."""
    if "$ref" in node:
        node = schema("run").schema["$defs"][node["$ref"].rpartition("/")[2]]
    found = {place: tuple(node["required"])} if "required" in node else {}
    inner = dict(node.get("properties", {}))
    if isinstance(node.get("additionalProperties"), dict):
        inner["*"] = node["additionalProperties"]
    for name, child in inner.items():
        found |= required(child, f"{place}.{name}".lstrip("."))
    return found


def test_a_reader_asks_for_no_key_that_the_schema_does_not_require() -> None:
    known = required(schema("run").schema)
    for place, keys in record.KEYS.items():
        assert set(keys) <= set(known[place]), place


Edit = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize("edit, message", [
    (lambda r: r.update(schema="pgolab.run/2"), "the schema 'pgolab.run/2', not 'pgolab.run/1'"),
    (lambda r: r.update(schema="pgolab.summary/1"), "the schema 'pgolab.summary/1'"),
    (lambda r: r.update(schema=None), "the schema 'None'"),
    (lambda r: r.pop("settings"), "has no 'settings'"),
    (lambda r: r["settings"].pop("baseline"), "has no 'settings.baseline'"),
    (lambda r: r["apps"]["tiny"].pop("workloads"), "has no 'apps.tiny.workloads'"),
    (lambda r: r["apps"]["tiny"]["workloads"]["steps"].pop("scale"),
     "has no 'apps.tiny.workloads.steps.scale'"),
    (lambda r: r["apps"]["tiny"]["variants"].update(o2=[]),
     "has no 'apps.tiny.variants.o2.sha256'"),
    (lambda r: r["apps"].update(tiny=7), "has no 'apps.tiny.about'"),
])  # fmt: skip
def test_a_run_that_cannot_be_read_is_refused_by_the_name_of_what_is_wrong(
    real: list[Path], tmp_path: Path, edit: Edit, message: str
) -> None:
    run = copy.deepcopy(load(real[0] / "run.json"))
    edit(run)
    (tmp_path / "run.json").write_text(json.dumps(run))
    with pytest.raises(Failure) as raised:
        record.read_run(tmp_path)
    assert message in raised.value.message
    assert not schema("run").is_valid(run)


def test_a_newer_minor_version_and_unknown_keys_are_read(real: list[Path], tmp_path: Path) -> None:
    run = load(real[0] / "run.json")
    run |= {"schema": "pgolab.run/1.3", "new": 1}
    run["apps"]["tiny"]["variants"]["o2"]["new"] = {}
    (tmp_path / "run.json").write_text(json.dumps(run))
    assert record.read_run(tmp_path)["new"] == 1
    schema("run").validate(run)


@pytest.mark.parametrize("edit", [
    lambda s: s["apps"]["tiny"]["variants"]["o2"]["costs"].pop("text_bytes"),
    lambda s: s["apps"]["tiny"].update(blocks=-1),
    lambda s: s["geomean"].update(o3={"speedup": 1.0}),
    lambda s: s["apps"]["tiny"].pop("noisy"),
])
def test_a_damaged_summary_does_not_fit(real: list[Path], edit: Edit) -> None:
    summary = load(real[0] / "summary.json")
    edit(summary)
    assert not schema("summary").is_valid(summary)

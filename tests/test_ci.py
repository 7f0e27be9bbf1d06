"""The workflows: linted, checked for what they rely on, and their commands run as a runner would.

No runner of GitHub or GitLab is here: checkouts, caches and artifacts are played, expressions are
filled in, and the lines in LEFT_OUT are not run. Instructions are counted instead of time, which is
quick and certain.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from conftest import ROOT, TINY, copy_project

GITHUB = [*sorted((ROOT / ".github/workflows").glob("*.yml")), ROOT / "docs/ci/github.yml"]
GITLAB = ROOT / "docs/ci/gitlab.yml"
LEFT_OUT = {  # they would install packages, change the machine, or run this test
    "apt-get update",
    "apt-get install -y --no-install-recommends ca-certificates git",
    "git config --system --add safe.directory '*'",
    "./scripts/setup",
    "pgolab/scripts/setup",
    ".ci/run",
}
SETTINGS = "METRIC := instructions\n"

TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}
MINUTES = {"type": "integer", "minimum": 1, "maximum": 60}
VALUES = {"type": "object", "additionalProperties": {"type": ["string", "boolean", "integer"]}}
# What others wrote (titles, names of branches) gets into a shell by its environment or not at all.
COMMAND = {"type": "string", "not": {"pattern": r"\$\{\{"}}
STEP = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "name": TEXT, "id": TEXT, "if": TEXT, "run": COMMAND, "with": VALUES, "env": VALUES,
        "working-directory": TEXT, "continue-on-error": {"const": True},
        "uses": {"type": "string", "pattern": r"^[\w-]+/[\w-]+@[0-9a-f]{40}$"},
    },
    "oneOf": [{"required": ["name", "run"]}, {"required": ["uses", "with"]}],
    "if": {"properties": {"uses": {"pattern": "^actions/checkout@"}}, "required": ["uses"]},
    "then": {"properties": {"with": {
        "required": ["persist-credentials"],
        "properties": {"persist-credentials": {"const": False}},
    }}},
}  # fmt: skip
EVENTS = {"enum": ["push", "pull_request", "schedule", "workflow_dispatch"]}
WORKFLOW = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "on", "permissions", "jobs"],
    "properties": {
        "name": TEXT, "env": VALUES, "defaults": {"const": {"run": {"shell": "bash"}}},
        "on": {
            "type": ["string", "array", "object"],
            "if": {"type": "string"}, "then": EVENTS, "items": EVENTS, "propertyNames": EVENTS,
        },
        "permissions": {"const": {"contents": "read"}},
        "concurrency": {"type": "object", "required": ["group"]},
        "jobs": {"type": "object", "minProperties": 1, "additionalProperties": {
            "type": "object",
            "additionalProperties": False,
            "required": ["runs-on", "timeout-minutes", "steps"],
            "properties": {
                "if": TEXT, "needs": TEXT, "runs-on": {"pattern": "^ubuntu-"}, "container": {},
                "strategy": {"type": "object"}, "outputs": VALUES, "env": VALUES,
                "timeout-minutes": MINUTES, "steps": {"type": "array", "items": STEP},
            },
        }},
    },
}  # fmt: skip
GITLAB_JOB = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "image": TEXT, "extends": TEXT, "interruptible": {"const": True}, "variables": VALUES,
        "timeout": {"enum": ["30 minutes", "1 hour"]}, "parallel": {"type": "object"},
        "before_script": TEXTS, "script": TEXTS, "allow_failure": {"const": True},
        "artifacts": {"type": "object", "required": ["paths"]},
        "cache": {"type": "object", "required": ["key", "paths"]},
        "rules": {"type": "array", "items": {
            "type": "object", "required": ["if"], "additionalProperties": False,
            "properties": {"if": TEXT},
        }},
    },
    "oneOf": [{"required": ["image", "timeout", "before_script"]}, {"required": ["extends"]}],
}  # fmt: skip
PIPELINE = {"type": "object", "additionalProperties": GITLAB_JOB}


def load(text: str) -> dict[Any, Any]:
    """A workflow; YAML 1.1 takes its key `on` for a truth value."""
    loaded: dict[Any, Any] = yaml.safe_load(text)
    return {"on" if key is True else key: value for key, value in loaded.items()}


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What `make recipe` exports for both services."""
    made = copy_project(tmp_path_factory.mktemp("recipes") / "pgolab")
    made.app()
    asked = ("recipe", "APP=apps/tiny", "VARIANT=o2-pgo-thin")
    return {name: made.ok(*asked, f"FORMAT={name}") for name in ("github", "gitlab")}


def test_github_s_workflows_are_as_safe_as_they_can_be(recipes: dict[str, str]) -> None:
    for text in [*(path.read_text() for path in GITHUB), recipes["github"]]:
        jsonschema.validate(load(text), WORKFLOW)


def test_gitlab_s_pipelines_have_a_time_limit(recipes: dict[str, str]) -> None:
    for text in (GITLAB.read_text(), recipes["gitlab"]):
        jsonschema.validate(load(text), PIPELINE)


@pytest.mark.parametrize("old, new", [
    ("permissions:\n  contents: read\n", ""),
    ("contents: read", "contents: write"),
    ("timeout-minutes: 60", "timeout: 60"),
    ("@27d5ce7f107fe9357f9df03efb73ab90386fccae", "@v5"),
    ("persist-credentials: false", "persist-credentials: true"),
    ("  pull_request:\n", "  pull_request_target:\n"),
    ('"$PWD/$APPS/$APP"', '"$PWD/$APPS/${{ github.head_ref }}"'),
])  # fmt: skip
def test_what_is_unsafe_is_found(old: str, new: str) -> None:
    text = (ROOT / "docs/ci/github.yml").read_text()
    assert old in text
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(load(text.replace(old, new)), WORKFLOW)


def test_an_action_has_one_commit_everywhere_and_its_version_beside(
    recipes: dict[str, str]
) -> None:
    pins: dict[str, set[str]] = {}
    for text in [*(path.read_text() for path in GITHUB), recipes["github"]]:
        for line in re.findall(r"uses: (.*)", text):
            found = re.fullmatch(r"(\S+)(@[0-9a-f]{40} # v\d+\.\d+\.\d+)", line)
            assert found, line
            pins.setdefault(found[1], set()).add(found[2])
    assert {name: len(commits) for name, commits in pins.items()} == dict.fromkeys(pins, 1)


@pytest.mark.parametrize("name", ["github", "gitlab"])
def test_a_recipe_s_yaml_is_clean(recipes: dict[str, str], name: str) -> None:
    """But for the length of its lines, which are those of the script in it."""
    config = f"{{extends: {ROOT}/.yamllint, rules: {{line-length: disable}}}}"
    done = subprocess.run(
        ["yamllint", "--strict", "-d", config, "-"],
        input=recipes[name], capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def shell(
    where: Path, script: str, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Runs a script as both services do, without what is left out."""
    lines = [line for line in script.splitlines() if line.strip() not in LEFT_OUT]
    foreign = ("MAKE", "MFLAGS", "PGOLAB", "GIT_", "GITHUB_", "CI")
    own = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", "\n".join(lines)],
        cwd=where, env=own | environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip


def git(where: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=where, capture_output=True, text=True, check=True
    ).stdout.strip()


def commit(where: Path, *force: str) -> str:
    """Commits all there is; its name."""
    git(where, "init", "-q", "-b", "main")
    git(where, "add", "-A")
    if force:
        git(where, "add", "-f", *force)
    git(where, "commit", "-q", "-m", "a change")
    return git(where, "rev-parse", "HEAD")


def slower(app: Path) -> None:
    """Gives the tiny app more to do, and nothing else to say."""
    text = (app / "step.c").read_text()
    more = "    for (volatile int i = 0; i < 2;)\n        i = i + 1;\n"
    (app / "step.c").write_text(text.replace("    unsigned kind", f"{more}    unsigned kind"))


def pull_request(where: Path, base: str) -> str:
    """Commits all there is to the branch `change` and merges it into base, as main; its name."""
    git(where, "checkout", "-q", "-B", "change")
    head = commit(where)
    git(where, "checkout", "-q", "-B", "main", base)
    git(where, "merge", "-q", "--no-ff", "-m", "a merge", "change")
    return head


@dataclass
class Runner:
    """A runner of GitHub's that clones origin into workspace and keeps caches between jobs.

    values: what expressions stand for, to which jobs add the outputs of their steps; environment:
    what the test sets instead of the workflow; local_mk: settings in a clone of pgolab. Of the last
    job: its page, what it said, its artifacts with the paths in them, whether its caches hit.
    """

    workspace: Path
    origin: Path
    values: dict[str, str]
    environment: dict[str, str] = field(default_factory=dict)
    local_mk: str = ""
    caches: dict[str, Path] = field(default_factory=dict)
    page: str = ""
    said: str = ""
    artifacts: dict[str, list[str]] = field(default_factory=dict)
    hits: list[bool] = field(default_factory=list)

    def fill(self, text: str) -> str:
        return re.sub(r"\$\{\{ (.+?) \}\}", lambda found: self.values[found[1]], text)

    def job(self, workflow: dict[str, Any], name: str) -> bool:
        """Runs a job in a new clone; whether it succeeded."""
        job = workflow["jobs"][name]
        given = {**workflow.get("env", {}), **job.get("env", {})}
        self.page, self.said, self.artifacts, self.hits = "", "", {}, []
        shutil.rmtree(self.workspace, ignore_errors=True)
        self.workspace.mkdir()
        good, fresh = True, []
        for step in job["steps"]:
            condition = step.get("if", "success()")
            assert condition in ("success()", "${{ !cancelled() }}")
            if not good and condition == "success()":
                continue
            if "run" in step:
                done = self.run(step, {key: self.fill(str(v)) for key, v in given.items()})
                good &= done or "continue-on-error" in step
            else:
                new = self.use(step["uses"].split("@")[0], step["with"])
                fresh += [new] if new else []
        for key, paths in fresh if good else []:
            self.save(key, paths)
        return good

    def run(self, step: dict[str, Any], given: dict[str, str]) -> bool:
        files = {name: self.workspace.parent / name for name in ("OUTPUT", "STEP_SUMMARY")}
        for path in files.values():
            path.write_text("")
        own = {f"GITHUB_{name}": str(path) for name, path in files.items()}
        done = shell(self.workspace, step["run"], {**given, **self.environment, **own})
        self.said += f"== {step['name']}: {done.returncode}\n{done.stdout}{done.stderr}"
        self.page += files["STEP_SUMMARY"].read_text()
        for line in files["OUTPUT"].read_text().splitlines():
            key, _, value = line.partition("=")
            self.values[f"steps.{step['id']}.outputs.{key}"] = value
        return done.returncode == 0

    def use(self, action: str, options: dict[str, Any]) -> tuple[str, list[str]] | None:
        """Plays an action; the key and paths of a cache that is to be saved."""
        if action == "actions/checkout":
            depth = str(options.get("fetch-depth", 1))
            git(self.origin, "clone", "-q", "--depth", depth, f"file://{self.origin}",
                str(self.workspace))  # fmt: skip
            if self.local_mk:
                (self.workspace / "local.mk").write_text(self.local_mk)
        elif action == "actions/upload-artifact":
            found = sorted(self.workspace.glob(options["path"]))
            assert found or options.get("if-no-files-found") != "error"
            names = [str(path.relative_to(self.workspace)) for path in found]
            self.artifacts[self.fill(options["name"])] = names
        elif action == "actions/cache":
            key, paths = self.fill(options["key"]), options["path"].split()
            self.hits.append(key in self.caches)
            if not self.hits[-1]:
                return key, paths
            shell(self.workspace, f"tar -xf {self.caches[key]}", {})
        else:
            raise AssertionError(f"who plays {action}?")
        return None

    def save(self, key: str, paths: list[str]) -> None:
        self.caches[key] = self.workspace.parent / f"{len(self.caches)}.tar"
        done = shell(self.workspace, f"tar -cf {self.caches[key]} {' '.join(paths)}", {})
        assert done.returncode == 0, done.stderr


def built(said: str) -> list[str]:
    """What make said it compiled or linked."""
    return re.findall(r"^  (?:CC|LD|TRAIN) +\S+", said, re.MULTILINE)


def of_base(said: str) -> str:
    """What a comparison said while it built its base."""
    return said[said.index("  BASE "):said.index("  NEW ")]  # fmt: skip


def statuses(said: str) -> dict[str, int]:
    """With which statuses the steps ended that compare."""
    found = re.findall(r"^== (Compare.*|Tripwire): (\d+)$", said, re.MULTILINE)
    return {name: int(status) for name, status in found}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository of pgolab's with two tiny sample apps."""
    made = copy_project(tmp_path / "pgolab-origin")
    shutil.copy(ROOT / ".gitignore", made.root)
    (made.root / "results/README.md").write_text("")
    for name in ("one", "two"):
        made.app(name, "sample-apps")
    commit(made.root)
    return made.root


def workflow(name: str) -> dict[Any, Any]:
    return load((ROOT / ".github/workflows" / name).read_text())


def test_the_matrix_has_a_job_for_each_sample_app_with_its_summary_and_results(
    clone: Path, tmp_path: Path
) -> None:
    runner = Runner(tmp_path / "job", clone, {"matrix.app": "one"},
                    local_mk=f"{SETTINGS}VARIANTS := o2-pgo\n")  # fmt: skip
    assert runner.job(workflow("matrix.yml"), "apps"), runner.said
    assert runner.values["steps.list.outputs.apps"] == '["one", "two"]'
    assert runner.job(workflow("matrix.yml"), "app"), runner.said
    assert "## one\n" in runner.page and "| o2-pgo |" in runner.page
    assert len(runner.artifacts["one"]) == 1


def test_a_gate_has_a_job_for_each_sample_app_that_changed(clone: Path, tmp_path: Path) -> None:
    slower(clone / "sample-apps/two")
    shutil.copytree(clone / "sample-apps/one", clone / "sample-apps/new")
    (clone / "sample-apps/README").write_text("no app")
    pull_request(clone, git(clone, "rev-parse", "HEAD"))
    runner = Runner(tmp_path / "job", clone, {"matrix.app": "two"}, local_mk=SETTINGS)
    assert runner.job(workflow("gate.yml"), "apps"), runner.said
    assert runner.values["steps.list.outputs.apps"] == '["two"]'
    assert not runner.job(workflow("gate.yml"), "app")
    assert statuses(runner.said) == {"Compare with the branch that it is for": 1}, runner.said
    assert "## two\n" in runner.page and len(runner.artifacts["two"]) == 1


def test_a_pull_request_without_such_a_change_has_no_gate(clone: Path, tmp_path: Path) -> None:
    (clone / "README.md").write_text("more")
    pull_request(clone, git(clone, "rev-parse", "HEAD"))
    runner = Runner(tmp_path / "job", clone, {})
    assert runner.job(workflow("gate.yml"), "apps"), runner.said
    assert runner.values["steps.list.outputs.apps"] == "[]"
    assert workflow("gate.yml")["jobs"]["app"]["if"] == "needs.apps.outputs.apps != '[]'"


@dataclass(frozen=True)
class Team:
    """A repository with an app in bench/json, and what its workflows need to know of pgolab."""

    root: Path
    environment: dict[str, str]

    def runner(self, where: Path) -> Runner:
        return Runner(where / "job", self.root, {"matrix.app": "json"}, self.environment)


@pytest.fixture
def team(tmp_path: Path) -> Team:
    pgolab = copy_project(tmp_path / "pgolab-origin").root
    (pgolab / "results/README.md").write_text("")
    shutil.copy(ROOT / ".gitignore", pgolab)
    (pgolab / "local.mk").write_text(SETTINGS)
    known = commit(pgolab, "local.mk")
    root = tmp_path / "team"
    shutil.copytree(TINY, root / "bench/json")
    commit(root)
    source = {"PGOLAB_URL": f"file://{pgolab}", "PGOLAB_COMMIT": known}
    return Team(root, {**source, "VARIANTS": "o2-pgo", "VARIANT": "o2"})


def exported() -> dict[Any, Any]:
    return load((ROOT / "docs/ci/github.yml").read_text())


def test_a_team_s_matrix_builds_again_only_what_changed(team: Team, tmp_path: Path) -> None:
    runner = team.runner(tmp_path)
    assert runner.job(exported(), "matrix"), runner.said
    assert "## json\n" in runner.page and len(runner.artifacts["matrix-json"]) == 1
    assert len(built(runner.said)) > 5 and runner.hits == [False]
    assert git(runner.workspace, "status", "--porcelain") == ""

    assert runner.job(exported(), "matrix"), runner.said
    assert "| o2-pgo |" in runner.page
    assert runner.hits == [True] and built(runner.said) == []


def test_other_sources_another_profile_or_toolchain_are_another_cache(
    team: Team, tmp_path: Path
) -> None:
    steps = exported()["jobs"]["matrix"]["steps"]
    script = next(step["run"] for step in steps if step.get("id") == "cache")
    key = tmp_path / "key"
    (tmp_path / "a.profdata").write_text("a")

    def made(**more: str) -> str:
        key.write_text("")
        given = {**team.environment, "APP": "json", "GITHUB_OUTPUT": str(key), **more}
        assert shell(team.root, script, given).returncode == 0
        return key.read_text()

    first = made()
    assert made() == first
    assert made(PROFILE=str(tmp_path / "a.profdata")) != first
    assert made(PGOLAB_COMMIT="another") != first
    slower(team.root / "bench/json")
    commit(team.root)
    second = made()
    assert second != first
    (tmp_path / "dpkg-query").write_text("#!/bin/sh\necho clang-99\n")
    (tmp_path / "dpkg-query").chmod(0o755)
    assert made(PATH=f"{tmp_path}:{os.environ['PATH']}") != second


def test_a_team_s_gate_fails_for_what_is_slower_and_keeps_the_base(
    team: Team, tmp_path: Path
) -> None:
    base = git(team.root, "rev-parse", "HEAD")
    runner = team.runner(tmp_path)
    (team.root / "bench/json/main.h").write_text("/* not used */\n")
    pull_request(team.root, base)
    assert runner.job(exported(), "gate"), runner.said
    assert statuses(runner.said) == {"Compare with the branch that it is for": 0, "Tripwire": 0}
    assert runner.hits == [False] and len(runner.artifacts["gate-json"]) == 2
    assert built(of_base(runner.said)) != []

    slower(team.root / "bench/json")
    pull_request(team.root, base)
    assert not runner.job(exported(), "gate")
    assert statuses(runner.said) == {"Compare with the branch that it is for": 1, "Tripwire": 1}
    assert runner.hits == [True] and "## json\n" in runner.page
    assert built(of_base(runner.said)) == []


def of_gitlab(source: str) -> dict[str, dict[str, Any]]:
    """The jobs of a pipeline with this source, with what they inherit, in order."""
    written = load(GITLAB.read_text())

    def whole(name: str) -> dict[str, Any]:
        job = written[name]
        return {**(whole(job["extends"]) if "extends" in job else {}), **job}

    jobs = {name: whole(name) for name in written if not name.startswith(".")}
    return {
        name: job for name, job in jobs.items()
        if any(f'== "{source}"' in rule["if"] for rule in job["rules"])
    }  # fmt: skip


def test_a_pipeline_of_gitlab_has_the_jobs_that_are_asked_for() -> None:
    jobs = {source: list(of_gitlab(source)) for source in ("push", "schedule", "web")}
    assert jobs == {"push": [], "schedule": ["pgolab-matrix"], "web": ["pgolab-matrix"]}
    assert list(of_gitlab("merge_request_event")) == ["pgolab-gate", "pgolab-tripwire"]


def test_gitlab_s_jobs_measure_and_gate(team: Team, tmp_path: Path) -> None:
    base = git(team.root, "rev-parse", "HEAD")
    slower(team.root / "bench/json")
    head = pull_request(team.root, base)
    git(team.root, "clone", "-q", "-b", "change", f"file://{team.root}", str(tmp_path / "job"))
    runner = team.runner(tmp_path)
    known = {"APP": "json", "CI_COMMIT_SHA": head, "CI_MERGE_REQUEST_DIFF_BASE_SHA": base}
    known |= team.environment

    def run(job: dict[str, Any]) -> tuple[int, bool, str]:
        """Runs a job in a clone that is kept; its status, whether its cache hit, what it said."""
        git(runner.workspace, "clean", "-ffdxq")
        given = {name: str(value) for name, value in job["variables"].items()} | known
        key = re.sub(r"\$(\w+)", lambda found: given[found[1]], job["cache"]["key"])
        hit = key in runner.caches
        if hit:
            shell(runner.workspace, f"tar -xf {runner.caches[key]}", {})
        script = "\n".join([*job["before_script"], *job["script"]])
        done = shell(runner.workspace, script, given)
        runner.save(key, job["cache"]["paths"])
        assert any(list(runner.workspace.glob(path)) for path in job["artifacts"]["paths"])
        return done.returncode, hit, done.stdout + done.stderr

    (matrix,) = of_gitlab("schedule").values()
    gate, tripwire = of_gitlab("merge_request_event").values()
    status, _, said = run(matrix)
    assert status == 0 and "o2-pgo" in said and built(said), said
    status, hit, said = run(gate)
    assert (status, hit) == (1, False), said
    status, hit, said = run(tripwire)
    assert (status, hit) == (1, True), said
    assert tripwire["allow_failure"] and "allow_failure" not in gate


def test_the_workflow_of_the_tests_runs_what_ci_runs() -> None:
    steps = workflow("ci.yml")["jobs"]["test"]["steps"]
    assert [step["run"] for step in steps if "run" in step][1:] == [".ci/run"]
    assert os.access(ROOT / ".ci/run", os.X_OK)


def test_what_is_left_out_is_what_workflows_say() -> None:
    texts = "".join(path.read_text() for path in [*GITHUB, GITLAB])
    assert [line for line in LEFT_OUT if line not in texts] == []

"""Show a judged run: a table on the terminal, report.html, summary.md and plots/*.svg.

Reads run.json, samples.csv and summary.json alone, so that a report can be made anywhere.
"""

import json
import shutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from pgolab import errors, files, markdown, plots, record, run_page, run_plots, terminal, words
from pgolab.errors import Failure
from pgolab.plots import Plot
from pgolab.record import Sample


def write_plots(directory: Path, drawn: list[Plot]) -> None:
    """Replaces a run's figures."""
    made = files.empty_directory(directory.with_name(".plots.new"))
    for plot in drawn:
        files.write_text(made / f"{plot.name}.svg", plot.svg)
    if directory.exists():
        shutil.rmtree(directory)
    made.rename(directory)


def draw(job: tuple[str, dict[str, Any], dict[str, Any], list[Sample]]) -> list[Plot]:
    """An app's figures."""
    with plots.style():
        return list(run_plots.of_app(*job))


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    parser.add_argument("run", type=Path, help="results/RUN-ID, analysed")
    args = parser.parse_args(argv)
    where: Path = args.run
    run = record.read_run(where)
    path = where / "summary.json"
    if not path.is_file():
        raise Failure(f"'{where}' has no summary.json", f"make report RUN={where}")
    summary = json.loads(path.read_text(encoding="utf-8"))
    samples = record.read_rows(where / "samples.csv", Sample)
    jobs = [
        (name, app, summary, [s for s in samples if s.app == name])
        for name, app in summary["apps"].items()
    ]
    with ProcessPoolExecutor() as pool:  # drawing takes most of the time
        each = pool.map(draw, jobs) if len(jobs) > 1 else map(draw, jobs)
        with plots.style():
            of_all = run_plots.of_all(summary)
        of_apps = dict(zip(summary["apps"], each))
    write_plots(where / "plots", [*of_all, *(plot for own in of_apps.values() for plot in own)])
    files.write_text(where / "summary.md", markdown.render(run, summary))
    html = run_page.render(run, summary, of_all, of_apps)
    files.write_text(where / "report.html", html)
    console = terminal.console()
    for name, app in summary["apps"].items():
        terminal.show(name, app, run["apps"][name], summary, console)
    console.print(f"report: {where}/report.html", soft_wrap=True)
    for name, app in summary["apps"].items():
        command = words.recipe(app, run["apps"][name], summary)
        if command:
            console.print(f"recipe: {command}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    errors.run(main)

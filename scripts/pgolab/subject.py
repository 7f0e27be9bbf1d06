"""What a run measures of one app: binaries that were built here, or in places of their own."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pgolab import layouts, manifest
from pgolab.manifest import Manifest


@dataclass(frozen=True)
class Subject:
    """An app with the plain links of its variants.

    build: the directory build/APP whose workloads and inputs are those of all variants.
    sides: the variants are the two sides of a comparison, a baseline and another, each built with
    profiles of its own.
    """

    build: Path
    binaries: dict[str, Path]
    sides: bool = False

    @property
    def name(self) -> str:
        return self.build.name

    @cached_property
    def manifest(self) -> Manifest:
        return manifest.load(self.build / "manifest", root=self.build.parents[1])

    @property
    def inputs(self) -> Path:
        return self.build / "inputs"

    def layouts(self) -> dict[str, list[Path]]:
        """The binaries of all layouts of each variant, layout 0 first."""
        return {variant: layouts.of(binary) for variant, binary in self.binaries.items()}

    @staticmethod
    def here(name: str, variants: Iterable[str]) -> "Subject":
        """An app that was built in the current directory."""
        build = Path("build") / name
        return Subject(build, {variant: build / variant / name for variant in variants})

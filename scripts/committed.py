"""Export profiles as text that can be committed, and tell whether such a text still holds.

KEY.proftext is LLVM's text form, sorted; KEY.proftext.json is what was noted when it was trained.
It holds as long as the sources, flags and train commands are those that it was taken from.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from pgolab import errors, files, sources, tool


def noted(text: Path) -> Path:
    return text.with_name(text.name + ".json")


def export(profdata: Path, profile: Path) -> None:
    """Writes KEY.proftext and its .json beside KEY.profdata."""
    text = profile.with_suffix(".proftext")
    temporary = text.with_name(f".{text.name}.tmp")
    tool.output([profdata, "merge", "--text", "-o", temporary, profile])
    shutil.copyfile(profile.with_suffix(".json"), noted(temporary))
    noted(temporary).replace(noted(text))
    files.replace_if_changed(temporary, text)
    print(f"{text}: {text.stat().st_size / 1000:.1f} kB")


def main(argv: Sequence[str]) -> int:
    parser = errors.Parser(description=__doc__)
    parser.add_argument("--export", type=Path, nargs="+", help="profiles; needs --profdata")
    parser.add_argument("--profdata", type=Path)
    parser.add_argument("--holds", type=Path, help="KEY.proftext: print 'yes' or 'no'")
    parser.add_argument("--directory", type=Path, help="of the app")
    parser.add_argument("--tree", type=Path, help="of an app with a build of its own")
    parser.add_argument("--text", default="", help="flags and train commands")
    parser.add_argument("sources", nargs="*", help="relative to the directory")
    args = parser.parse_args(argv)
    for profile in args.export or []:
        export(args.profdata, profile)
    if args.holds:
        facts = noted(args.holds)
        was = json.loads(facts.read_text(encoding="utf-8")) if facts.is_file() else {}
        if args.tree:
            now = sources.of_tree(args.tree, args.text)
        else:
            now = sources.sha256(args.directory, args.sources, args.text)
        print("yes" if was.get("sources_sha256") == now else "no")
    return 0


if __name__ == "__main__":
    errors.run(main)

"""A race, as run.json has it: who was dropped when, and whose figures are from which blocks.

apps.NAME.race of run.json is {"winner": V, "runner_up": V, "confirmed_from": the first block in
which only these two and the baseline are timed, "dropped": {V: {"block": its last block, "look":
the number of the look after it}}}. A race that the machine was too noisy for has only "dropped".
"""

from typing import Any


def finalists(app: dict[str, Any]) -> tuple[str, ...]:
    """Winner and runner-up of an app of run.json; nothing where it was no race."""
    race = app.get("race") or {}
    return (race["winner"], race["runner_up"]) if "winner" in race else ()


def dropped(app: dict[str, Any]) -> dict[str, dict[str, int]]:
    """The variants that were dropped, with block and look."""
    found: dict[str, dict[str, int]] = (app.get("race") or {}).get("dropped", {})
    return found


def span(app: dict[str, Any], variant: str) -> tuple[int, int | None]:
    """The first and the last block (None: the end) that a variant's figure comes from.

    The figures of winner and runner-up are from blocks that did not choose them; so are those of
    a comparison that was measured again, whose apps.NAME.gate says from which block on.
    """
    if "gate" in app:
        return app["gate"]["confirmed_from"], None
    if "winner" not in (app.get("race") or {}):
        return 1, dropped(app).get(variant, {}).get("block")
    confirmed_from: int = app["race"]["confirmed_from"]
    if variant in finalists(app):
        return confirmed_from, None
    return 1, dropped(app).get(variant, {"block": confirmed_from - 1})["block"]


def timed(app: dict[str, Any], block: int) -> set[str]:
    """The variants, beside the baseline, that a block has timings of."""
    if "winner" in (app.get("race") or {}) and block >= app["race"]["confirmed_from"]:
        return set(finalists(app))
    gone = {v for v, when in dropped(app).items() if when["block"] < block}
    return set(app["variants"]) - gone


def undecided(app: dict[str, Any]) -> bool:
    """Whether the machine was too noisy for the race to end."""
    return "race" in app and not finalists(app)

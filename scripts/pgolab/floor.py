"""The machine's A/A floor: the smallest difference that is more than this machine's own error.

`make calibrate` measures it and keeps it in results/calibration.json, for the machine it is of.
"""

import json
from pathlib import Path

from pgolab import machine

PATH = Path("results/calibration.json")
SAME_MACHINE = ("processor", "kernel", "cpus", "governor")


def known() -> float | None:
    """The floor as a share (0.004 is 0.4 %), or None where this machine is not calibrated."""
    if not PATH.is_file():
        return None
    saved = json.loads(PATH.read_text(encoding="utf-8"))
    here = machine.facts()
    if any(saved["machine"][key] != here[key] for key in SAME_MACHINE):
        return None
    return float(saved["aa_floor"])

# Finds out how often this machine and method see a difference where there is none, and how small
# a difference they see.
# Reads pipeline/calibration/: an app, and techniques that only `make calibrate` knows. Makes
# results/calibration.json.

calibrate = $(python) scripts/calibrate.py $(measure-settings) --clang $(clang) --lock $(lock)

# Times the verified variants of all apps in randomized interleaved blocks.
# Reads build/APP/VARIANT/ (verified), the manifest and the inputs. Makes results/RUN-ID/ with
# run.json, samples.csv and metrics.csv, and prints that directory's name.

measure = $(python) scripts/measure.py $(measure-settings) --apps $(app-names) --variants $(variants) \
    --clang $(clang) --lock $(lock)

# Times the verified variants of all apps in randomized interleaved blocks.
# Reads build/APP/VARIANT/ (verified), the manifest and the inputs. Makes results/RUN-ID/ with
# run.json, samples.csv and metrics.csv, and prints that directory's name.

# The settings that measuring reads, as options.
measure-settings = --baseline=$(BASELINE) --precision=$(call q,$(PRECISION)) --budget=$(call q,$(BUDGET)) \
    --min-effect=$(call q,$(MIN_EFFECT)) --layouts=$(call q,$(LAYOUTS)) --metric=$(call q,$(METRIC)) \
    --aslr=$(call q,$(ASLR)) --timeout=$(call q,$(TIMEOUT)) --race=$(call q,$(RACE))

measure = $(python) scripts/measure.py $(measure-settings) --apps $(app-names) --variants $(variants) \
    --clang $(clang) --lock $(lock)$(if $(filter measure,$(goal)),, --unreported)$(foreach v,$(if $(filter \
    matrix,$(goal)),$(left-out)), --note $(call q,$v is left out: this machine has no $(call lacking,$v)))

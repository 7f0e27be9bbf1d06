# Builds and measures a run once more, by its own settings.
# Reads results/RUN-ID/, and of the settings what the user gives on the command line. Makes
# build/reproduce/RUN-ID/, in which the pipeline works with builds, profiles and results of its own.

reproduce = $(python) scripts/reproduce.py --clang $(clang) --run=$(call q,$(RUN)) $(foreach v,$(filter-out RUN,$(settings)),$(if \
    $(filter command,$(firstword $(origin $v))),--set $(call q,$v=$($v))))

# Compares APP in VARIANT as two revisions have it, or as two compilers build it, or compares two runs.
# Reads the settings. Makes build/compare/PLACE/, in which a revision or a compiler has builds and profiles
# of its own, and results/RUN-ID/ as measure.mk does; of two runs no file.
# scripts/compare.py ends with 1 for a regression, which make turns into its own 2: scripts/gate names
# in PGOLAB_STATUS a file that keeps the status.

# Without BASE, the compiler that is compared with the default one.
other-clang := $(if $(BASE),,$(if $(filter command,$(firstword $(origin CLANG))),$(CLANG)))

# The settings of a build, which hold for both sides.
side-settings = $(foreach s,BASELINE BUDGET LAYOUTS TIMEOUT JOBS MIN_PROFILE_MATCH PROFILE SAMPLE_PROFILE V,$(if \
    $($s),--with $(call q,$s=$($s)))) $(if $(TECHNIQUES),--with $(call q,TECHNIQUES=$(abspath $(TECHNIQUES))))

compare = $(python) scripts/compare.py $(measure-settings) --unreported --lock $(lock) $(if $(clang-found),--clang $(clang)) \
    --app $(call q,$(APP)) --tree=$(call q,$($(app-names)/tree)) --variant $(or $(VARIANT),$(BASELINE)) \
    --base=$(call q,$(BASE)) --new=$(call q,$(NEW)) $(if $(other-clang),--other-clang) $(side-settings)

keep-status = $(if $(PGOLAB_STATUS), || echo $$? >"$$PGOLAB_STATUS")

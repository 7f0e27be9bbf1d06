# pgolab: what PGO and LTO buy for a C program, measured honestly.
# This is the front door: settings, targets, and the stages in the order in which data flows.

.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += -rR --no-print-directory

# Settings: given on the command line (make pgo APP=parser PRECISION=0.5%) or in local.mk.
#: a directory of sample-apps/, or a path (with a /) to any app
APP :=
#: the source tree that `make new` writes an app.mk for
SRC :=
#: several apps, for `make matrix` (default: all), `verify` and `measure`
APPS :=
#: what to compare, where the target does not choose
VARIANTS :=
#: the variant that others are compared with
BASELINE := o2
#: thin or full: `make pgo` compares the LTO pair too
LTO :=
#: measure until intervals are this narrow to each side
PRECISION := 1%
#: the most time for measuring an app; `make calibrate`: 5m, `make tune`: 15m
BUDGET := 60s
#: a smaller effect is called `same`
MIN_EFFECT := 0.5%
#: a profile to use instead of training `pgo`
PROFILE :=
#: a sample profile, as from production, to use instead of training `sample`
SAMPLE_PROFILE :=
#: a build fails when less of its profile fits, by counts
MIN_PROFILE_MATCH := 95%
#: yes: drop what is clearly slower on the way, and measure the best again
RACE := no
#: links of each variant; 1 measures a single layout
LAYOUTS := 16
#: time, or instructions (no verdict on speed)
METRIC := time
#: no: run without address space randomization
ASLR := yes
#: the longest run of a workload in training and verifying
TIMEOUT := 300s
#: commands that a build runs at once (default: the CPUs)
JOBS :=
#: the variant that `make recipe` exports and `make compare` compares (there: BASELINE)
VARIANT :=
#: of a recipe: sh (default), make, cmake, meson, autotools, dockerfile, debian, github, gitlab
FORMAT :=
#: the file that a recipe is written to (default: standard output)
OUT :=
#: what `make compare` compares with: a git revision or a run
BASE :=
#: what it compares: a git revision or a run (default: the working tree)
NEW :=
#: a run to report again or to reproduce: results/<run-id>
RUN :=
#: a directory of techniques of your own, files NAME.mk
TECHNIQUES :=
#: the compiler, by name or path, beside its LLVM tools
CLANG :=
#: the Python interpreter
PYTHON :=
#: yes: say at the end where the time went
TIMING :=
#: 1: show every command
V :=

-include local.mk

include pipeline/functions.mk
include pipeline/toolchain.mk
include pipeline/variants.mk
include pipeline/apps.mk
include pipeline/measure.mk
include pipeline/calibrate.mk
include pipeline/compare.mk
include pipeline/report.mk
include pipeline/reproduce.mk
include pipeline/plan.mk
ifneq ($(filter-out compare,$(goal)),)
include pipeline/tree.mk
include pipeline/build.mk
include pipeline/train.mk
include pipeline/verify.mk
endif
ifneq ($(filter recipe prove,$(goal)),)
include pipeline/recipe.mk
endif

help: ## this overview
	@printf 'make TARGET [SETTING=value …]\n\ntargets:\n'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 14
	@printf '\nsettings, with their defaults:\n'
	@sed -n -e '/^#: /{s/^#: //;h;n;s/^\([A-Z_]*\) := *\(.*\)/  \1=\2/;G;s/\n/\t/p' -e '}' Makefile | expand -t 20

doctor: ## the toolchain and the measuring conditions, each finding with its remedy
	@$(python) scripts/doctor.py --llvm-bin $(llvm-bin) --noise 10s

list: ## the apps with their workloads; the techniques
	@printf 'apps:\n'
	@printf '  %-12s %s\n' $(foreach a,$(app-names),$(call q,$a) $(call q,$($a/about)) '' $(call \
	    q,train: $($a/train-names)) '' $(call q,eval:  $($a/eval-names)))
	@printf '\ntechniques, joined by - in this order to name a variant:\n'
	@printf '  %-12s %s\n' $(foreach t,$(call order,$(techniques)),$t $(call q,$(technique.$t.help)))

new: ## an app.mk in APP, a directory, for the program whose source tree is SRC
	@$(python) scripts/new.py --app $(call q,$(if $(APP),$(call app-dir,$(APP)))) --tree $(call q,$(SRC))

pgo: ## the main job: APP with o2 and o2-pgo, with LTO= the LTO pair too
lto: ## APP with o2, o2-thin and o2-full
matrix: ## APPS (all) in VARIANTS (the standard set)
report: ## APP in VARIANTS; with RUN= only the report of that run
tune: ## which variant of APP to choose: a race of many, within BUDGET (15m)
pgo lto matrix report tune: $(verified) $(resemblances)
	@run=$(if $(RUN),$(call q,$(RUN)),$$($(measure))) && $(analyse) "$$run" && $(report) "$$run"
	$(if $(started),@$(python) scripts/timing.py --since $(started) --log $(PGOLAB_TIMING))

reproduce: ## build and measure RUN once more: the same binaries, the same verdicts?
	@$(reproduce)
history: ## the speedups of all runs in results/ as trends, by machine
	@$(history)

build: $(variant-binaries) ## compile and link APP in VARIANTS
train: $(profiles) ## take the profiles that VARIANTS need
profile-export: $(profiles) ## write the profiles of VARIANTS as text, to be committed
	@$(python) scripts/committed.py --profdata $(llvm-bin)/llvm-profdata --export $(filter %.profdata,$(profiles))
verify: $(verified) ## compare what the variants print with what the baseline prints
costs: $(verified) ## build VARIANTS alone, one command at a time: what each costs
	@$(python) scripts/costs.py --apps $(app-names) --variants $(variants) --baseline $(BASELINE) --llvm-bin $(llvm-bin)
measure: $(verified) $(resemblances) ## time the variants, without a report
	@$(measure)

compare: ## is NEW slower than BASE? APP in VARIANT, or two runs; fails when it is
	@$(compare)$(keep-status)

gate-proof: ## how often `make compare` catches 3 % and passes what is no slower, on parser
	@$(python) scripts/gate_proof.py

recipe: $(recipe-needs) ## what to put into your own build: APP in VARIANT, as FORMAT
	@$(recipe)
prove: $(recipe-needs) ## run recipes of APP in VARIANTS elsewhere: do they make the same bytes?
	@$(prove)

calibrate: $(verified) ## how often this machine cries wolf, and the smallest change it sees
	@$(calibrate)

test: ## the tests of pgolab itself
	@$(python) scripts/run_tests.py

check: ## the long checks of APP, against other programs
	@$(python) $(call app-dir,$(APP))/tests/check.py

fuzz: ## one minute of libFuzzer on APP
	@scripts/fuzz $(llvm-bin) $(call app-dir,$(APP))

lint: ## shellcheck, flake8, mypy, yamllint, clang-format, clang-tidy
	@LLVM_BIN=$(llvm-bin) scripts/lint

clean: ## remove what builds made; results and profiles stay
	rm -rf build
distclean: clean ## remove results and profiles too
	git clean -fdX results profiles

FORCE:
.PHONY: $(targets) FORCE

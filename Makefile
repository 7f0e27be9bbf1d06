# pgolab: what PGO and LTO buy for a C program, measured honestly.
# This is the front door: settings, targets, and the stages in the order in which data flows.

.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += -rR --no-print-directory

# Settings: given on the command line (make pgo APP=parser PRECISION=0.5%) or in local.mk.
#: the app: a directory of sample-apps/, or the path (with a /) of any directory with an app.mk
APP :=
#: the apps of `make matrix`
APPS :=
#: the variants to build and compare, for the targets that do not choose them themselves
VARIANTS :=
#: the variant that others are compared with
BASELINE := o2
#: thin or full: `make pgo` compares the LTO pair too
LTO :=
#: measure until every interval is at most this much wide to each side
PRECISION := 1%
#: the longest time to measure one app; for `make calibrate` in all, 5m by default
BUDGET := 60s
#: an effect smaller than this is called `same`
MIN_EFFECT := 0.5%
#: links of each variant with differently padded functions; 1 measures a single layout
LAYOUTS := 16
#: time, or instructions (deterministic, no verdict on speed)
METRIC := time
#: no: the timed programs run without address space randomization
ASLR := yes
#: the longest time for one run of one workload, when training and verifying
TIMEOUT := 300s
#: commands that a build runs at once
JOBS :=
#: a run to report: results/<run-id>
RUN :=
#: the compiler, by name or path; its directory has to hold the other LLVM tools too
CLANG :=
#: the Python interpreter
PYTHON :=
#: yes: ends by saying where the time went
TIMING :=
#: 1: show every command
V :=

-include local.mk

include pipeline/functions.mk
include pipeline/toolchain.mk
include pipeline/variants.mk
include pipeline/apps.mk

# A mistyped setting or target is an error, not something that silently does nothing.
settings := $(shell sed -n 's/^\([A-Z_]*\) :=.*/\1/p' Makefile)
targets := $(shell sed -n 's/^\([a-z-]*\):.*\#\# .*/\1/p' Makefile)
set-by-user := $(foreach v,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $v))),$v)) \
    $(if $(wildcard local.mk),$(shell sed -n 's/^ *\([A-Za-z_.-]*\) *[:?+]*=.*/\1/p' local.mk))
$(foreach v,$(set-by-user),$(if $(filter $v,$(settings)),,\
    $(call fail,unknown setting '$v',$(call nearest,$v,$(settings)))))
goals := $(or $(MAKECMDGOALS),$(.DEFAULT_GOAL))
$(foreach g,$(goals),$(if $(findstring /,$g)$(filter $g,$(targets)),,\
    $(call fail,no target '$g',$(call nearest,$g,$(targets)))))

# Settings that measuring alone reads; checked before anything is built.
measure-settings = --baseline $(BASELINE) --precision $(call q,$(PRECISION)) --budget $(call q,$(BUDGET)) \
    --min-effect $(call q,$(MIN_EFFECT)) --layouts $(call q,$(LAYOUTS)) --metric $(call q,$(METRIC)) \
    --aslr $(call q,$(ASLR)) --timeout $(call q,$(TIMEOUT))

# What the goal needs: apps, and for each of them variants.
sample-apps := $(patsubst sample-apps/%/app.mk,%,$(sort $(wildcard sample-apps/*/app.mk)))
staged := pgo lto matrix build train verify measure calibrate $(if $(RUN),,report)
goal := $(filter $(staged),$(goals))
apps-matrix = $(or $(APPS),$(sample-apps))
apps-calibrate := pipeline/calibration
apps := $(or $(apps-$(goal)),$(APP))
with = $(call nearest-variant,$(BASELINE)-$1)
standard-variants := o2 o3 o2-thin o2-full o2-pgo o2-pgo-thin o2-pgo-full
variants-pgo = $(BASELINE) $(if $(LTO),$(call with,$(LTO))) $(call with,pgo) $(if $(LTO),$(call with,pgo-$(LTO)))
variants-lto = $(BASELINE) $(call with,thin) $(call with,full)
variants-matrix = $(BASELINE) $(filter-out $(BASELINE),$(or $(VARIANTS),$(standard-variants)))
variants-calibrate := o2 o2-rebuilt o2-slower1 o2-slower2 o2-slower5
variants-other = $(BASELINE) $(filter-out $(BASELINE),$(or $(VARIANTS),$(call with,pgo)))

# Calibrating takes many runs.
ifeq ($(goal) $(origin BUDGET),calibrate file)
BUDGET := 5m
endif

# Instructions do not depend on layout.
ifeq ($(METRIC) $(origin LAYOUTS),instructions file)
LAYOUTS := 1
endif

ifeq ($(TIMING),yes)
started := $(shell date +%s.%N)
export PGOLAB_TIMING := build/timing.$(started)
endif

ifneq ($(goal),)
$(if $(word 2,$(goal)),$(call fail,'make $(goal)' asks for several things,give one of them))
$(if $(and $(filter pgo lto,$(goal)),$(VARIANTS)),$(call fail,\
    'make $(goal)' chooses its variants itself,for others: make report VARIANTS='…'))
$(if $(filter-out thin full,$(LTO)),$(call fail,LTO is '$(LTO)',it can be thin or full))
$(if $(strip $(apps)),,$(call fail,'make $(goal)' needs an app,make $(goal) APP=parser ('make list' shows all)))
$(if $(filter-out matrix,$(goal)),$(if $(word 2,$(apps)),$(call fail,\
    the path '$(APP)' has a space in it,Make cannot handle that: move the app)))
$(foreach v,$(BASELINE) $(VARIANTS),$(if $(strip $(call check-variant,$v)),))
variants := $(variants-$(or $(filter pgo lto matrix calibrate,$(goal)),other))
$(if $(strip $(check-toolchain)),)
$(foreach a,$(apps),$(if $(strip $(call check-app-name,$a)),)$(eval $(call load-app,$a)))
ifneq ($(filter-out build train,$(goal)),)
$(shell $(python) scripts/measure.py --check $(measure-settings) >&2)$(if $(filter-out 0,$(.SHELLSTATUS)),$(error nothing was done))
endif
jobs := $(or $(JOBS),$(shell nproc))
MAKEFLAGS += -j$(jobs)
include pipeline/build.mk
include pipeline/train.mk
include pipeline/verify.mk
include pipeline/measure.mk
endif
include pipeline/report.mk
include pipeline/calibrate.mk

help: ## this overview
	@printf 'make TARGET [SETTING=value …]\n\ntargets:\n'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 14
	@printf '\nsettings, with their defaults:\n'
	@sed -n -e '/^#: /{s/^#: //;h;n;s/^\([A-Z_]*\) := *\(.*\)/  \1=\2/;G;s/\n/\t/p' -e '}' Makefile | expand -t 20

doctor: ## the toolchain and the measuring conditions, each finding with its remedy
	@$(python) scripts/doctor.py --llvm-bin $(llvm-bin) --noise 10s

list: ## the apps with their workloads; the techniques
	@$(list)

pgo: ## the main job: APP with o2 and o2-pgo, with LTO= the LTO pair too
lto: ## APP with o2, o2-thin and o2-full
matrix: ## APPS (all) in VARIANTS (the standard set)
report: ## APP in VARIANTS; with RUN= only the report of that run
pgo lto matrix report: $(verified)
	@run=$(if $(RUN),$(call q,$(RUN)),$$($(measure))) && $(analyse) "$$run" && $(report) "$$run"
	$(if $(started),@$(python) scripts/timing.py --since $(started) --log $(PGOLAB_TIMING))

build: $(variant-binaries) ## compile and link APP in VARIANTS
train: $(profiles) ## take the profiles that VARIANTS need
verify: $(verified) ## compare what the variants print with what the baseline prints
measure: $(verified) ## time the variants, without a report
	@$(measure)

calibrate: $(verified) ## how often this machine cries wolf, and the smallest change it sees
	@$(calibrate)

test: ## the tests of pgolab itself
	@$(python) -m pytest -q tests $(wildcard sample-apps/*/tests)

check: ## the long checks of APP, against other programs
	@$(python) $(call app-dir,$(APP))/tests/check.py

fuzz: ## one minute of libFuzzer on APP
	@scripts/fuzz $(llvm-bin) $(call app-dir,$(APP))

lint: ## shellcheck, flake8, mypy, clang-format, clang-tidy
	@LLVM_BIN=$(llvm-bin) scripts/lint

clean: ## remove what builds made; results and profiles stay
	rm -rf build
distclean: clean ## remove results and profiles too
	git clean -fdX results profiles

FORCE:
.PHONY: $(targets) FORCE

# From the goal and the settings to what is to be done: which apps, in which variants.
# Reads every setting. Sets goal (empty when nothing is to be built), apps, variants, jobs; makes no file.
# What makes no sense is refused here, before anything is built.

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

# What the goal needs: apps, and for each of them variants.
sample-apps := $(patsubst sample-apps/%/app.mk,%,$(sort $(wildcard sample-apps/*/app.mk)))
# `make compare` builds nothing where it is given runs.
compared-runs := $(strip $(foreach r,$(BASE) $(NEW),$(if $(or $(filter results/%,$r),$(wildcard $r/run.json)),$r)))
staged := pgo lto matrix tune build train profile-export verify measure costs recipe prove calibrate $(if $(RUN),,report) $(if $(compared-runs),,compare)
goal := $(filter $(staged),$(goals))
apps-matrix = $(or $(APPS),$(sample-apps))
apps-verify = $(APPS)
apps-measure = $(APPS)
apps-calibrate := pipeline/calibration
apps := $(or $(apps-$(goal)),$(APP))
with = $(call nearest-variant,$(BASELINE)-$1)
recipe-formats := $(patsubst pipeline/recipes/%.in,%,$(sort $(wildcard pipeline/recipes/*.in)))
standard-variants := o2 o3 o2-thin o2-full o2-pgo o2-pgo-thin o2-pgo-full o2-cspgo-thin o2-pgo-thin-bolt
variants-pgo = $(BASELINE) $(if $(LTO),$(call with,$(LTO))) $(call with,pgo) $(if $(LTO),$(call with,pgo-$(LTO)))
variants-lto = $(BASELINE) $(call with,thin) $(call with,full)
left-out := $(if $(VARIANTS),,$(foreach v,$(standard-variants),$(if $(call lacking,$v),$v)))
variants-matrix = $(BASELINE) $(or $(VARIANTS),$(filter-out $(left-out),$(standard-variants)))
variants-tune = $(BASELINE) $(or $(VARIANTS),$(tune-variants))
variants-calibrate := o2 o2-rebuilt o2-slower1 o2-slower2 o2-slower5
variants-recipe = $(BASELINE) $(VARIANT)
variants-compare = $(BASELINE) $(VARIANT)
variants-other = $(BASELINE) $(or $(VARIANTS),$(call with,pgo))

# What `make tune` starts from: profiles by link modes; the levels alone; and every other technique of
# Clang (levels, modifiers, inlining, post-link, the user's) on top of PGO with ThinLTO. Less what the
# machine lacks.
tune-profiles := $(call in-group,profile,$(techniques))
tune-links := $(call in-group,link,$(techniques))
tune-others := $(filter-out $(tune-profiles) $(tune-links) $(call in-group,compiler calibration,$(techniques)),$(techniques))
tune-variants = $(foreach v,$(call unique,$(foreach l,none $(tune-links),$(foreach \
    p,none $(tune-profiles),$(call with,$p-$l))) $(call in-group,level,$(techniques)) $(foreach t,$(tune-others),$(call nearest-variant,$t-$(call \
    with,pgo-thin)))),$(if $(call lacking,$v),,$v))

# Calibrating takes many runs, and so does a race of many.
ifeq ($(goal) $(origin BUDGET),tune file)
BUDGET := 15m
endif
ifeq ($(goal),tune)
override RACE := yes
endif
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

ifneq ($(filter list,$(goals)),)
$(foreach a,$(sample-apps),$(eval $(call load-app,$a)))
endif

ifneq ($(goal),)
$(if $(word 2,$(goal)),$(call fail,'make $(goal)' asks for several things,give one of them))
$(if $(and $(filter pgo lto,$(goal)),$(VARIANTS)),$(call fail,\
    'make $(goal)' chooses its variants itself,for others: make report VARIANTS='…'))
$(if $(filter-out thin full,$(LTO))$(word 2,$(LTO)),$(call fail,LTO is '$(LTO)',it can be thin or full))
$(if $(filter 1,$(words $(BASELINE))),,$(call fail,BASELINE is '$(BASELINE)',it is the name of one variant))
$(if $(JOBS),$(if $(shell printf '%s' $(call q,$(JOBS)) | grep -x '[1-9][0-9]*'),,$(call fail,\
    JOBS is '$(JOBS)',it is a whole number from 1 on)))
$(foreach c,$$ $(hash) %,$(if $(findstring $c,$(CURDIR)),$(call fail,\
    the directory '$(CURDIR)' has a '$c' in its name,Make and Clang cannot handle that: move it)))
$(if $(strip $(apps)),,$(call fail,'make $(goal)' needs an app,make $(goal) APP=parser ('make list' shows all)))
$(if $(filter-out matrix,$(goal)),$(if $(word 2,$(APP)),$(call fail,\
    the path '$(APP)' has a space in it,Make cannot handle that: move the app)))
$(foreach v,$(BASELINE) $(VARIANTS) $(VARIANT),$(if $(strip $(call check-variant,$v)),))
$(if $(and $(VARIANT),$(filter-out recipe compare,$(goal))),$(call fail,'make $(goal)' takes no VARIANT,did you mean 'VARIANTS'?))
$(if $(filter compare,$(goal)),$(if $(VARIANTS)$(word 2,$(VARIANT)),$(call fail,\
    'make compare' compares builds of one VARIANT,make compare APP=parser VARIANT=o2-pgo-thin BASE=HEAD~1))\
$(if $(BASE)$(other-clang),,$(call fail,'make compare' needs BASE: what to compare with,it is a revision or$(comma) with NEW=$(comma) \
    a run; for another compiler give CLANG= and no BASE)))
$(if $(filter recipe,$(goal)),$(if $(filter 1,$(words $(VARIANT))),,$(call fail,\
    'make recipe' needs one variant,make recipe APP=parser VARIANT=o2-pgo-thin FORMAT=make)))
$(foreach s,PROFILE SAMPLE_PROFILE,$(if $(and $(filter recipe prove,$(goal)),$($s)),$(call fail,\
    'make $(goal)' takes no $s,a recipe trains by itself)))
$(foreach f,$(if $(filter recipe,$(goal)),$(or $(FORMAT),sh),$(if $(filter prove,$(goal)),$(FORMAT))),$(if $(filter \
    $f,$(recipe-formats)),,$(call fail,no recipe format '$f',$(call nearest,$f,$(recipe-formats)))))
$(foreach v,$(if $(filter recipe prove,$(goal)),$(BASELINE) $(VARIANT) $(VARIANTS)),$(if $(filter gcc,$(call \
    undashed,$v)),$(call fail,there is no recipe for '$v',recipes are for Clang: leave the gcc- away)))
variants := $(call unique,$(variants-$(or $(filter pgo lto matrix tune calibrate recipe compare,$(goal)),other)))
$(if $(filter-out build train profile-export verify costs recipe prove compare,$(goal)),$(if $(word 2,$(variants)),,$(call fail,\
    there is nothing to compare with '$(BASELINE)',name other variants in VARIANTS= or another BASELINE=)))
$(if $(PROFILE),$(if $(strip $(foreach v,$(variants),$(if $(filter gcc,$(call undashed,$v)),,$(filter pgo,$(call undashed,$v))))),,\
    $(call fail,PROFILE is given and none of '$(variants)' uses it,it is for variants with pgo: VARIANTS=o2-pgo)))
$(if $(SAMPLE_PROFILE),$(if $(filter sample,$(foreach v,$(variants),$(call undashed,$v))),,\
    $(call fail,SAMPLE_PROFILE is given and none of '$(variants)' uses it,it is for variants with sample: VARIANTS=o2-sample)))
$(if $(strip $(check-toolchain)),)
$(foreach a,$(apps),$(if $(strip $(call check-app-name,$a)),)$(eval $(call load-app,$a)))
ifneq ($(filter-out build,$(goal)),)
$(shell $(python) scripts/measure.py --check $(measure-settings) >&2)$(if $(filter-out 0,$(.SHELLSTATUS)),$(error nothing was done))
endif
jobs := $(if $(filter costs,$(goal)),1,$(or $(JOBS),$(shell nproc)))
MAKEFLAGS += -j$(jobs)
endif

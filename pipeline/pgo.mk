# pgo.mk: adds a profile-guided build with LTO to a Makefile, whose own rules stay as they are. Copy
# this file and say, after the Makefile's own settings:
#
#     PGO_PROGRAM := frob
#     PGO_SOURCES := main.c table.c lib/hash.c
#     PGO_TRAIN    = $(PGO_BINARY) samples/small.txt >/dev/null
#     PGO_MODE    := pgo
#     PGO_LTO     := thin
#     include pgo.mk
#
# Reads, beside these, CC, CPPFLAGS, CFLAGS, LDFLAGS and LDLIBS. PGO_TRAIN is a shell command that runs
# the program as its users will, on other data than it is measured with. PGO_MODE is pgo, or cspgo
# for a second, context-sensitive profile; PGO_LTO is thin, full or none. Makes
#     build-pgo/frob             by `make pgo`: instruments, trains, compiles again with the profile
#     build-pgo/STAGE.profdata   the profiles; STAGE is train, or cstrain for the second one
# and `make pgo-clean` removes build-pgo/. What changes is made again: sources, headers, flags, the
# files that PGO_TRAIN names. A profile that comes out the same rebuilds nothing. Training that fails
# or records nothing is an error. Needs Clang, lld and GNU make 4.2.

PGO_MODE ?= pgo
PGO_LTO ?= thin
ifeq ($(origin CC),default)
CC := clang
endif

$(foreach v,PGO_PROGRAM PGO_SOURCES PGO_TRAIN,$(if $(strip $(value $v)),,$(error pgo.mk: $v is not set)))
$(if $(findstring PGO_BINARY,$(value PGO_TRAIN)),,$(error pgo.mk: PGO_TRAIN has to run $$(PGO_BINARY), and to be set by =, not :=))
$(if $(filter pgo cspgo,$(PGO_MODE)),,$(error pgo.mk: PGO_MODE is '$(PGO_MODE)', it can be pgo or cspgo))
$(if $(filter thin full none,$(PGO_LTO)),,$(error pgo.mk: PGO_LTO is '$(PGO_LTO)', it can be thin, full or none))
$(foreach s,$(PGO_SOURCES),$(if $(filter %.c,$(filter-out /% ../%,$s)),,\
    $(error pgo.mk: the source '$s' is not a C file below this directory)))

pgo.dir := build-pgo
pgo.lto := $(if $(filter-out none,$(PGO_LTO)),-flto=$(PGO_LTO))
pgo.last := $(if $(filter cspgo,$(PGO_MODE)),cstrain,train)

# What each stage adds to CFLAGS. The first profile matches whatever -O and LTO it is used with; the
# second describes code after inlining, so that stage is built exactly as the last one.
pgo.flags.train := -fprofile-generate
pgo.flags.cstrain := -fprofile-use=$(pgo.dir)/train.profdata -fcs-profile-generate $(pgo.lto)
pgo.flags.final := -fprofile-use=$(pgo.dir)/$(pgo.last).profdata $(pgo.lto)

.PHONY: pgo pgo-clean pgo.force
pgo: $(pgo.dir)/$(PGO_PROGRAM)
pgo-clean:
	rm -rf $(pgo.dir)

# $(call pgo.changed,TEXT,FILE): pgo.force unless that is the text in the file.
pgo.changed = $(if $(findstring <$1>,<$(file <$2)>),,pgo.force)

# $(call pgo.build,STAGE,BINARY,PROFILE): a stage's own objects and binary. The file `command` says
# what it was made with, and is rewritten only when that changes.
define pgo.build
pgo.objects.$1 := $(PGO_SOURCES:%.c=$(pgo.dir)/$1/%.o)
pgo.command.$1 = $$(strip $$(CC) $$(CPPFLAGS) $$(CFLAGS) $(pgo.flags.$1) $$(LDFLAGS) $$(LDLIBS) $$(PGO_SOURCES))
$(pgo.dir)/$1/command: $$(call pgo.changed,$$(pgo.command.$1),$(pgo.dir)/$1/command)
	$$(if $$(shell mkdir -p $$(@D)),)$$(file >$$@,$$(pgo.command.$1))@:
$$(pgo.objects.$1): $(pgo.dir)/$1/%.o: %.c $(pgo.dir)/$1/command $3
	@mkdir -p $$(@D)
	$$(CC) $$(CPPFLAGS) $$(CFLAGS) $(pgo.flags.$1) -MMD -MP -c -o $$@ $$<
$2: $$(pgo.objects.$1)
	$$(CC) $$(CFLAGS) $(pgo.flags.$1) -fuse-ld=lld $$(LDFLAGS) -o $$@ $$^ $$(LDLIBS)
-include $$(pgo.objects.$1:.o=.d)
endef

# $(call pgo.train,STAGE,PROFILE TO ADD): runs PGO_TRAIN and merges what it recorded. Raw profiles lie
# in a directory of their own, so that none of an earlier run is merged.
define pgo.train
$(pgo.dir)/$1/trained: PGO_BINARY := $(pgo.dir)/$1/$(PGO_PROGRAM)
$(pgo.dir)/$1/trained: $(pgo.dir)/$1/$(PGO_PROGRAM) $$(wildcard $$(PGO_TRAIN)) \
    $$(call pgo.changed,$$(value PGO_TRAIN),$(pgo.dir)/$1/trained) $(if $(wildcard $(pgo.dir)/$1.profdata),,pgo.force)
	@rm -rf $$(@D)/raw && mkdir $$(@D)/raw
	export LLVM_PROFILE_FILE='$$(CURDIR)/$$(@D)/raw/%m_%p.profraw'; $$(PGO_TRAIN)
	@find $$(@D)/raw -size +0 | grep -q profraw || { echo "pgo.mk: PGO_TRAIN recorded no profile:" \
	    "it has to run '$$(PGO_BINARY)', which has to end by exit() or by returning from main" >&2; exit 1; }
	"$$$$($$(CC) -print-prog-name=llvm-profdata)" merge -o $$(@D)/new.profdata $$(@D)/raw $2
	@cmp -s $$(@D)/new.profdata $$(@D).profdata || mv $$(@D)/new.profdata $$(@D).profdata
	@printf '%s\n' '$$(subst ','\'',$$(value PGO_TRAIN))' >$$@
$(pgo.dir)/$1.profdata: $(pgo.dir)/$1/trained ;
endef

$(eval $(call pgo.build,train,$(pgo.dir)/train/$(PGO_PROGRAM)))
$(eval $(call pgo.train,train))
ifeq ($(PGO_MODE),cspgo)
$(eval $(call pgo.build,cstrain,$(pgo.dir)/cstrain/$(PGO_PROGRAM),$(pgo.dir)/train.profdata))
$(eval $(call pgo.train,cstrain,$(pgo.dir)/train.profdata))
endif
$(eval $(call pgo.build,final,$(pgo.dir)/$(PGO_PROGRAM),$(pgo.dir)/$(pgo.last).profdata))

# One LLVM: every tool comes from the directory that clang came from.
# Reads CLANG (a name or a path; default: LLVM 22, else the newest in /usr/lib/llvm-*) and PYTHON.
# Makes no file; sets clang, the tools' paths, toolchain-id and python.

python := $(if $(PYTHON),PGOLAB_PYTHON=$(call q,$(PYTHON)) )scripts/python

llvm-installed := $(sort $(wildcard /usr/lib/llvm-[0-9][0-9]/bin/clang))
clang-found := $(if $(CLANG),$(if $(findstring /,$(CLANG)),$(wildcard $(CLANG)),$(call find-program,$(CLANG))),$(or \
    $(filter /usr/lib/llvm-22/%,$(llvm-installed)),$(lastword $(llvm-installed)),$(call find-program,clang)))

llvm-bin := $(patsubst %/,%,$(dir $(realpath $(clang-found))))
clang := $(llvm-bin)/clang
gcc = $(call find-program,gcc)

# Checked when something is to be built or measured, not by `make help` or `make doctor`.
define check-toolchain
$(if $(clang-found),,$(call fail,there is no '$(or $(CLANG),clang)',run ./scripts/setup$(comma) or give another with CLANG=))
$(foreach t,clang ld.lld llvm-profdata llvm-size,$(if $(wildcard $(llvm-bin)/$t),,\
    $(call fail,'$t' is missing in $(llvm-bin),all LLVM tools have to come from one directory: run ./scripts/setup)))
$(foreach p,hyperfine flock setarch taskset,$(if $(call need,$p),))
$(if $(time),,$(call fail,'time' is not installed,run ./scripts/setup (it is GNU time and not the shell's word)))
endef

time := $(call find-program,time)

# $(call compiler-id,COMPILER): its version, asked once.
compiler-id = $(or $(id-of-$1),$(eval id-of-$1 := $(shell $1 --version))$(id-of-$1))

# Builds take this lock shared and a block that is timed takes it alone, so that nothing of pgolab
# runs on the machine beside it, not from another clone either.
lock := $(firstword $(wildcard /run/lock /var/lock /tmp))

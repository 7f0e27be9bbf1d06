# From a variant's name to its techniques, flags and profiles; refuses what makes no sense.
# Reads pipeline/techniques/*.mk and those of TECHNIQUES=. A technique NAME is a file NAME.mk that sets
#   technique.NAME.group    where it stands in a name (below)
#   technique.NAME.help     one line
#   technique.NAME.needs    programs that it takes, beside clang and lld
#   technique.NAME.trained  not empty: builds that are trained have its flags too, and their profiles its name
# and of these what it needs, with gcc- before the last part for variants of GCC, which refuses a
# technique that has no gcc-cflags:
#   technique.NAME.cflags   for every compilation and link; may use $(profile)
#   technique.NAME.ldflags  for the link alone; may use $(profile)
#   technique.NAME.merge    not empty: all sources become one module before they are optimized
#   technique.NAME.keep     for the first link: keeps native objects, so that relinks are cheap
#   technique.NAME.prelink  for a link of its own, which makes the kept objects before the first link
#   technique.NAME.relink   for relinks
#   technique.NAME.kept     the objects that a relink starts from, where not the compiled ones
#   technique.NAME.post     a script, with options, that makes the binary from the linked one and the profile
#   technique.NAME.profile  the suffix of the profile that it uses, and
#   technique.NAME.trainer      the script, with options, that takes it,
#   technique.NAME.train-cflags, train-ldflags   for the build that is trained; without train-cflags it
#                               is linked from the variant's own objects
#   technique.NAME.runtime      a file of pipeline/runtime/ that is linked into that build
#   technique.NAME.train-groups the groups whose techniques that build shares with the variant; one
#                               without `level` is built with o2, once for all variants but those of
#                               a level that is trained itself
#   technique.NAME.after        a technique whose profile, $(first-profile), that build uses
# Makes no file.

groups := compiler level modifier inlining profile link function-order post-link calibration
link-only := function-order post-link

compiler-keys := cflags ldflags merge keep prelink relink kept post profile trainer train-cflags train-ldflags \
    runtime train-groups after
technique-keys := group help needs trained $(compiler-keys) $(addprefix gcc-,$(compiler-keys))

technique-files := $(sort $(wildcard pipeline/techniques/*.mk $(patsubst %/,%,$(TECHNIQUES:=/))/*.mk \
    $(if $(filter calibrate,$(MAKECMDGOALS)),$(filter-out %/app.mk,$(wildcard pipeline/calibration/*.mk)))))
$(foreach d,$(TECHNIQUES),$(if $(wildcard $(d:/=)/*.mk),,$(call fail,\
    there is no technique in TECHNIQUES='$d',it is a directory of files NAME.mk that set technique.NAME.group …)))
include $(technique-files)
techniques := $(basename $(notdir $(technique-files)))

in-group = $(strip $(foreach t,$2,$(if $(filter $1,$(technique.$t.group)),$t)))
dashed = $(subst $(space),-,$(strip $1))
undashed = $(subst -, ,$1)

$(foreach t,$(techniques),$(if $(findstring -,$t),$(call fail,\
    the technique '$t' has a '-' in its name,variants are techniques joined by '-': rename its file)))

# A technique's file sets nothing but its own keys, and they are spelt right.
$(foreach v,$(filter technique.%,$(.VARIABLES)),$(if $(and $(filter $(techniques),$(word 2,$(subst ., ,$v))),$(filter \
    $(technique-keys),$(word 3,$(subst ., ,$v)))),,$(call fail,unknown name '$v' in a technique's file,$(call nearest,$v,\
    $(foreach t,$(or $(filter $(word 2,$(subst ., ,$v)),$(techniques)),NAME),$(addprefix technique.$t.,$(technique-keys)))))))
$(foreach t,$(techniques),$(if $(and $(filter 1,$(words $(technique.$t.group))),$(filter $(groups),$(technique.$t.group))),,\
    $(call fail,the technique '$t' has the group '$(technique.$t.group)',technique.$t.group is one of: $(groups)))\
    $(if $(technique.$t.help),,$(call fail,the technique '$t' has no 'technique.$t.help',say in one line what it does)))

# $(call order,TECHNIQUES): each known one once, in the order in which a name has them.
order = $(foreach g,$(groups),$(filter $1,$(call in-group,$g,$(techniques))))

# $(call nearest-variant,NAME): the sensible name that is closest: known techniques, in order, one of a
# group but of the modifiers any.
nearest-variant = $(call dashed,$(foreach g,$(groups),$(or $(if $(filter modifier,$g),$(filter \
    $(call undashed,$1),$(call in-group,$g,$(techniques))),$(firstword $(call in-group,$g,$(filter \
    $(techniques),$(call undashed,$1))))),$(if $(filter level,$g),o2))))

# $(call without-counterpart,VARIANT): the techniques that its compiler, GCC, does not know.
without-counterpart = $(if $(filter gcc,$(call undashed,$1)),$(foreach t,$(filter-out gcc,$(call undashed,$1)),$(if $(filter \
    undefined,$(flavor technique.$t.gcc-cflags)),$t)))

# $(call lacking,VARIANT): the programs that it needs and that are not there.
lacking = $(strip $(foreach p,$(sort $(foreach t,$(call undashed,$1),$(technique.$t.needs))),$(if \
    $(or $(wildcard $(llvm-bin)/$p),$(call find-program,$p)),,$p)))

# $(call check-variant,NAME)
define check-variant
$(foreach t,$(filter-out $(techniques),$(call undashed,$1)),$(call fail,\
no technique '$t' in the variant '$1',$(call nearest,$t,$(techniques))))
$(if $(call in-group,level,$(call undashed,$1)),,$(call fail,\
the variant '$1' has no optimization level,did you mean '$(call nearest-variant,$1)'?))
$(foreach g,$(filter-out modifier,$(groups)),$(if $(word 2,$(call in-group,$g,$(call undashed,$1))),$(call fail,\
the variant '$1' has more than one $g technique: $(call in-group,$g,$(call undashed,$1)),did you mean '$(call nearest-variant,$1)'?)))
$(if $(filter-out $1,$(call nearest-variant,$1)),$(call fail,\
the variant '$1' is not in the order $(subst $(space),$(comma) ,$(filter-out calibration,$(groups))),did you mean '$(call nearest-variant,$1)'?))
$(foreach t,$(firstword $(call without-counterpart,$1)),$(call fail,\
GCC has no counterpart of '$t' in the variant '$1',did you mean '$(call nearest-variant,$(call dashed,$(filter-out \
$(call without-counterpart,$1),$(call undashed,$1))))'?))
$(foreach p,$(firstword $(call lacking,$1)),$(call fail,the variant '$1' needs '$p'$(comma) which is not in $(llvm-bin) or on PATH,run ./scripts/setup))
endef

# $(call key,TECHNIQUE,KEY,VARIANT): what TECHNIQUE says for the compiler of VARIANT.
key = $(technique.$1.$(if $(filter gcc,$(call undashed,$3)),gcc-)$2)

# $(call stem,VARIANT): the variant from whose objects it is linked.
stem = $(call dashed,$(filter-out $(call in-group,$(link-only),$(techniques)),$(call undashed,$1)))

# $(call profiled,VARIANT): its techniques that use a profile.
profiled = $(foreach t,$(call undashed,$1),$(if $(call key,$t,profile,$1),$t))

# $(call trained-techniques,TECHNIQUE,VARIANT): those of the build that is trained for TECHNIQUE in VARIANT.
trained-techniques = $(call order,$(call with-level,$(foreach t,$(call \
    undashed,$2),$(if $(or $(technique.$t.trained),$(filter $(technique.$t.group),$(call key,$1,train-groups,$2))),$t))))
with-level = $1 $(if $(call in-group,level,$1),,o2)

# $(call profile-name,TECHNIQUE,VARIANT): names the profile by what it is taken from.
profile-name = $(call dashed,$(call order,$1 $(filter-out $(if $(filter level,$(call \
    key,$1,train-groups,$2)),,o2),$(call trained-techniques,$1,$2))))

# $(call trained,VARIANT): the techniques whose profiles it takes; a first stage before the second.
trained = $(call unique,$(foreach t,$(call profiled,$1),$(call key,$t,after,$1) $t))
profile-names = $(foreach t,$(call trained,$1),$(call profile-name,$t,$1))

# $(call profile-file,APP,TECHNIQUE,VARIANT)
profile-file = profiles/$1/$(call profile-name,$2,$3).$(call key,$2,profile,$3)

# $(call variant-flags,KEY,APP,VARIANT[,TECHNIQUES]): KEY of the techniques of VARIANT (or of TECHNIQUES), in order.
variant-flags = $(strip $(foreach t,$(or $4,$(call undashed,$3)),$(eval profile := $(if $(call key,$t,profile,$3),$(call \
    q,$(CURDIR)/$(call profile-file,$2,$t,$3))))$(call key,$t,$1,$3)))

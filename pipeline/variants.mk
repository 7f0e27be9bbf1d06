# From a variant's name to its techniques and flags; refuses contradictions.
# Reads pipeline/techniques/*.mk. A technique NAME is a file NAME.mk that sets
#   technique.NAME.group    where it stands in a name (below)
#   technique.NAME.help     one line
#   technique.NAME.cflags   for every compilation and link; may use $(profile)
# and, as it needs,
#   technique.NAME.ldflags  for the link alone
#   technique.NAME.keep     for the first link: keeps native objects, so that relinks are cheap
#   technique.NAME.relink   for relinks
#   technique.NAME.kept     the objects that a relink starts from, where not the compiled ones
#   technique.NAME.train-cflags, train-ldflags   of the instrumented build whose profile it uses
# Makes no file.

groups := level profile link calibration

technique-files := $(sort $(wildcard pipeline/techniques/*.mk \
    $(if $(filter calibrate,$(MAKECMDGOALS)),$(filter-out %/app.mk,$(wildcard pipeline/calibration/*.mk)))))
include $(technique-files)
techniques := $(basename $(notdir $(technique-files)))

in-group = $(strip $(foreach t,$2,$(if $(filter $1,$(technique.$t.group)),$t)))
dashed = $(subst $(space),-,$(strip $1))

# $(call order,TECHNIQUES): each known one once, in the order in which a name has them.
order = $(foreach g,$(groups),$(filter $1,$(call in-group,$g,$(techniques))))

# $(call nearest-variant,NAME): the sensible name that is closest: known techniques, one of a group, in order.
nearest-variant = $(call dashed,$(foreach g,$(groups),$(or \
    $(firstword $(call in-group,$g,$(filter $(techniques),$(subst -, ,$1)))),$(if $(filter level,$g),o2))))

# $(call check-variant,NAME)
define check-variant
$(foreach t,$(filter-out $(techniques),$(subst -, ,$1)),$(call fail,\
no technique '$t' in the variant '$1',$(call nearest,$t,$(techniques))))
$(if $(call in-group,level,$(subst -, ,$1)),,$(call fail,\
the variant '$1' has no optimization level,did you mean '$(call nearest-variant,$1)'?))
$(foreach g,$(groups),$(if $(word 2,$(call in-group,$g,$(subst -, ,$1))),$(call fail,\
the variant '$1' has more than one $g technique: $(call in-group,$g,$(subst -, ,$1)),did you mean '$(call nearest-variant,$1)'?)))
$(if $(filter-out $1,$(call nearest-variant,$1)),$(call fail,\
the variant '$1' is not in the order $(subst $(space),$(comma) ,$(groups)),did you mean '$(call nearest-variant,$1)'?))
endef

# $(call technique-flags,KEY,VARIANT): KEY of all its techniques, in order.
technique-flags = $(strip $(foreach t,$(subst -, ,$2),$(technique.$t.$1)))

# $(call profile-technique,VARIANT): the one that needs a profile, if any.
profile-technique = $(call in-group,profile,$(subst -, ,$1))

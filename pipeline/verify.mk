# Relinks each variant in other layouts, then runs every workload on all of them: a binary that does
# not do what the baseline does is never timed.
# Reads build/APP/VARIANT/, the manifest and the inputs. Makes build/APP/VARIANT/layouts/N/APP and
#   build/APP/VARIANT/verified-BASELINE   (for the baseline itself also outputs/, what others must equal)

# $(call other-budget,FILE): FORCE when another budget left fewer layouts than were wanted.
other-budget = $(if $(wildcard $1),$(if $(call same,$(call chomp,$(file <$1)),$(BUDGET)),,FORCE))

# $(call wanted-layouts,APP,VARIANT): a baseline that `make verify` was not asked for is compared with and
# not timed: its plain link will do, unless there are more already.
wanted-layouts = $(if $(and $(filter verify,$(goal)),$(VARIANTS),$(filter $(BASELINE),$2),$(if $(filter \
    $2,$(VARIANTS)),,yes)),$(or $(firstword $(file <build/$1/$2/layouts.wanted)),1),$(LAYOUTS))

# $(eval $(call layout-rules,APP,VARIANT))
define layout-rules
$1/$2/layouts := $(wanted-layouts)
$$(eval $$(call stamp,build/$1/$2/layouts.wanted,$1/$2/layouts))
build/$1/$2/layouts/linked.json: build/$1/$2/$1 build/$1/$2/parts build/$1/$2/layouts.wanted $(call other-budget,build/$1/$2/layouts/limited)
	$$(call say,LAYOUTS,$1/$2)
	$$(quiet)flock --shared $$(lock) $$(python) scripts/relink.py --binary build/$1/$2/$1 --layouts $$($1/$2/layouts) \
	    --budget $(BUDGET) --variants $(words $(variants)) --objects build/$1/$$($1/$2/objects-of)/obj \
	    --link $$(call q,$$($1/$2/relink))$$(if $$($1/$2/post), --post $$(call q,$$($1/$2/post)))
endef

# $(eval $(call verify-rules,APP,VARIANT))
define verify-rules
build/$1/$2/verified-$(BASELINE): build/$1/$2/layouts/linked.json $(if $(filter-out $(BASELINE),$2),build/$1/$(BASELINE)/verified-$(BASELINE)) \
    build/$1/manifest/app build/$1/manifest/train build/$1/manifest/eval build/$1/inputs.sums \
    $(call named-files,$1,train) $(call named-files,$1,eval)
	$$(call say,VERIFY,$1/$2)
	$$(quiet)flock --shared $$(lock) $$(python) scripts/verify.py --manifest build/$1/manifest --inputs build/$1/inputs \
	    --binary build/$1/$2/$1 --outputs build/$1/$(BASELINE)/outputs --timeout $$(TIMEOUT) $(if $(filter $(BASELINE),$2),--record)
	@touch $$@
endef

$(foreach a,$(app-names),$(foreach v,$(variants),$(eval $(call layout-rules,$a,$v))))
$(foreach a,$(app-names),$(foreach v,$(variants),$(eval $(call verify-rules,$a,$v))))

verified := $(foreach a,$(app-names),$(foreach v,$(variants),build/$a/$v/verified-$(BASELINE)))

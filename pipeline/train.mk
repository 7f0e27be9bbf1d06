# Makes the inputs of an app's workloads, runs the train workloads, merges what they recorded.
# Reads build/APP/manifest/ and the instrumented build. Makes
#   build/APP/inputs/             the generated inputs; inputs.sums lists every one with its SHA-256
#   profiles/APP/PROFILE.SUFFIX and PROFILE.json, replaced only when training gave another profile
# A profile of `pgo` or `sample` is not trained where PROFILE= or SAMPLE_PROFILE= gives it, one of `pgo`
# not where profiles/APP/PROFILE.proftext is there and still holds either.
#   build/APP/PROFILE-train/resemblance.json, how far the train workloads resemble the eval workloads

# The files that its commands name: a change of one makes the inputs and profiles anew.
# $(call named-files,APP,MANIFEST PART)
named-words = $(subst =, ,$($1/manifest/$2))
named-files = $(wildcard $(patsubst app/%,$($1/dir)/%,$(filter app/%,$(call named-words,$1,$2))) \
    $(patsubst inputs/%,build/$1/inputs/%,$(filter inputs/%,$(call named-words,$1,$2)))) \
    $(call only-files,$(filter-out /dev/% /proc/% /sys/%,$(filter /%,$(call named-words,$1,$2))))
only-files = $(foreach f,$(wildcard $1),$(if $(wildcard $f/.),,$f))

# $(eval $(call manifest-rules,APP))
define manifest-rules
$(call stamp,build/$1/manifest/app,$1/manifest/app)
$(call stamp,build/$1/manifest/train,$1/manifest/train)
$(call stamp,build/$1/manifest/eval,$1/manifest/eval)

build/$1/generated: $(addprefix build/$1/manifest/,app train eval) $(foreach k,app train eval,$(call named-files,$1,$k)) $(if $(wildcard build/$1/inputs.sums),,FORCE)
	$$(call say,INPUTS,$1)
	$$(quiet)$$(python) scripts/inputs.py --manifest build/$1/manifest --inputs build/$1/inputs --sums build/$1/inputs.sums --timeout $$(TIMEOUT)
	@touch $$@
build/$1/inputs.sums: build/$1/generated ;
endef

# Where the profile comes from; a change takes it anew.
source-rules = $(eval $1/$2/source := $3)$(eval $(call stamp,build/$1/$2-train/source,$1/$2/source))

# $(eval $(call train-rules,APP,PROFILE,ITS FILE,TRAINER[,PROFILE OF A FIRST STAGE]))
define train-rules
$(call source-rules,$1,$2,training)
build/$1/$2-train/trained: build/$1/$2-train/source build/$1/$2-train/$1 build/$1/manifest/train build/$1/inputs.sums $(firstword $4) $5 $(call \
    named-files,$1,train) $(if $(wildcard $3),,FORCE)
	$$(call say,TRAIN,$1/$2)
	$$(quiet)flock --shared $$(lock) $$(python) $4 --manifest build/$1/manifest --inputs build/$1/inputs \
	    --binary build/$1/$2-train/$1 --timeout $$(TIMEOUT) --profile $3$(if $5, --first-profile $5)$(progress)
	@touch $$@
$3: build/$1/$2-train/trained ;
profiles += $3
endef

# $(eval $(call taken-rules,APP,PROFILE,ITS FILE,GIVEN)): the profile that is there already.
define taken-rules
$(call source-rules,$1,$2,$4)
build/$1/$2-train/trained: build/$1/$2-train/source $(wildcard $4 $4.json) scripts/take_profile.py $(if $(wildcard $3),,FORCE)
	$$(call say,TAKE,$1/$2)
	$$(quiet)$$(python) scripts/take_profile.py --given $$(call q,$4) --profile $3 --llvm-bin $$(llvm-bin)
	@touch $$@
$3: build/$1/$2-train/trained ;
profiles += $3
endef

# $(call committed,APP,FILE): the committed text of a profile, if it holds.
committed = $(if $(filter profile-export,$(goal)),,$(if $(wildcard $2.proftext),$(if $(filter yes,$(shell $(python) \
    scripts/committed.py --holds $2.proftext $(if $($1/tree),--tree $(call q,$($1/tree)),--directory $($1/dir)) --text $(call q,$(call taken-from,$1)) -- $($1/sources))),\
    $2.proftext,$(info pgolab: the committed profile '$2.proftext' is of other sources: training))))

# $(call given,APP,TECHNIQUE,VARIANT): a profile that is used instead of training.
given = $(strip $(if $(filter sample,$2),$(SAMPLE_PROFILE))$(if $(and $(filter pgo,$2),$(filter profdata,$(call \
    key,$2,profile,$3))),$(or $(PROFILE),$(call committed,$1,profiles/$1/$(call profile-name,$2,$3)))))

# $(eval $(call resemblance-rules,APP,PROFILE,ITS FILE))
define resemblance-rules
build/$1/$2-train/resemblance.json: build/$1/$2-train/trained scripts/resemblance.py build/$1/manifest/eval $(call named-files,$1,eval)
	$$(call say,COMPARE,$1/$2)
	$$(quiet)flock --shared $$(lock) $$(python) scripts/resemblance.py --llvm-bin $$(llvm-bin) --manifest build/$1/manifest \
	    --inputs build/$1/inputs --binary build/$1/$2-train/$1 --timeout $$(TIMEOUT) --profile $3 --output $$@
resemblances += build/$1/$2-train/resemblance.json
endef
comparable = $(and $(filter profile,$(technique.$1.group)),$(filter scripts/train.py,$(firstword $(call \
    key,$1,trainer,$2))),$(if $(call key,$1,after,$2),,yes))

# $(call rules-for,APP,TECHNIQUE,VARIANT,GIVEN)
rules-for = $(eval $(if $4,$(call taken-rules,$1,$(call profile-name,$2,$3),$(call profile-file,$1,$2,$3),$4),$(call \
    train-rules,$1,$(call profile-name,$2,$3),$(call profile-file,$1,$2,$3),$(call key,$2,trainer,$3),$(call \
    profile-files,$1,$(call key,$2,after,$3),$3)))$(if $(or $4,$(if $(call comparable,$2,$3),,no)),,$(eval $(call \
    resemblance-rules,$1,$(call profile-name,$2,$3),$(call profile-file,$1,$2,$3)))))

# $(call profile-rules,APP,TECHNIQUE,VARIANT): for its profile, once.
profile-rules = $(if $(filter $(call profile-file,$1,$2,$3),$(profiles)),,$(call rules-for,$1,$2,$3,$(call given,$1,$2,$3)))

profiles :=
resemblances :=
$(foreach a,$(app-names),$(eval $(call manifest-rules,$a)))
$(foreach a,$(app-names),$(foreach v,$(variants),$(foreach t,$(call trained,$v),$(call profile-rules,$a,$t,$v))))

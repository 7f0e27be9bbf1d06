# Makes the inputs of an app's workloads, runs the train workloads, merges what they recorded.
# Reads build/APP/manifest/ and the instrumented build. Makes
#   build/APP/inputs/             the generated inputs; inputs.sums lists every one with its SHA-256
#   profiles/APP/PROFILE.SUFFIX and PROFILE.json, replaced only when training gave another profile

# The files of the app that its commands name: a change of one makes the inputs and profiles anew.
# $(call named-files,APP,MANIFEST PART)
named-words = $(subst =, ,$($1/manifest/$2))
named-files = $(wildcard $(patsubst app/%,$($1/dir)/%,$(filter app/%,$(call named-words,$1,$2))) \
    $(patsubst inputs/%,build/$1/inputs/%,$(filter inputs/%,$(call named-words,$1,$2))))

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

# $(eval $(call train-rules,APP,PROFILE,ITS FILE,TRAINER[,PROFILE OF A FIRST STAGE]))
define train-rules
build/$1/$2-train/trained: build/$1/$2-train/$1 build/$1/manifest/train build/$1/inputs.sums $(firstword $4) $5 $(call \
    named-files,$1,train) $(if $(wildcard $3),,FORCE)
	$$(call say,TRAIN,$1/$2)
	$$(quiet)flock --shared $$(lock) $$(python) $4 --manifest build/$1/manifest --inputs build/$1/inputs \
	    --binary build/$1/$2-train/$1 --timeout $$(TIMEOUT) --profile $3$(if $5, --first-profile $5)
	@touch $$@
$3: build/$1/$2-train/trained ;
profiles += $3
endef

# $(call profile-rules,APP,TECHNIQUE,VARIANT): for its profile, once.
profile-rules = $(if $(filter $(call profile-file,$1,$2,$3),$(profiles)),,$(eval $(call train-rules,$1,$(call \
    profile-name,$2,$3),$(call profile-file,$1,$2,$3),$(call key,$2,trainer,$3),$(call profile-files,$1,$(call key,$2,after,$3),$3))))

profiles :=
$(foreach a,$(app-names),$(eval $(call manifest-rules,$a)))
$(foreach a,$(app-names),$(foreach v,$(variants),$(foreach t,$(call trained,$v),$(call profile-rules,$a,$t,$v))))

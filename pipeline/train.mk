# Makes the inputs of an app's workloads, runs the train workloads, merges what they recorded.
# Reads build/APP/manifest/ and the instrumented build. Makes
#   build/APP/inputs/             the generated inputs; inputs.sums lists every one with its SHA-256
#   profiles/APP/PROFILE.profdata and .json, replaced only when training gave another profile

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

# $(eval $(call train-rules,APP,PROFILE))
define train-rules
build/$1/$2-train/trained: build/$1/$2-train/$1 build/$1/manifest/train build/$1/inputs.sums $(call \
    named-files,$1,train) $(if $(wildcard profiles/$1/$2.profdata),,FORCE)
	$$(call say,TRAIN,$1/$2)
	$$(quiet)flock --shared $$(lock) $$(python) scripts/train.py --manifest build/$1/manifest --inputs build/$1/inputs \
	    --binary build/$1/$2-train/$1 --profdata $$(llvm-bin)/llvm-profdata --timeout $$(TIMEOUT) --profile profiles/$1/$2.profdata
	@touch $$@
profiles/$1/$2.profdata: build/$1/$2-train/trained ;
endef

$(foreach a,$(app-names),$(eval $(call manifest-rules,$a)))
$(foreach a,$(app-names),$(foreach t,$(profile-techniques),$(eval $(call train-rules,$a,$t))))

profiles := $(foreach a,$(app-names),$(foreach t,$(profile-techniques),profiles/$a/$t.profdata))

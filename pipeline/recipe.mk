# Describes a variant for export into a build of one's own.
# Reads what apps.mk, variants.mk and build.mk set. Makes build/APP/VARIANT/recipe, lines `key = value` in
# the order in which things are made:
#   build.NAME.compile, .link   the flags of a build, its compiler first
#   build.NAME.merged           yes when its sources become one module first
#   build.NAME.kept             the native object that its link leaves, where others are linked from that
#   build.NAME.objects          the build whose objects it is linked from, where not its own
#   profile.NAME.file, .build   a profile, and the build that it is taken from
#   profile.NAME.first          the profile that is merged into it
#   profile.NAME.trainer        the script that takes it
#   post                        the script that makes the binary from the linked one
# from which scripts/recipe.py fills one of the templates in pipeline/recipes/.

recipe-line = $(if $(strip $2),$1 = $(strip $2)$(nl))

# $(call recipe-build,APP,NAME[,STEM,LDFLAGS]): a build with objects of its own, or one that is linked from STEM's.
recipe-build = $(if $3,$(call recipe-line,build.$2.link,$($1/$3/link) $4)$(call recipe-line,build.$2.objects,$3),$(call \
    recipe-line,build.$2.compile,$($1/$2/compile))$(call recipe-line,build.$2.link,$($1/$2/link) $(if $(recipe-kept),$(call \
    variant-flags,keep,$1,$2)))$(call recipe-line,build.$2.kept,$(recipe-kept))$(call \
    recipe-line,build.$2.merged,$(if $(filter one-module,$($1/$2/units)),yes)))
recipe-kept = $(if $(filter $2,$(call stem,$(described))),$(if $(filter-out $2,$(described)),$(call variant-flags,kept,$1,$2)))

# $(call recipe-training,APP,TECHNIQUE,VARIANT): the build that is trained for TECHNIQUE, and the profile.
define recipe-training
$(call recipe-build,$1,$(call profile-name,$2,$3)-train,$(if $(call key,$2,train-cflags,$3),,$(call stem,$3)),$(call \
    variant-flags,ldflags,$1,$3,$(call ordering,$3)) $(call key,$2,train-ldflags,$3))$(call \
    recipe-line,profile.$(call profile-name,$2,$3).file,$(call profile-file,$1,$2,$3))$(call \
    recipe-line,profile.$(call profile-name,$2,$3).build,$(call profile-name,$2,$3)-train)$(call \
    recipe-line,profile.$(call profile-name,$2,$3).trainer,$(firstword $(call key,$2,trainer,$3)))$(call \
    recipe-line,profile.$(call profile-name,$2,$3).first,$(foreach t,$(call key,$2,after,$3),$(call profile-name,$t,$3)))
endef

# $(call recipe-text,APP,VARIANT)
define recipe-text
$(eval described := $2)app = $1
dir = $($1/dir)
variant = $2
baseline = $(BASELINE)
sources = $($1/sources)
$(call recipe-line,post,$(foreach t,$(call post-technique,$2),$(firstword $(call key,$t,post,$2))))$(call \
    recipe-line,ldlibs,$($1/ldlibs))$(call recipe-build,$1,$(BASELINE))
$(foreach t,$(call trained,$2),$(call recipe-training,$1,$t,$2))
$(if $(filter-out $(BASELINE),$(call stem,$2)),$(call recipe-build,$1,$(call stem,$2)))
$(if $(filter-out $(call stem,$2),$2),$(call recipe-build,$1,$2,$(call stem,$2),$(call \
    variant-flags,ldflags,$1,$2,$(call ordering,$2))))
endef

recipe-variants := $(if $(filter recipe,$(goal)),$(VARIANT),$(filter-out $(BASELINE),$(variants)))
recipe-files := $(foreach a,$(app-names),$(foreach v,$(recipe-variants),build/$a/$v/recipe))
recipe-needs := $(recipe-files) $(variant-binaries) $(profiles) $(foreach a,$(app-names),$(addprefix \
    build/$a/manifest/,app train eval))
$(foreach a,$(app-names),$(foreach v,$(recipe-variants),$(eval $a/$v/recipe := $$(call recipe-text,$a,$v))$(eval $(call \
    stamp,build/$a/$v/recipe,$a/$v/recipe))))

recipe = $(python) scripts/recipe.py --description $(recipe-files) --manifest build/$(app-names)/manifest \
    --llvm-bin $(llvm-bin) --format $(or $(FORMAT),sh) $(if $(OUT),--out $(call q,$(OUT)))
prove = $(python) scripts/prove.py --apps $(app-names) --variants $(recipe-variants) --llvm-bin $(llvm-bin) \
    --formats $(or $(FORMAT),$(recipe-formats))

# Describes a variant for export into a build of one's own.
# Reads what apps.mk, variants.mk and build.mk set. Makes build/APP/VARIANT/recipe, lines `key = value`:
#   tree, command, binary       of a program with a build of its own: as its manifest has them
#   build.NAME.compile, .link   the flags of a build, its compiler first
#   build.NAME.level, .copy     in a build of its own: what CFLAGS says, and the copy of the tree that its flags name
#   build.NAME.merged           yes when its sources become one module first
#   build.NAME.runtime          the object of pipeline/runtime/ that is linked into it
#   build.NAME.kept             the native object that its link leaves, where others are linked from that
#   build.NAME.objects          the build whose kept object it is linked from
#   profile.NAME.file, .build   a profile, and the build that it is taken from
#   profile.NAME.first          the profile that is merged into it
#   profile.NAME.trainer        the script that takes it
#   post                        the script that makes the binary of the build and the profile named last
# from which scripts/recipe.py fills one of the templates in pipeline/recipes/.

recipe-line = $(if $(strip $2),$1 = $(strip $2)$(nl))
recipe-verbatim = $(if $2,$1 = $2$(nl))

# $(call recipe-command,APP,BUILD,KEY): the flags after their compiler, which wrappers add where the build is its own.
recipe-command = $(if $($1/tree),$(clang) )$($1/$2/$3)

# $(call recipe-build,APP,NAME[,STEM,LDFLAGS]): a build, or what STEM's objects are linked to by other flags: from the
# object that STEM's link keeps, or else compiled anew, which gives the same.
recipe-build = $(if $(and $3,$(call recipe-kept,$1,$3)),$(call recipe-line,build.$2.objects,$3),$(call \
    recipe-line,build.$2.compile,$(call recipe-command,$1,$(or $3,$2),compile)))$(call \
    recipe-line,build.$2.level,$($1/$(or $3,$2)/level))$(call \
    recipe-line,build.$2.copy,$(if $($1/tree),build/$1/$(or $3,$2)/tree))$(call \
    recipe-line,build.$2.link,$(call recipe-command,$1,$(or $3,$2),link) $4 $(if $3,,$(if $(recipe-kept),$(call variant-flags,keep,$1,$2))))$(call \
    recipe-line,build.$2.kept,$(if $3,,$(recipe-kept)))$(call \
    recipe-line,build.$2.runtime,$($1/$2/runtime))$(call \
    recipe-line,build.$2.merged,$(if $(filter one-module,$($1/$(or $3,$2)/units)),yes))

# $(call recipe-kept,APP,BUILD): what the link of BUILD keeps, where the variant is linked from that.
recipe-kept = $(and $(if $($1/tree),,$2),$(filter $2,$(call stem,$(described))),$(filter-out $2,$(described)),$(call variant-flags,kept,$1,$2))

# $(call recipe-training,APP,TECHNIQUE,VARIANT): the build that is trained for TECHNIQUE, and the profile.
define recipe-training
$(call recipe-build,$1,$(call profile-name,$2,$3)-train,$(if $(call key,$2,train-cflags,$3),,$(call stem,$3)),$(if $(call \
    key,$2,train-cflags,$3),,$(call variant-flags,ldflags,$1,$3,$(call ordering,$3)) $(call key,$2,train-ldflags,$3)))$(call \
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
$(call recipe-line,sources,$($1/sources))$(call recipe-line,tree,$($1/tree))$(call recipe-verbatim,command,$($1/build))$(call recipe-line,binary,$($1/binary))$(call recipe-line,post,$(foreach t,$(call post-technique,$2),$(firstword $(call key,$t,post,$2))))$(call \
    recipe-line,ldlibs,$($1/ldlibs))$(call recipe-build,$1,$(BASELINE))
$(if $(and $(filter-out $(BASELINE),$(call stem,$2)),$(call recipe-kept,$1,$(call stem,$2))),$(call recipe-build,$1,$(call stem,$2)))
$(foreach t,$(call trained,$2),$(call recipe-training,$1,$t,$2))
$(if $(or $(call post-technique,$2),$(filter $(BASELINE),$2)),,$(if $(filter $2,$(call stem,$2)),$(call \
    recipe-build,$1,$2),$(call recipe-build,$1,$2,$(call stem,$2),$(call variant-flags,ldflags,$1,$2,$(call ordering,$2)))))
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

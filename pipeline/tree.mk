# Builds a program that has a build of its own, once for each variant and each build that is trained.
# Reads NAME/tree, NAME/build, NAME/binary, NAME/level and what variants.mk sets. Makes, in build/APP/NAME/:
#   APP         the binary; lib/ beside it holds the shared libraries of the tree that it needs
#   tree/       the private copy in which the build ran
#   tree.flags  the flags and commands; a change builds anew
#   build.log build.cost
#   link.json   how the program was linked, for relinks
#   obj/        links to what it was linked from and to what the compiler said of that, from which
#   profile-match.json   comes, with a profile of Clang's: the share of its counts that was of use
# and build/APP/tree.state, which changes when the source tree does.

# $(call keeping-level,APP,TECHNIQUES): without the level, where the program keeps its own.
keeping-level = $(if $($1/level),$(filter-out $(call in-group,level,$(techniques)),$2),$2)
tree-cflags = $(if $(call keeping-level,$1,$3),$(call variant-flags,cflags,$1,$2,$(call keeping-level,$1,$3)))
tree-level = $(if $($1/level),,$(call variant-flags,cflags,$1,$2,$(call in-group,level,$3)))

# $(eval $(call tree-rules,APP,NAME,CFLAGS,LDFLAGS,PREREQUISITES,LEVEL[,--trained,RUNTIME]))
# Functions get sections of their own so that a relink can move them. What another compiler warns of, or
# this one about profiles, does not end a build with a -Werror of its own.
define tree-rules
$1/$2/compiler := $(clang)
$1/$2/objects-of := $2
$1/$2/relink := $$(abspath scripts/python) $$(abspath scripts/replay.py) $$(abspath build/$1/$2/link.json)
$1/$2/runtime := $(addprefix build/$1/$2/runtime/,$(addsuffix .o,$8))
$1/$2/compile := -ffunction-sections -Wno-error -fno-color-diagnostics -ffile-prefix-map=$(call q,$(CURDIR)/build/$1/$2/tree)=. $3
$1/$2/level := $6
$1/$2/link := -fuse-ld=lld $4 $$(foreach o,$$($1/$2/runtime),$$(call q,$(CURDIR)/$$o))
$1/$2/command := $$(python) scripts/build_tree.py --tree $$(call q,$$($1/tree)) --build=$$(call q,$$($1/build)) \
    --binary $$(call q,$$($1/binary)) \
    --compile=$$(call q,$$($1/$2/compile)) --link=$$(call q,$$($1/$2/link)) --level=$$(call q,$$($1/$2/level)) --llvm-bin $$(llvm-bin) $7
$1/$2/tree.flags = $$(call compiler-id,$$(clang))$$(nl)$$($1/$2/command)
$$(eval $$(call stamp,build/$1/$2/tree.flags,$1/$2/tree.flags))

build/$1/$2/runtime/%.o: pipeline/runtime/%.c build/$1/$2/tree.flags
	$$(quiet)mkdir -p $$(@D) && $$(clang) -std=c11 -O2 -c $$< -o $$@.tmp && mv $$@.tmp $$@

build/$1/$2/$1$(if $(filter %.profdata,$5),.built): build/$1/$2/tree.flags build/$1/tree.state $$($1/$2/runtime) $5 $(wildcard pipeline/tree/*) scripts/build_tree.py $(anew)
	$$(call say,BUILD,$1/$2)
	$$(quiet)flock $(if $(alone),--exclusive,--shared) $(lock) $$($1/$2/command) --jobs $(jobs) --alone $(if $(alone),1,0) --output $$@$(progress)
$(if $(filter %.profdata,$5),$(call tree-match-rules,$1,$2,$(filter %.profdata,$5)))
endef

# $(call tree-match-rules,APP,NAME,PROFILE): the binary is there when enough of the profile fits it.
define tree-match-rules
$(call stamp,build/$1/$2/least-match,MIN_PROFILE_MATCH)
build/$1/$2/profile-match.json: build/$1/$2/$1.built build/$1/$2/least-match
	$$(quiet)$$(python) scripts/match.py --profile $3 --objects build/$1/$2/obj --llvm-bin $$(llvm-bin) \
	    --least $$(call q,$$(MIN_PROFILE_MATCH)) --output $$@

build/$1/$2/$1: build/$1/$2/$1.built build/$1/$2/profile-match.json
	$$(quiet)cp $$< $$@.tmp && mv $$@.tmp $$@
endef

# $(call tree-stem,APP,VARIANT): the build of a variant. A relink finds what the first link left for it in kept/.
tree-stem = $(eval $(call tree-rules,$1,$2,$(call tree-cflags,$1,$2,$(call undashed,$2)),$(call \
    variant-flags,ldflags,$1,$2) $(subst ../kept,$(call q,$(CURDIR)/build/$1/$2/kept),$(call variant-flags,keep,$1,$2)),$(call \
    profile-files,$1,$(call profiled,$2),$2),$(call tree-level,$1,$2,$(call undashed,$2))))

# $(call tree-trained,APP,TECHNIQUE,VARIANT,NAME[,FILE OF THE FIRST PROFILE]): the build that is trained for TECHNIQUE.
tree-trained = $(eval $(call tree-rules,$1,$4,$(call tree-cflags,$1,$3,$(call trained-techniques,$2,$3)) $(call \
    key,$2,train-cflags,$3),$(call variant-flags,ldflags,$1,$3,$(call trained-techniques,$2,$3)) $(call \
    key,$2,train-ldflags,$3),$5,$(call tree-level,$1,$3,$(call trained-techniques,$2,$3)),--trained,$(call \
    key,$2,runtime,$3)))

# $(eval $(call tree-state-rules,APP))
define tree-state-rules
build/$1/tree.state: FORCE
	@$$(python) scripts/tree_state.py --tree $$(call q,$($1/tree)) --output $$@
endef
$(foreach a,$(app-names),$(if $($a/tree),$(eval $(call tree-state-rules,$a))))

# What works on single sources cannot be asked of another build.
whole-program = $(filter-out $(foreach t,$(call undashed,$1),$(if $(or $(filter gcc,$t),$(technique.$t.merge)),$t)),$(call undashed,$1))
$(foreach a,$(app-names),$(if $($a/tree),$(foreach v,$(variants),$(foreach t,$(firstword $(filter-out \
    $(call whole-program,$v),$(call undashed,$v))),$(call fail,'$t' in the variant '$v' cannot be done to $a: it has a build of its own,\
    did you mean '$(call nearest-variant,$(call dashed,$(call whole-program,$v)))'?)))))

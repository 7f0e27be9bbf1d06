# Compiles and links every binary of an app: its variants and the instrumented builds for training.
# Reads what apps.mk and variants.mk set. Makes, in build/APP/NAME/ (NAME a variant, or TECHNIQUE-train):
#   APP                          the binary
#   compile.flags link.flags     the exact commands and the compiler; a change rebuilds what they made
#   obj/                         objects; beside each its .d and its .cost
#   kept/                        native objects of an LTO link, from which relinks start
#   link.cost
# A .cost is `wall seconds, user seconds, system seconds, peak memory in KiB` of one command, and how
# many commands the build ran at once.
#
# Sources are compiled in the app's directory and objects linked in obj/, by relative names, so that
# no output depends on where the tree lies.

root := $(call q,$(CURDIR))

# Functions get sections of their own so that a relink can move them; LTO does this by itself.
common-cflags = -ffunction-sections -ffile-prefix-map=$(call q,$(abspath $($1/dir)))=.

# $(call timed,FILE): runs a command when no block is being timed, and writes what it cost to FILE.
timed = flock --shared $(lock) $(time) -q -o $1.cost -f '%e %U %S %M $(jobs)'

# $(call binary-rules,APP,NAME,TECHNIQUES' cflags,ldflags,PREREQUISITES,keep,relink,kept)
define binary-rules
$1/$2/objects := $(patsubst %.c,%.o,$($1/sources))
$1/$2/compile := $(clang) $($1/cflags) $(call common-cflags,$1) $3
$1/$2/link := $$($1/$2/compile) -fuse-ld=lld $4 $($1/ldflags)
$1/$2/relink := $$($1/$2/link) $7 $(or $8,$$($1/$2/objects)) $($1/ldlibs)
$1/$2/compile.flags = $$(toolchain-id)$$(nl)$$($1/$2/compile)
$1/$2/link.flags = $$(toolchain-id)$$(nl)$$($1/$2/link) $6 $$($1/$2/objects) $$($1/ldlibs)
$$(eval $$(call stamp,build/$1/$2/compile.flags,$1/$2/compile.flags))
$$(eval $$(call stamp,build/$1/$2/link.flags,$1/$2/link.flags))

$(addprefix build/$1/$2/obj/,$(patsubst %.c,%.o,$($1/sources))): build/$1/$2/obj/%.o: $($1/dir)/%.c build/$1/$2/compile.flags $5
	$$(call say,CC,$1/$2/$$*.o)
	$$(quiet)mkdir -p $$(@D) && cd $($1/dir) && \
	$$(call timed,$$(root)/$$(basename $$@)) $$($1/$2/compile) -MMD -MP -MT = -MF $$(root)/$$@.deps -c $$*.c -o $$(root)/$$@.tmp && \
	cd $$(root) && sed -E -i -e 's#(^| )([^ /\\=:][^ :]*)#\1$($1/dir)/\2#g' -e 's#^=#$$@#' $$@.deps && \
	mv $$@.deps $$(basename $$@).d && mv $$@.tmp $$@

build/$1/$2/$1: $(addprefix build/$1/$2/obj/,$(patsubst %.c,%.o,$($1/sources))) build/$1/$2/link.flags
	$$(call say,LD,$1/$2)
	$$(quiet)cd build/$1/$2/obj && rm -rf ../kept && mkdir ../kept && \
	$$(call timed,../link) $$($1/$2/link) $6 -o ../$1.tmp $$($1/$2/objects) $$($1/ldlibs) && mv ../$1.tmp ../$1

-include $(wildcard build/$1/$2/obj/*.d build/$1/$2/obj/*/*.d)
endef

# What a technique's flags call $(profile); set anew for each variant.
profile = $(call q,$(CURDIR)/$(profile-file))

# $(call variant-rules,APP,VARIANT)
variant-rules = $(eval profile-file := $(addprefix profiles/$1/,$(addsuffix .profdata,$(call \
    profile-technique,$2))))$(call binary-rules,$1,$2,$(call technique-flags,cflags,$2),$(call \
    technique-flags,ldflags,$2),$(profile-file),$(call technique-flags,keep,$2),$(call \
    technique-flags,relink,$2),$(call technique-flags,kept,$2))

# $(call train-binary-rules,APP,PROFILE TECHNIQUE)
train-binary-rules = $(call binary-rules,$1,$2-train,$(technique.$2.train-cflags),$(technique.$2.train-ldflags))

profile-techniques := $(sort $(foreach v,$(variants),$(call profile-technique,$v)))
$(foreach a,$(app-names),$(foreach v,$(variants),$(eval $(call variant-rules,$a,$v))))
$(foreach a,$(app-names),$(foreach t,$(profile-techniques),$(eval $(call train-binary-rules,$a,$t))))

variant-binaries := $(foreach a,$(app-names),$(foreach v,$(variants),build/$a/$v/$a))

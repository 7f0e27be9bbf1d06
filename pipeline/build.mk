# Compiles and links every binary of an app: its variants and the builds that are trained.
# Reads what apps.mk and variants.mk set. Makes, in build/APP/NAME/ (NAME a variant, or PROFILE-train):
#   APP                          the binary
#   compile.flags link.flags     the exact commands and the compiler; a change rebuilds what they made
#   obj/                         objects; beside each its .d, its .cost and its .messages
#   kept/                        native objects of an LTO link, from which relinks start
#   link.cost
#   profile-match.json           with a profile of Clang's: the share of its counts that was of use
#   parts                        of a variant: the directories and profiles that it was made from
# A .cost is `wall seconds, user seconds, system seconds, peak memory in KiB` of one command, and 1
# when it had the machine to itself, which is so in `make costs`.
#
# Sources are compiled in the app's directory and objects linked in obj/, by relative names, so that
# no output depends on where the tree lies. A variant with techniques for the link alone starts from
# the objects of the variant without them.

root := $(call q,$(CURDIR))

# Functions get sections of their own so that a relink can move them; LTO does this by itself.
common-cflags = -ffunction-sections -ffile-prefix-map=$(call q,$(abspath $($1/dir)))=.

# GCC names an object's counters by the directory of its dumps: /gcda, wherever the tree lies.
gcc-cflags = -dumpdir /gcda/$(dir $*) -dumpbase $(notdir $*).c -dumpbase-ext .c -frandom-seed=$*

# runtime/profile_flush.c stands in for these in the program's objects.
flush-ldflags := $(addprefix -Wl$(comma)--wrap=,_exit _Exit daemon execl execle execlp execv execve execvp execvpe \
    fexecve sigaction signal __sysv_signal)

# `make costs` compiles everything anew, one command at a time, with nothing of pgolab beside it.
alone := $(filter costs,$(goal))
anew := $(if $(alone),FORCE)

# $(call timed,FILE): runs a command when no block is being timed, and writes what it cost to FILE.
timed = flock $(if $(alone),--exclusive,--shared) $(lock) $(time) -q -o $1.cost -f '%e %U %S %M $(if $(alone),1,0)'

# $(call define-build,APP,NAME,VARIANT,CFLAGS,LDFLAGS,PREREQUISITES,RUNTIME): what compiling and linking NAME takes.
define define-build
$1/$2/compiler := $(if $(filter gcc,$(call undashed,$3)),$(gcc),$(clang))
$1/$2/linker := $(if $(filter gcc,$(call undashed,$3)),-B$(llvm-bin) )-fuse-ld=lld
$1/$2/per-file = $(if $(filter gcc,$(call undashed,$3)),$$(gcc-cflags))
$1/$2/units := $(if $(call variant-flags,merge,$1,$3),one-module,$(patsubst %.c,%,$($1/sources)))
$1/$2/runtime := $(addprefix ../runtime/,$(addsuffix .o,$7))
$1/$2/objects = $$(addsuffix .o,$$($1/$2/units)) $$($1/$2/runtime)
$1/$2/compile := $$($1/$2/compiler) $($1/cflags) $(call common-cflags,$1) $4
$1/$2/link := $$($1/$2/compile) $$($1/$2/linker) $5 $($1/ldflags)
$1/$2/needs := $6
endef

# $(call define-relink,APP,NAME,VARIANT): how its objects are linked, the first time and again.
define define-relink
$1/$2/prelink := $(call variant-flags,prelink,$1,$3)
$1/$2/relink := $$($1/$2/link) $(call variant-flags,relink,$1,$3) $(or $(call \
    variant-flags,kept,$1,$3),$$($1/$2/objects)) $($1/ldlibs)
$1/$2/first-link := $$(if $$($1/$2/prelink),$$($1/$2/relink),$$($1/$2/link) $(call \
    variant-flags,keep,$1,$3) $$($1/$2/objects) $($1/ldlibs))
endef

# $(eval $(call flag-rules,APP,NAME)): the stamps of its commands.
define flag-rules
$1/$2/compile.flags = $$(call compiler-id,$$($1/$2/compiler))$$(nl)$$($1/$2/compile)
$1/$2/link.flags = $$(call compiler-id,$$($1/$2/compiler))$$(nl)$$($1/$2/prelink)$$(nl)$$($1/$2/first-link)
$$(eval $$(call stamp,build/$1/$2/compile.flags,$1/$2/compile.flags))
$$(eval $$(call stamp,build/$1/$2/link.flags,$1/$2/link.flags))
endef

# $(call compile-command,APP,NAME,EXTRA FLAGS): compiles $*.c of the app to $@ and notes what it reads.
define compile-command
	$$(quiet)mkdir -p $$(@D) && cd $($1/dir) && \
	$$(call timed,$$(root)/$$(basename $$@)) $$(root)/scripts/compile $$(root)/$$(basename $$@).messages \
	    $$($1/$2/compile) $3 $$($1/$2/per-file) -MMD -MP -MT = -MF $$(root)/$$@.deps -c $$*.c -o $$(root)/$$@.tmp && \
	cd $$(root) && sed -E -i -e 's#(^| )([^ /\\=:][^ :]*)#\1$($1/dir)/\2#g' -e 's#^=#$$@#' $$@.deps && \
	mv $$@.deps $$(basename $$@).d && mv $$@.tmp $$@
endef

# $(eval $(call object-rules,APP,NAME)): from sources to objects.
define object-rules
$(addprefix build/$1/$2/obj/,$(patsubst %.c,%.o,$($1/sources))): build/$1/$2/obj/%.o: $($1/dir)/%.c build/$1/$2/compile.flags $($1/$2/needs) $(anew)
	$$(call say,CC,$1/$2/$$*.o)
$(call compile-command,$1,$2)

-include $(wildcard build/$1/$2/obj/*.d build/$1/$2/obj/*/*.d)
endef

# $(eval $(call merged-object-rules,APP,NAME)): from sources by way of modules to one object.
define merged-object-rules
$(addprefix build/$1/$2/obj/,$(patsubst %.c,%.bc,$($1/sources))): build/$1/$2/obj/%.bc: $($1/dir)/%.c build/$1/$2/compile.flags $($1/$2/needs) $(anew)
	$$(call say,CC,$1/$2/$$*.bc)
$(call compile-command,$1,$2,-emit-llvm -Xclang -disable-llvm-passes)

build/$1/$2/obj/one-module.o: $(addprefix build/$1/$2/obj/,$(patsubst %.c,%.bc,$($1/sources)))
	$$(call say,CC,$1/$2/one-module.o)
	$$(quiet)cd $$(@D) && $(llvm-bin)/llvm-link -o module.tmp $(patsubst %.c,%.bc,$($1/sources)) && mv module.tmp one-module.ir && \
	$$(call timed,one-module) $$(root)/scripts/compile one-module.messages \
	    $$($1/$2/compile) -Wno-unused-command-line-argument -x ir -c one-module.ir -o one-module.tmp && mv one-module.tmp one-module.o

-include $(wildcard build/$1/$2/obj/*.d build/$1/$2/obj/*/*.d)
endef

# $(call match-rules,APP,NAME,PROFILE): how well a profile of Clang's fits what was compiled with it.
define match-rules
$(call stamp,build/$1/$2/least-match,MIN_PROFILE_MATCH)
build/$1/$2/profile-match.json: $(addprefix build/$1/$2/obj/,$(addsuffix .o,$($1/$2/units))) build/$1/$2/least-match
	$$(quiet)$$(python) scripts/match.py --profile $3 --objects build/$1/$2/obj --llvm-bin $$(llvm-bin) \
	    --least $$(call q,$$(MIN_PROFILE_MATCH)) --output $$@
endef

# $(eval $(call binary-rules,APP,NAME)): from objects to the binary.
define binary-rules
build/$1/$2/runtime/%.o: pipeline/runtime/%.c build/$1/$2/compile.flags
	$$(quiet)mkdir -p $$(@D) && $$($1/$2/compiler) -std=c11 -O2 -c $$< -o $$@.tmp && mv $$@.tmp $$@

$(if $(filter %.profdata,$($1/$2/needs)),$(call match-rules,$1,$2,$(filter %.profdata,$($1/$2/needs))))

build/$1/$2/$1: $(patsubst build/$1/$2/obj/../%,build/$1/$2/%,$(addprefix build/$1/$2/obj/,$($1/$2/objects))) build/$1/$2/link.flags \
    $(if $(filter %.profdata,$($1/$2/needs)),build/$1/$2/profile-match.json)
	$$(call say,LD,$1/$2)
	$$(quiet)cd build/$1/$2/obj && rm -rf ../kept && mkdir ../kept && \
	$(if $($1/$2/prelink),$$(call timed,../prelink) $$($1/$2/compile) $$($1/$2/prelink) $$($1/$2/objects) $($1/ldlibs) && \
	)$$(call timed,../link) $$($1/$2/first-link) -o ../$1.tmp && mv ../$1.tmp ../$1
endef

# $(eval $(call linked-rules,APP,NAME,STEM,LDFLAGS,PREREQUISITES)): the objects of STEM, linked with other flags.
define linked-rules
$1/$2/compiler := $($1/$3/compiler)
$1/$2/objects-of := $3
$1/$2/relink := $($1/$3/relink) $4
$1/$2/first-link := $($1/$3/relink) $4
$(call flag-rules,$1,$2)

build/$1/$2/$1: build/$1/$3/$1 build/$1/$2/link.flags $5
	$$(call say,LD,$1/$2)
	$$(quiet)cd build/$1/$3/obj && \
	$$(call timed,../../$2/link) $$($1/$2/first-link) -o ../../$2/$1.tmp && mv ../../$2/$1.tmp ../../$2/$1
endef

# $(eval $(call post-rules,APP,VARIANT,TECHNIQUE)): what TECHNIQUE makes of the build that is trained for it.
define post-rules
$1/$2/objects-of := $($1/$2-train/objects-of)
$1/$2/relink := $($1/$2-train/relink)
$1/$2/post := $(python) $(call key,$3,post,$2) --profile $(call profile-file,$1,$3,$2)

build/$1/$2/$1: build/$1/$2-train/$1 $(call profile-file,$1,$3,$2) $(firstword $(call key,$3,post,$2))
	$$(call say,POST,$1/$2)
	$$(quiet)mkdir -p $$(@D) && $$(call timed,$$(@D)/post) $$($1/$2/post) --input $$< --output $$@
endef

post-technique = $(call in-group,post-link,$(call undashed,$1))
ordering = $(call in-group,function-order,$(call undashed,$1))
profile-files = $(foreach t,$2,$(call profile-file,$1,$t,$3))

# What a variant was made from, for the sum of what it cost.
listed = $(subst $(space),$(comma) ,$(patsubst %,"%",$1))
parts-text = {"builds": [$(call listed,$1)], "profiles": [$(call listed,$(call profile-names,$2))]}

# $(call compiled-build,APP,NAME): its rules, from sources to the binary.
compiled-build = $(eval $(call flag-rules,$1,$2))$(eval $(call $(if $(filter one-module,$($1/$2/units)),merged-)object-rules,$1,$2))$(eval \
    $(call binary-rules,$1,$2))

# $(call stem-build,APP,VARIANT): the build of a variant that has objects of its own.
stem-build = $(if $($1/tree),$(tree-stem),$(own-stem))
define own-stem
$(eval $(call define-build,$1,$2,$2,$(call variant-flags,cflags,$1,$2),$(call variant-flags,ldflags,$1,$2),$(call \
    profile-files,$1,$(call profiled,$2),$2)))
$(eval $(call define-relink,$1,$2,$2))
$(eval $1/$2/objects-of := $2)
$(call compiled-build,$1,$2)
endef

# $(call variant-build,APP,VARIANT): the build of any variant, after that of its stem.
define variant-build
$(eval $1/$2/parts := $(call parts-text,$(call stem,$2) $(filter-out $(call stem,$2),$2),$2))
$(eval $(call stamp,build/$1/$2/parts,$1/$2/parts))
$(if $(call post-technique,$2),$(eval $(call post-rules,$1,$2,$(call post-technique,$2))),$(if $(call same,$2,$(call stem,$2)),,\
    $(eval $(call linked-rules,$1,$2,$(call stem,$2),$(call variant-flags,ldflags,$1,$2,$(call ordering,$2)),$(call \
    profile-files,$1,$(call ordering,$2),$2)))))
endef

# $(call trained-build,APP,TECHNIQUE,VARIANT,ITS NAME[,FILE OF THE FIRST PROFILE]): the build that is
# trained for TECHNIQUE in VARIANT.
define trained-build
$(eval first-profile := $(if $5,$(call q,$(CURDIR)/$5)))
$(eval threads-cflags := $(if $($1/threads),-fprofile-update=atomic))
$(if $(call key,$2,train-cflags,$3),$(if $($1/tree),$(tree-trained),
    $(eval $(call define-build,$1,$4,$3,\
        $(call variant-flags,cflags,$1,$3,$(call trained-techniques,$2,$3)) $(call key,$2,train-cflags,$3),\
        $(call variant-flags,ldflags,$1,$3,$(call trained-techniques,$2,$3)) $(call key,$2,train-ldflags,$3),\
        $5,$(call key,$2,runtime,$3)))
    $(eval $(call define-relink,$1,$4,o2))
    $(call compiled-build,$1,$4)),
    $(eval $(call linked-rules,$1,$4,$(call stem,$3),\
        $(call variant-flags,ldflags,$1,$3,$(call ordering,$3)) $(call key,$2,train-ldflags,$3),\
        $(call profile-files,$1,$(call ordering,$3),$3))))
endef

# Each app's builds: first those that have objects, then what is trained, then the variants.
$(foreach a,$(app-names),\
    $(foreach s,$(call unique,$(foreach v,$(variants),$(call stem,$v))),$(if $(strip $(call stem-build,$a,$s)),))\
    $(foreach v,$(variants),$(foreach t,$(call trained,$v),\
        $(if $($a/$(call profile-name,$t,$v)-train/compiler),,$(if $(strip $(call trained-build,$a,$t,$v,$(call \
            profile-name,$t,$v)-train,$(call profile-files,$a,$(call key,$t,after,$v),$v))),))))\
    $(foreach v,$(variants),$(if $(strip $(call variant-build,$a,$v)),)))

variant-binaries := $(foreach a,$(app-names),$(foreach v,$(variants),build/$a/$v/$a))

# Loads and checks the manifests of the apps.
# Reads apps (each a directory of sample-apps/, or a path with a slash in it) and their app.mk.
# PGOLAB_TREE in the environment takes the place of app.tree: `make compare` builds revisions of it.
# Sets app-names and, for each of them, NAME/dir, NAME/about, NAME/sources, NAME/cflags, NAME/ldflags,
# NAME/ldlibs, NAME/threads, NAME/train-names, NAME/eval-names and NAME/manifest/{app,train,eval}: lines `key = value`
# that train.mk writes to files for the scripts.

app-names :=
app-dir = $(if $(findstring /,$1),$(patsubst %/,%,$1),sample-apps/$1)
app-keys := about sources cflags ldflags ldlibs generate overlap threads tree build binary level normalize
workload-keys := weight output work input env dir setup cleanup

# $(call known-key,VARIABLE): not empty when it may stand in a manifest.
known-key = $(or $(filter $(addprefix app.,$(app-keys) dir inputs),$1),\
    $(and $(filter train.% eval.%,$1),$(call known-workload-key,$(subst ., ,$1))))
known-workload-key = $(if $(word 4,$1),,$(if $(word 3,$1),$(filter $(filter-out \
    $(if $(filter train,$(firstword $1)),work output,weight),$(workload-keys)),$(word 3,$1)),$(word 2,$1)))

# The names that an unknown key is compared with: every key, and this workload's own.
candidate-keys = $(addprefix app.,$(app-keys)) $(if $(filter train.% eval.%,$1),$(addprefix \
    $(basename $1).,$(filter-out $(if $(filter train.%,$1),work output,weight),$(workload-keys))))

# $(call workload-names,KIND,VARIABLES): the names of the train or eval workloads among them.
workload-names = $(sort $(foreach v,$(filter $1.%,$2),$(word 2,$(subst ., ,$v))))

# Commands run in a scratch directory in which `app` is the app's directory, `inputs` its inputs.
command-text = $(strip $(subst $(dir)/,app/,$($1)))

manifest-line = $(if $($2),$1 = $(call command-text,$2)$(nl))
define manifest-app
name = $(name)
dir = $(dir)
$(if $($(name)/sources),sources = $($(name)/sources)$(nl))$(if $($(name)/cflags),cflags = $($(name)/cflags)$(nl))$(if $($(name)/tree),tree = $($(name)/tree)$(nl)build = $($(name)/build-text)$(nl))$(call manifest-line,about,app.about)$(call manifest-line,generate,app.generate)$(call manifest-line,overlap,app.overlap)$(call manifest-line,normalize,app.normalize)
endef
# What a profile is taken from, beside the sources.
taken-from = $($1/cflags)$($1/build-text)$(nl)$($1/manifest/train)
manifest-workloads = $(foreach w,$(call workload-names,$1,$(set-here)),$(call manifest-line,$w.command,$1.$w)$(foreach \
    k,$(workload-keys),$(call manifest-line,$w.$k,$1.$w.$k)))

odd-characters := ' " ` $$ \ % : ; ( ) [ ] { } < > & | * ? ! $(hash) = ~ $(comma)

# The directories beside a binary, which has the app's name.
taken-names := callgrind kept layouts lib notes obj outputs raw runtime tools tree work

define check-app-name
$(if $(filter $(taken-names),$(notdir $(call app-dir,$1))),\
$(call fail,an app cannot be named '$(notdir $(call app-dir,$1))',pgolab makes a directory of this name beside its binary: rename $(call app-dir,$1)))
$(if $(strip $(foreach c,$(odd-characters),$(findstring $c,$1))),\
$(call fail,the app '$1' has a character in its path that Make cannot handle,move it to a path of letters$(comma) digits and . _ + - /))
$(if $(wildcard $(call app-dir,$1)/app.mk),,$(if $(findstring /,$1),\
$(call fail,there is no '$(call app-dir,$1)/app.mk',APP= is a name of sample-apps/ or the path of a directory with an app.mk),\
$(call fail,no app named '$1' in sample-apps/,$(call nearest,$1,$(sample-apps)))))
endef

define check-manifest
$(foreach v,$(set-here),$(if $(call known-key,$v),,$(call fail,\
unknown key '$v' in $(dir)/app.mk,$(call nearest,$v,$(call candidate-keys,$v)))))
$(foreach k,about $(if $(app.tree),build binary,sources),$(if $(strip $(app.$k)),,$(call fail,\
'app.$k' is missing in $(dir)/app.mk,see docs/manifest.md for what a manifest says)))
$(foreach k,sources cflags ldflags ldlibs,$(if $(and $(app.tree),$(app.$k)),$(call fail,\
'app.$k' and 'app.tree' are both set in $(dir)/app.mk,a program with a build of its own says there what it needs)))
$(foreach k,build binary level,$(if $(app.tree),,$(if $(app.$k),$(call fail,\
'app.$k' is set in $(dir)/app.mk and 'app.tree' is not,it belongs to a program with a build of its own: set app.tree too))))
$(if $(filter-out keep,$(app.level)),$(call fail,app.level is '$(app.level)' in $(dir)/app.mk,it can be keep))
$(foreach v,$(set-here),$(if $(findstring $(nl),$($v)),$(call fail,'$v' in $(dir)/app.mk has more than one line,write it in one line)))
$(foreach s,$(app.sources),$(if $(filter $(dir)/%.c,$s),$(if $(wildcard $s),,\
$(call fail,the source '$s' of $(name) does not exist,see app.sources in $(dir)/app.mk)),\
$(call fail,the source '$s' of $(name) is not a C file in $(dir)/,app.sources names .c files below $$(app.dir))))
$(foreach k,train eval,$(foreach w,$(call workload-names,$k,$(set-here)),$(if $(strip $($k.$w)),,\
$(call fail,'$k.$w' in $(dir)/app.mk has no command,give one: $k.$w = $$(BIN) …))))
$(if $(call workload-names,eval,$(set-here)),,$(call fail,\
$(name) has no eval workload in $(dir)/app.mk,add one: eval.NAME = $$(BIN) …))
endef

# What the scripts fill in when a command runs.
BIN := @BIN@
SCALE := @SCALE@
override PYTHON := @PYTHON@
SERVE := @SERVE@

# What app.build may call: variables of the shell that runs it, and ready commands.
tools := CC CXX AR RANLIB NM CFLAGS CXXFLAGS LDFLAGS
$(foreach v,$(tools),$(eval $v := "$$$$$v"))
changed-tools = $(foreach v,$(tools),$(if $(call same,$($v),"$$$v"),,$v))
# Makefiles say AR as `ar` or as `ar rc`: the stand-ins for ar and ranlib on PATH serve both.
make-build := make -j"$$JOBS" CC="$$CC" CXX="$$CXX"
cmake-build := cmake -S . -B build-pgolab -DCMAKE_BUILD_TYPE=Release -DCMAKE_AR="$$AR" -DCMAKE_RANLIB="$$RANLIB" && \
    cmake --build build-pgolab -j "$$JOBS"
meson-build := meson setup build-pgolab --buildtype=release && meson compile -C build-pgolab -j "$$JOBS"
autotools-build := { test -x configure || autoreconf -fi; } && ./configure --disable-shared && $(make-build)

# $(call load-app,APP): includes its manifest and keeps what it says under NAME/…
define load-app
dir := $(call app-dir,$1)
name := $(notdir $(call app-dir,$1))
app.dir := $(call app-dir,$1)
app.inputs := inputs
before := $$(.VARIABLES)
include $(call app-dir,$1)/app.mk
set-here := $$(filter-out $$(before) before set-here,$$(.VARIABLES)) $$(changed-tools)
$$(eval $$(value keep-app))
endef

define keep-app
$(if $(strip $(check-manifest)),)
$(if $(filter $(name),$(app-names)),$(call fail,there are two apps named '$(name)',give one at a time))
app-names += $(name)
$(name)/dir := $(dir)
$(name)/sources := $(patsubst $(dir)/%,%,$(sort $(app.sources)))
$(name)/cflags := $(app.cflags)
$(name)/ldflags := $(app.ldflags)
$(name)/ldlibs := $(app.ldlibs)
$(name)/tree := $(if $(app.tree),$(or $(PGOLAB_TREE),$(if $(filter /%,$(app.tree)),$(app.tree),$(dir)/$(patsubst $(dir)/%,%,$(app.tree)))))
$(name)/binary := $(app.binary)
$(name)/build-text := $(strip $(if $(app.tree),$(call command-text,app.build) $(app.binary) $(app.level)))
app.dir := $(if $(filter /%,$(dir)),,$(CURDIR)/)$(dir)
$(name)/build := $(app.build)
$(name)/level := $(app.level)
$(name)/about := $(app.about)
$(name)/threads := $(filter yes,$(app.threads))
$(name)/train-names := $(call workload-names,train,$(set-here))
$(name)/eval-names := $(call workload-names,eval,$(set-here))
app.dir := app
$(name)/manifest/app := $(manifest-app)
$(name)/manifest/train := $(call manifest-workloads,train)
$(name)/manifest/eval := $(call manifest-workloads,eval)
$(foreach v,$(set-here),$(eval undefine $v))
endef

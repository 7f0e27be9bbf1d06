# Functions that the other files share. Reads no variable, makes nothing.

empty :=
space := $(empty) $(empty)
comma := ,
hash := \#
define nl


endef

# $(call q,TEXT): TEXT as one word for the shell.
q = '$(subst ','\'',$1)'

# $(call same,A,B): not empty when the two texts are equal.
same = $(if $(subst x$1,,x$2)$(subst x$2,,x$1),,yes)

# $(call unique,WORDS): each once, where it first stands.
unique = $(if $1,$(strip $(firstword $1) $(call unique,$(filter-out $(firstword $1),$1))))

# $(call chomp,TEXT): without its last newline, which $(file <…) sometimes keeps.
chomp = $(subst $(nl)|end|,|end|,$1|end|)

# $(call fail,WHAT,HINT): ends make with pgolab's two lines on standard error.
fail = $(shell printf '%s\n' $(call q,pgolab: $(strip $1)) $(call q,hint: $(strip $2)) >&2)$(error nothing was done)

# $(call nearest,NAME,KNOWN): "did you mean …", or the names there are.
nearest = $(or $(patsubst %,did you mean '%'?,$(shell $(python) scripts/suggest.py $(call q,$1) $2)), \
    the valid ones are: $(sort $2))

# $(call find-program,NAME): its path, by PATH, without starting a process.
find-program = $(firstword $(wildcard $(addsuffix /$1,$(subst :, ,$(PATH)))))

# $(call need,PROGRAM): its path; fails when it is not installed.
need = $(or $(call find-program,$1),$(call fail,'$1' is not installed,run ./scripts/setup))

# $(call stamp,FILE,VARIABLE): a rule for FILE, which holds the text of VARIABLE and is rewritten
# only when that differs, so that what depends on FILE is made again exactly then.
define stamp
$1: $(if $(call same,$(call chomp,$(file <$1)),$(call chomp,$($2))),,FORCE)
	$$(if $$(shell mkdir -p $$(@D)),)$$(file >$$@.tmp,$$($2))@mv $$@.tmp $$@
endef

# Where progress goes: the standard output of `make recipe` and `make prove` is what they are for.
progress = $(if $(filter recipe prove,$(goal)), >&2)

# $(call say,VERB,WHAT): the short line that stands for a command; V=1 shows the command instead.
say = @$(if $(V),:,printf '  %-8s %s\n' $1 $2$(progress))

# Starts a command line that V=1 shows.
quiet := $(if $(V),,@)

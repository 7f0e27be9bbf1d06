technique.native.group      := modifier
technique.native.help       := for this machine's processor, -march=native; has a profile of its own
technique.native.cflags     := -march=native
technique.native.gcc-cflags := $(technique.native.cflags)
technique.native.trained    := yes

technique.o2.group      := level
technique.o2.help       := -O2: what most programs ship with, and the usual baseline
technique.o2.cflags     := -O2
technique.o2.gcc-cflags := $(technique.o2.cflags)

# Before counters are placed, -O3 splits call sites that -O2 leaves alone.
technique.o3.group      := level
technique.o3.help       := -O3: more inlining and loop transformations, larger code
technique.o3.cflags     := -O3
technique.o3.gcc-cflags := $(technique.o3.cflags)
technique.o3.trained    := yes

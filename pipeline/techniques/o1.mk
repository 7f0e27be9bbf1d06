technique.o1.group      := level
technique.o1.help       := -O1: little optimization, quick to compile
technique.o1.cflags     := -O1
technique.o1.gcc-cflags := $(technique.o1.cflags)

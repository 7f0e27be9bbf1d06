# Before counters are placed, -O2 inlines larger functions than -Os.
technique.os.group      := level
technique.os.help       := -Os: as -O2, but for size
technique.os.cflags     := -Os
technique.os.gcc-cflags := $(technique.os.cflags)
technique.os.trained    := yes

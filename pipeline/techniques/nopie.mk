technique.nopie.group       := modifier
technique.nopie.help        := not position-independent: cheaper addresses, and BOLT reaches every function
technique.nopie.cflags      := -fno-pie
technique.nopie.ldflags     := -no-pie
technique.nopie.gcc-cflags  := $(technique.nopie.cflags)
technique.nopie.gcc-ldflags := $(technique.nopie.ldflags)

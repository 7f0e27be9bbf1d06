technique.full.group  := link
technique.full.help   := full LTO: the whole program optimized as one module
technique.full.cflags := -flto=full
technique.full.keep   := -Wl,--lto-obj-path=../kept/whole.o
technique.full.kept   := ../kept/whole.o

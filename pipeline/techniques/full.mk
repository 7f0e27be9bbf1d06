technique.full.group  := link
technique.full.help   := full LTO: the whole program optimized as one module
technique.full.cflags := -flto=full
technique.full.keep   := -Wl,--lto-obj-path=../kept/whole.o
technique.full.kept   := ../kept/whole.o
# lld cannot read GCC's LTO objects: GNU ld lets GCC optimize them, and what it made is linked by lld.
technique.full.gcc-cflags  := -flto -flto-partition=one
technique.full.gcc-prelink := -save-temps=obj -o ../kept/whole
technique.full.gcc-kept    := ../kept/whole.ltrans0.ltrans.s

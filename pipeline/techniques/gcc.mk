technique.gcc.group      := compiler
technique.gcc.help       := compiled by GCC, for comparison; takes levels, native, nopie, pgo and full
technique.gcc.gcc-cflags :=
technique.gcc.needs      := gcc
technique.gcc.trained    := yes

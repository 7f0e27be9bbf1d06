technique.inline100.group   := inlining
technique.inline100.help    := less inlining: threshold 100 where -O2 has 225
technique.inline100.cflags  := -Xclang -mllvm -Xclang -inline-threshold=100
technique.inline100.ldflags := -Wl,-mllvm,-inline-threshold=100

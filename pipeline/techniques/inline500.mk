technique.inline500.group   := inlining
technique.inline500.help    := more inlining: threshold 500 where -O2 has 225
technique.inline500.cflags  := -Xclang -mllvm -Xclang -inline-threshold=500
technique.inline500.ldflags := -Wl,-mllvm,-inline-threshold=500

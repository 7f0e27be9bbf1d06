technique.from2full.group         := profile
technique.from2full.help          := PGO with a profile taken at -O2 with -flto=full
technique.from2full.cflags         = -fprofile-use=$(profile)
technique.from2full.profile       := profdata
technique.from2full.trainer       := scripts/train.py --llvm-bin $(llvm-bin)
technique.from2full.train-cflags  := -O2 -flto=full -fprofile-generate
technique.from2full.train-ldflags := -Wl,--build-id=none

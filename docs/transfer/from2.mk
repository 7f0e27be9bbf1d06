technique.from2.group         := profile
technique.from2.help          := PGO with a profile taken at -O2
technique.from2.cflags         = -fprofile-use=$(profile)
technique.from2.profile       := profdata
technique.from2.trainer       := scripts/train.py --llvm-bin $(llvm-bin)
technique.from2.train-cflags  := -O2 -fprofile-generate
technique.from2.train-ldflags := -Wl,--build-id=none

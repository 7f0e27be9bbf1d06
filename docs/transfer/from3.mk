technique.from3.group         := profile
technique.from3.help          := PGO with a profile taken at -O3
technique.from3.cflags         = -fprofile-use=$(profile)
technique.from3.profile       := profdata
technique.from3.trainer       := scripts/train.py --llvm-bin $(llvm-bin)
technique.from3.train-cflags  := -O3 -fprofile-generate
technique.from3.train-ldflags := -Wl,--build-id=none

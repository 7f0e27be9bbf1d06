technique.from3full.group         := profile
technique.from3full.help          := PGO with a profile taken at -O3 with -flto=full
technique.from3full.cflags         = -fprofile-use=$(profile)
technique.from3full.profile       := profdata
technique.from3full.trainer       := scripts/train.py --llvm-bin $(llvm-bin)
technique.from3full.train-cflags  := -O3 -flto=full -fprofile-generate
technique.from3full.train-ldflags := -Wl,--build-id=none

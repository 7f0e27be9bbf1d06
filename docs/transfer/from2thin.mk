technique.from2thin.group         := profile
technique.from2thin.help          := PGO with a profile taken at -O2 with -flto=thin
technique.from2thin.cflags         = -fprofile-use=$(profile)
technique.from2thin.profile       := profdata
technique.from2thin.trainer       := scripts/train.py --llvm-bin $(llvm-bin)
technique.from2thin.train-cflags  := -O2 -flto=thin -fprofile-generate
technique.from2thin.train-ldflags := -Wl,--build-id=none

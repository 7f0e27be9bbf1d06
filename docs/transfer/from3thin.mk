technique.from3thin.group         := profile
technique.from3thin.help          := PGO with a profile taken at -O3 with -flto=thin
technique.from3thin.cflags         = -fprofile-use=$(profile)
technique.from3thin.profile       := profdata
technique.from3thin.trainer       := scripts/train.py --llvm-bin $(llvm-bin)
technique.from3thin.train-cflags  := -O3 -flto=thin -fprofile-generate
technique.from3thin.train-ldflags := -Wl,--build-id=none

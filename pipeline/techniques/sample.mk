# The build that is sampled is not position-independent, so that every function can be counted.
technique.sample.group         := profile
technique.sample.help          := sample-based PGO (AutoFDO), as from a program in production
technique.sample.needs         := llvm-bolt llvm-profgen
technique.sample.cflags         = -fprofile-sample-use=$(profile) -g1 -fpseudo-probe-for-profiling -funique-internal-linkage-names
technique.sample.profile       := prof
technique.sample.trainer       := scripts/sample_train.py --llvm-bin $(llvm-bin)
technique.sample.train-cflags  := -g1 -fpseudo-probe-for-profiling -funique-internal-linkage-names -fno-pie
technique.sample.train-ldflags := -no-pie -Wl,--emit-relocs -Wl,--build-id=none

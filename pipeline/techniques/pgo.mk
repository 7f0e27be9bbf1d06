# IR instrumentation. The profile is taken without LTO, once for a level: the counters are placed
# before the passes in which the LTO modes differ, so it matches each of them.
technique.pgo.group         := profile
technique.pgo.help          := profile-guided optimization, from an instrumented run of the train workloads
technique.pgo.cflags         = -fprofile-use=$(profile)
technique.pgo.profile       := profdata
technique.pgo.trainer       := scripts/train.py --llvm-bin $(llvm-bin)
technique.pgo.runtime       := profile_flush
technique.pgo.train-cflags   = -fprofile-generate $(threads-cflags)
# A profile names the binaries it came from by build ID: without one it depends on the code alone.
technique.pgo.train-ldflags  = -Wl,--build-id=none $(flush-ldflags)

# GCC looks for the counters of an object under the name that its dumps would have.
technique.pgo.gcc-cflags        = -fprofile-use=$(patsubst %.sum',%',$(profile))
technique.pgo.gcc-profile      := gcda.sum
technique.pgo.gcc-trainer      := scripts/train_gcc.py
technique.pgo.gcc-train-cflags  = -fprofile-generate $(threads-cflags)

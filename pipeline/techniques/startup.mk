technique.startup.group         := function-order
technique.startup.help          := functions ordered by when the train workloads first call them, to start quickly
technique.startup.ldflags        = -Wl,--irpgo-profile=$(profile) -Wl,--bp-startup-sort=function
technique.startup.profile       := profdata
technique.startup.trainer       := scripts/train.py --llvm-bin $(llvm-bin)
technique.startup.runtime       := profile_flush
technique.startup.train-cflags   = -fprofile-generate -ftemporal-profile $(threads-cflags)
technique.startup.train-ldflags  = -Wl,--build-id=none $(flush-ldflags)

# Counters are placed once more, after inlining, so that a function has one profile for each place
# that it was inlined into. What was inlined depends on level and link mode: training is repeated in
# those of the variant. The second profile holds the first.
technique.cspgo.group         := profile
technique.cspgo.help          := context-sensitive PGO: trained a second time, after inlining by the first profile
technique.cspgo.cflags         = -fprofile-use=$(profile)
technique.cspgo.profile       := profdata
technique.cspgo.trainer       := scripts/train.py --llvm-bin $(llvm-bin)
technique.cspgo.after         := pgo
technique.cspgo.train-groups  := level link
technique.cspgo.runtime       := profile_flush
technique.cspgo.train-cflags   = -fprofile-use=$(first-profile) -fcs-profile-generate $(threads-cflags)
technique.cspgo.train-ldflags  = -Wl,--build-id=none $(flush-ldflags)

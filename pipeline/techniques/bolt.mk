technique.bolt.group         := post-link
technique.bolt.help          := code laid out anew in the linked binary by LLVM's BOLT, from a run of it
technique.bolt.needs         := llvm-bolt
technique.bolt.post          := scripts/bolt.py --llvm-bin $(llvm-bin)
technique.bolt.profile       := fdata
technique.bolt.trainer       := scripts/bolt_train.py --llvm-bin $(llvm-bin)
technique.bolt.train-groups  := $(groups)
technique.bolt.train-ldflags := -Wl,--emit-relocs

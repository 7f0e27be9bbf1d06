# nbody: numeric loops with little to decide and nothing to inline: a control, on which PGO and LTO
# should change about nothing. Everything fits a second-level cache of 512 KiB.

app.about   := Numeric kernels: n-body, stencil relaxation, matrix product
app.sources := $(wildcard $(app.dir)/*.c)
# No contraction of a * b + c: the results are the same to the last bit in every build.
app.cflags  := -std=c11 -ffp-contract=off -fno-math-errno
app.ldlibs  := -lm

train.bodies  = $(BIN) bodies --size 90 --steps 250 --seed 11 --repeat $(SCALE)
train.stencil = $(BIN) stencil --size 70 --steps 2000 --seed 12 --repeat $(SCALE)
train.matrix  = $(BIN) matrix --size 76 --steps 100 --seed 13 --repeat $(SCALE)

eval.cluster      = $(BIN) bodies --size 140 --steps 120 --seed 21 --repeat $(SCALE)
eval.cluster.work = 2352000 interactions
eval.plate        = $(BIN) stencil --size 110 --steps 900 --seed 22 --repeat $(SCALE)
eval.plate.work   = 10890000 points
eval.chain        = $(BIN) matrix --size 100 --steps 45 --seed 23 --repeat $(SCALE)
eval.chain.work   = 45000000 products

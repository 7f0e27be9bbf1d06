# app.mk - Lox, a dynamic language with classes and closures: bytecode compiler and machine.

app.about   := Lox interpreter: bytecode compiler, stack machine, garbage collector
app.sources := $(wildcard $(app.dir)/*.c)
app.cflags  := -std=c11

train.recursion = $(BIN) --repeat $(SCALE) $(app.dir)/workloads/train/recursion.lox
train.strings   = $(BIN) --repeat $(SCALE) $(app.dir)/workloads/train/strings.lox
train.shapes    = $(BIN) --repeat $(SCALE) $(app.dir)/workloads/train/shapes.lox
train.closures  = $(BIN) --repeat $(SCALE) $(app.dir)/workloads/train/closures.lox
train.sorting   = $(BIN) --repeat $(SCALE) $(app.dir)/workloads/train/sorting.lox

eval.queens           = $(BIN) --repeat $(SCALE) $(app.dir)/workloads/eval/queens.lox
eval.queens.work      = 20478 queens tried
eval.interpreter      = $(BIN) --repeat $(SCALE) $(app.dir)/workloads/eval/interpreter.lox
eval.life             = $(BIN) --repeat $(SCALE) $(app.dir)/workloads/eval/life.lox
eval.simulation       = $(BIN) --repeat $(SCALE) $(app.dir)/workloads/eval/simulation.lox
eval.trees            = $(BIN) --repeat $(SCALE) $(app.dir)/workloads/eval/trees.lox

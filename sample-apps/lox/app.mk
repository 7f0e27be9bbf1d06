# Lox: the interpreter's dispatch loop, with calls, tables and memory in other files. A workload is
# a script, run in a new machine each time.

app.about   := Lox interpreter: bytecode compiler, stack machine, garbage collector
app.sources := $(wildcard $(app.dir)/*.c)
app.cflags  := -std=c11

train.recursion = $(BIN) --repeat $(SCALE) $(app.dir)/workloads/train/recursion.lox
train.strings   = $(BIN) --repeat $(SCALE) $(app.dir)/workloads/train/strings.lox
train.shapes    = $(BIN) --repeat $(SCALE) $(app.dir)/workloads/train/shapes.lox
train.closures  = $(BIN) --repeat $(SCALE) $(app.dir)/workloads/train/closures.lox
train.sorting   = $(BIN) --repeat $(SCALE) $(app.dir)/workloads/train/sorting.lox

# What is counted: squares tried for a queen, programs read and executed, cells that got their next
# state, events that happened, tree nodes made.
eval.queens           = $(BIN) --repeat $(SCALE) $(app.dir)/workloads/eval/queens.lox
eval.queens.work      = 20478 squares
eval.interpreter      = $(BIN) --repeat $(SCALE) $(app.dir)/workloads/eval/interpreter.lox
eval.interpreter.work = 75 programs
eval.life             = $(BIN) --repeat $(SCALE) $(app.dir)/workloads/eval/life.lox
eval.life.work        = 10240 cells
eval.simulation       = $(BIN) --repeat $(SCALE) $(app.dir)/workloads/eval/simulation.lox
eval.simulation.work  = 6000 events
eval.trees            = $(BIN) --repeat $(SCALE) $(app.dir)/workloads/eval/trees.lox
eval.trees.work       = 37523 nodes

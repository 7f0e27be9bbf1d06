# noop: starts and ends. Its time is that of starting a process: what the measuring itself costs.
# Shorter than any workload should be, and on purpose.

app.about   := Nothing: what the measuring itself costs
app.sources := $(wildcard $(app.dir)/*.c)
app.cflags  := -std=c11

train.start = $(BIN) train
eval.start  = $(BIN) eval

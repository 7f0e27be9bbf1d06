# The program on which `make calibrate` tries the machine and the method.

app.about   := hash and branch over a small table, with an injected slowdown of known size
app.sources := $(wildcard $(app.dir)/*.c)
app.cflags  := -std=c11

eval.fixed = $(BIN) $(SCALE)

# gzip: levels 1, 6 and 9, and decompression. Evaluation has other documents than training: a kind
# of data that trains one level is evaluated at another one, in a mix, or is new.

app.about    := gzip compressor and decompressor
app.sources  := $(wildcard $(app.dir)/*.c)
app.cflags   := -std=c11 -D_POSIX_C_SOURCE=200809L
app.generate  = $(PYTHON) $(app.dir)/generate.py $(app.inputs)

train.fast-log      = $(BIN) -1 --repeat $(SCALE) $(app.inputs)/train/access.log
train.default-code  = $(BIN) -6 --repeat $(SCALE) $(app.inputs)/train/parser.c
train.best-records  = $(BIN) -9 --repeat $(SCALE) $(app.inputs)/train/sensors.bin
train.expand-table  = $(BIN) -d --repeat $(SCALE) $(app.inputs)/train/orders.csv.gz
train.expand-prose  = $(BIN) -d --repeat $(SCALE) $(app.inputs)/train/novel.txt.gz

eval.fast-json      = $(BIN) -1 --repeat $(SCALE) $(app.inputs)/eval/messages.json
eval.fast-json.work = 0.60 MB
eval.default-tar      = $(BIN) -6 --repeat $(SCALE) $(app.inputs)/eval/backup.tar
eval.default-tar.work = 0.25 MB
eval.best-prose      = $(BIN) -9 --repeat $(SCALE) $(app.inputs)/eval/essay.txt
eval.best-prose.work = 0.064 MB
eval.expand-log      = $(BIN) -d --repeat $(SCALE) $(app.inputs)/eval/access.log.gz
eval.expand-log.work = 1.2 MB
eval.expand-code      = $(BIN) -d --repeat $(SCALE) $(app.inputs)/eval/kernel.c.gz
eval.expand-code.work = 1.0 MB

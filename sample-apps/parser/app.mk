# The parser: text in, decisions per byte, over small functions in eight files.

app.about    := JSON parser, printer and query tool
app.sources  := $(wildcard $(app.dir)/*.c)
app.cflags   := -std=c11
app.generate  = $(PYTHON) $(app.dir)/generate.py $(app.inputs)

train.catalog = $(BIN) print --indent 2 --repeat $(SCALE) $(app.inputs)/train/catalog.json
train.posts   = $(BIN) print --repeat $(SCALE) $(app.inputs)/train/posts.json
train.samples = $(BIN) print --repeat $(SCALE) $(app.inputs)/train/samples.json
train.records = $(BIN) check --repeat $(SCALE) $(app.inputs)/train/records.json
train.levels  = $(BIN) query --repeat $(SCALE) /*/level $(app.inputs)/train/records.json

eval.tweets       = $(BIN) print --repeat $(SCALE) $(app.inputs)/eval/tweets.json
eval.tweets.work  = 1.57 MB
eval.numbers      = $(BIN) print --repeat $(SCALE) $(app.inputs)/eval/numbers.json
eval.numbers.work = 0.93 MB
eval.nested       = $(BIN) query --repeat $(SCALE) /windows/*/children $(app.inputs)/eval/nested.json
eval.nested.work  = 1.12 MB
eval.objects      = $(BIN) check --repeat $(SCALE) $(app.inputs)/eval/objects.json
eval.objects.work = 1.7 MB

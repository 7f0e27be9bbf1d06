# kvserver: a key-value server, driven by its load generator kvload. kvload is one of the inputs, not
# of the variant: it is built once, with plain flags. Each repetition begins and ends with an empty
# data set.

app.about    := in-memory key-value server with the Redis protocol
app.sources  := $(wildcard $(app.dir)/*.c)
app.cflags   := -std=c11
app.generate := $(app.dir)/generate.sh $(app.inputs)/kvload $(sort $(wildcard $(app.dir)/load/*))

train.cache    = $(app.inputs)/kvload --server $(BIN) --mix cache --seed 101 --requests 8000 --connections 4 --pipeline 512 --in-turn 1 --repeat $(SCALE)
train.counters = $(app.inputs)/kvload --server $(BIN) --mix counters --seed 102 --requests 8000 --connections 4 --pipeline 512 --in-turn 1 --repeat $(SCALE)
train.hashes   = $(app.inputs)/kvload --server $(BIN) --mix hashes --seed 103 --requests 8000 --connections 2 --pipeline 512 --in-turn 1 --repeat $(SCALE)

eval.sessions      = $(app.inputs)/kvload --server $(BIN) --mix sessions --seed 201 --requests 8000 --connections 4 --pipeline 512 --repeat $(SCALE)
eval.sessions.work = 8000 requests
eval.queues        = $(app.inputs)/kvload --server $(BIN) --mix queues --seed 202 --requests 8000 --connections 2 --pipeline 512 --repeat $(SCALE)
eval.queues.work   = 8000 requests
eval.bulk          = $(app.inputs)/kvload --server $(BIN) --mix bulk --seed 203 --requests 1000 --connections 1 --pipeline 128 --repeat $(SCALE)
eval.bulk.work     = 1000 requests

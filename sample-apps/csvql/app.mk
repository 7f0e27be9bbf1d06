# csvql, SQL queries over CSV files. A workload is a script of a few statements; all but
# `load` read their tables once and repeat the script.

app.about    := SQL queries over CSV files: parser, planner, B+tree, joins, groups
app.sources  := $(wildcard $(app.dir)/*.c)
app.cflags   := -std=c11
app.ldlibs   := -lm
app.generate  = $(PYTHON) $(app.dir)/generate.py $(app.inputs)

train.filter      = $(BIN) --repeat $(SCALE) -f $(app.dir)/workloads/train/filter.sql $(app.inputs)/train/events.csv $(app.inputs)/train/orders.csv
train.group       = $(BIN) --repeat $(SCALE) -f $(app.dir)/workloads/train/group.sql $(app.inputs)/train/events.csv $(app.inputs)/train/orders.csv
train.join        = $(BIN) --repeat $(SCALE) -f $(app.dir)/workloads/train/join.sql $(app.inputs)/train/customers.csv $(app.inputs)/train/orders.csv $(app.inputs)/train/events.csv
train.expressions = $(BIN) --repeat $(SCALE) -f $(app.dir)/workloads/train/expressions.sql $(app.inputs)/train/orders.csv $(app.inputs)/train/events.csv
train.load        = $(BIN) --repeat $(SCALE) --reload -f $(app.dir)/workloads/train/load.sql $(app.inputs)/train/orders.csv $(app.inputs)/train/events.csv

eval.flights = $(BIN) --repeat $(SCALE) -f $(app.dir)/workloads/eval/flights.sql $(app.inputs)/eval/flights.csv $(app.inputs)/eval/airports.csv
eval.sensors = $(BIN) --repeat $(SCALE) -f $(app.dir)/workloads/eval/sensors.sql $(app.inputs)/eval/sensors.csv
eval.books   = $(BIN) --repeat $(SCALE) -f $(app.dir)/workloads/eval/books.sql $(app.inputs)/eval/books.csv $(app.inputs)/eval/loans.csv
eval.load    = $(BIN) --repeat $(SCALE) --reload -f $(app.dir)/workloads/eval/load.sql $(app.inputs)/eval/books.csv $(app.inputs)/eval/sensors.csv

eval.flights.work = 4 queries
eval.sensors.work = 3 queries
eval.books.work   = 4 queries
eval.load.work    = 0.61 MB

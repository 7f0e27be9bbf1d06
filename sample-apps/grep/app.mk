# grep: lines that match, searched for with a lazy DFA.

app.about    := Regular expression search: lazy DFA, NFA simulation, literal search
app.sources  := $(wildcard $(app.dir)/*.c)
app.cflags   := -std=c11
app.generate  = $(PYTHON) $(app.dir)/generate.py $(app.inputs)

train.requests = $(BIN) -n --repeat $(SCALE) -e '" (40[34]|50[0-9]) [0-9]+$$' $(app.inputs)/train/access.log
train.names    = $(BIN) -o -i -w --repeat $(SCALE) -f $(app.inputs)/train/names.txt $(app.inputs)/train/novel.txt
train.calls    = $(BIN) -o --repeat $(SCALE) -e '[a-z_]+\([a-z_, ]*\)' $(app.inputs)/train/driver.c
train.orders   = $(BIN) -n --repeat $(SCALE) -e '^[0-9]+,[A-Z][a-z]*,[a-z]+,[0-9]+\.[0-9]{2},(yes|no),2023' $(app.inputs)/train/orders.csv
train.near     = $(BIN) -n --repeat $(SCALE) -e '(ba|co|du|fi|sha)[a-z]*,?[^.]{0,30}(ing|est|lor)' $(app.inputs)/train/novel.txt
train.marks    = $(BIN) -r -F -n --repeat $(SCALE) -f $(app.inputs)/train/marks.txt $(app.inputs)/train/tree

eval.incidents      = $(BIN) -n -i --repeat $(SCALE) -e '(timeout|reset|refused) .*10\.3\.' $(app.inputs)/eval/service.log
eval.incidents.work = 2.4 MB
eval.terms          = $(BIN) -n -w --repeat $(SCALE) -f $(app.inputs)/eval/terms.txt $(app.inputs)/eval/letters.txt
eval.terms.work     = 1.9 MB
eval.complete       = $(BIN) -n --repeat $(SCALE) -e '^[A-Z]+[0-9]{2};[0-9:]+(;-?[0-9]+\.[0-9]){3};' $(app.inputs)/eval/readings.csv
eval.complete.work  = 1.6 MB
eval.distance       = $(BIN) -c --repeat $(SCALE) -e '(tr|bo|mi|lea)[^,]{0,24}(und|ock|eas)\>' $(app.inputs)/eval/letters.txt
eval.distance.work  = 1.9 MB
eval.addresses      = $(BIN) -o --repeat $(SCALE) -e '([0-9]{1,3}\.){3}[0-9]{1,3}' $(app.inputs)/eval/service.log
eval.addresses.work = 2.4 MB
eval.topics         = $(BIN) -r -F -i -o --repeat $(SCALE) -f $(app.inputs)/eval/topics.txt $(app.inputs)/eval/archive
eval.topics.work    = 1.8 MB

technique.thin.group  := link
technique.thin.help   := ThinLTO: functions imported across files, code still generated per file
technique.thin.cflags := -flto=thin
technique.thin.keep   := -Wl,--thinlto-cache-dir=../kept
technique.thin.relink := $(technique.thin.keep)

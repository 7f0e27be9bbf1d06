technique.slower5.group  := calibration
technique.slower5.help   := does 5 % more work
technique.slower5.cflags := -DSLOWER=5

technique.slower1.group  := calibration
technique.slower1.help   := does 1 % more work
technique.slower1.cflags := -DSLOWER=1

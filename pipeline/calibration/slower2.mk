technique.slower2.group  := calibration
technique.slower2.help   := does 2 % more work
technique.slower2.cflags := -DSLOWER=2

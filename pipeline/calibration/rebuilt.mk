technique.rebuilt.group := calibration
technique.rebuilt.help  := the baseline, built once more

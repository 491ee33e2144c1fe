# A dead disk is exchanged for an empty one in the same place: it does not answer for the first, recording goes on
# (field 7: ex_nvr#269, #581)
cameras gate
disks bay
start
expect gate recording within 3s
after 20s
bay fails: io error
after 40s
expect alarm volume-fault of bay
bay is pulled
after 20s
bay is exchanged for an empty one
expect gate recording within 3s
after 1m
expect gate recording
expect kept alarm volume-fault of bay

# A camera refuses TCP: UDP is tried at once, and is what later attempts begin with
cameras gate
volumes disk-a
gate refuses tcp
start
expect gate recording within 3s
expect told gate: connects over UDP: the other transport was refused
after 1m
gate fails: server closed
expect told gate: connects over UDP: connection closed by the camera; at once within 2s
expect gate recording within 3s
after 5s
expect gate tried at most 3 times
expect gate misses at most 3s

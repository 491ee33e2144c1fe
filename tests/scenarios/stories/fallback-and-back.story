# The main stream is lost: after 10 s the second one is recorded, and 30 s after the main one is back it is recorded again, with
# nothing missing between them
cameras gate
gate has a fallback stream
volumes disk-a
start
expect gate recording within 3s
after 1m
gate's fallback works
gate stalls
expect gate on its fallback within 15s
expect alarm camera-fallback of gate
after 1m
gate works
expect gate recording within 3m
expect told gate's fallback: disconnects: its main stream is back within 3s
after 40s
expect no alarms
expect gate misses at most 12s

# The network cable of one camera is pulled, so nothing says that it is gone: the silence itself is seen after 10 s, the gap
# begins with the last picture, and it is recorded again when the cable is back
cameras gate yard
volumes disk-a
start
expect all cameras recording within 3s
after 1m
gate goes silent
after 9s
expect gate recording
expect told gate: disconnects: connected, but no video arrives within 2s
expect alarm camera-lost of gate within 15s
after 30s
gate works
expect gate recording within 1:10
after 40s
expect gate misses at least 20s of camera: stalled
expect no alarms
expect yard misses at most 1s

# Both streams of a camera fail: the cause is why the main one is away, and whichever comes first is recorded
cameras gate
gate has a fallback stream
volumes disk-a
start
expect gate recording within 3s
after 1m
gate is away: unreachable
after 1m
expect alarm camera-lost of gate
gate's fallback works
expect gate on its fallback within 1m
expect alarm camera-fallback of gate
gate works
expect gate recording within 2m
after 5s
expect gate misses at least 50s of camera: unreachable

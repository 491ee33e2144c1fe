# The power is cut while a camera is away: what was known of the gap before the cut is not forgotten, and the rest is the cut's
cameras gate yard
volumes disk-a
start
expect all cameras recording within 3s
after 1m
gate is away: unreachable
after 1m
power is cut
gate works
after 1m
start
expect all cameras recording within 3s
after 5s
expect gate misses at most 2:05
expect gate misses at least 58s of camera: unreachable
expect gate misses at least 58s of power lost
expect yard misses at most 1:05
expect all cameras misses at most 0s of unexplained

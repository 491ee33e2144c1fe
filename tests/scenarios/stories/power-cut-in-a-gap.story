# The power is cut while a camera is away: what was known of the gap before is not forgotten
cameras gate
volumes disk-a
start
expect gate recording within 3s
after 1m
gate is away: unreachable
after 1m
power is cut
gate works
after 1m
start
expect gate recording within 3s
after 5s
expect gate misses at most 2:05
expect gate misses at most 0s of unexplained
expect gate misses at least 55s of power lost

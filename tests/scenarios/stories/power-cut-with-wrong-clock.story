# The power is cut, and the device comes back believing an earlier time: its ledger knows better, so it is not trusted; once the
# time is known, the whole outage is told (field 22: ex_nvr#404; field 25: motion#1619)
cameras gate
volumes disk-a
clock is fetched
start
time source answers
expect gate recording within 3s
after 2m
power is cut
after 1m
clock steps -1h
start
expect gate recording within 3s
expect clock not trusted
after 30s
time source sets the clock by +1h
after 10s
expect clock trusted
expect gate misses at least 58s of power lost
expect gate misses at most 1:04
expect gate misses at most 0s of unexplained

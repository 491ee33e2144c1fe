# The recorder crashes, and runs out of memory another time: each is started again by systemd, and each gap has its cause
# (field 14: mediamtx#4674)
cameras gate
volumes disk-a
start
expect gate recording within 3s
after 30s
recorder crashes
after 3s
start
expect gate recording within 3s
after 30s
recorder runs out of memory
after 3s
start
expect gate recording within 3s
after 5s
recorder stops
after 10s
start
expect gate recording within 3s
after 5s
expect gate misses at least 3s of crashed
expect gate misses at least 3s of out of memory
expect gate misses at least 10s of stopped
expect gate misses at most 20s

# The disk is fast on paper and does not keep up: it is told before the rings overflow, a second disk takes over, and nothing
# is lost (field 12: frigate#5818)
cameras gate yard
volumes disk-a disk-b
start
expect all cameras recording within 3s
after 10s
disk-a takes 20%
expect footage to disk-b within 40s
after 1m
expect all cameras misses at most 1s
expect alarm volume-fault of disk-a

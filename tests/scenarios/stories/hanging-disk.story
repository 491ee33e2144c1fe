# A call to the disk never returns: its writer is waited for no longer, the cameras stay, and when the call returns at last
# recording resumes within seconds (field 13: frigate#9499)
cameras gate yard
volumes disk-a
start
expect all cameras recording within 3s
after 10s
disk-a hangs
expect disk-a faulted: stuck within 35s
after 1m
expect all cameras tried at most 1 times
expect alarm nothing-records
disk-a works
expect all cameras recording within 5s
expect all cameras misses at most 0s of unexplained
after 5s
expect all cameras misses at least 30s of volume: stuck

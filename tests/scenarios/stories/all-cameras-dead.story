# Every camera is dead for half an hour, and the disk with them: the loop lives and tells the watchdog, nothing restarts, and all is
# recorded again by itself (field 27: zoneminder#3271)
cameras gate yard
volumes disk-a
start
expect all cameras recording within 3s
after 30s
all cameras are away: unreachable
disk-a fails: io error
after 30m
expect alive
expect alarm nothing-records
expect alarm network
disk-a works
all cameras work
expect all cameras recording within 5:10
expect alive
after 40s
expect all cameras misses at least 29m of camera: unreachable
expect all cameras misses at most 0s of unexplained

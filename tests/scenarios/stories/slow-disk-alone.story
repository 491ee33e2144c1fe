# A disk that does not keep up, and no other: the overflow is dropped by whole GOPs and accounted, the streams stay up, and
# it is over when the disk recovers, without anybody restarting anything (field 12: frigate#5818; field 13: frigate#9499)
cameras gate
volumes disk-a
start
expect gate recording within 3s
after 10s
disk-a takes 50%
expect alarm volume-slow of disk-a within 1m      # before anything is lost
expect gate misses at most 1s
after 35s
expect alarm footage-dropped of gate
expect gate tried at most 1 times
disk-a works
after 30s
expect gate recording
expect no alarm volume-slow of disk-a
expect gate misses at most 30s
expect gate misses at most 0s of unexplained

# The storage says "try again" once: a quarter of a second, nothing lost, no alarm (field 9: frigate#2943)
cameras gate yard
volumes disk-a
start
expect all cameras recording within 3s
after 10s
disk-a fails once: try again
expect all cameras recording within 3s
after 5s
expect all cameras misses at most 1s
expect no alarms

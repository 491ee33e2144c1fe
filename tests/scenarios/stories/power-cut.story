# The power is cut: the last second is lost, and the outage is told with its cause at the next start (field 25: motion#1619)
cameras gate yard
volumes disk-a
start
expect all cameras recording within 3s
after 1m
power is cut
after 5m
disk-a is torn
start
expect all cameras recording within 3s
expect kept alarm volume-repaired of disk-a
after 30s
expect all cameras misses at least 5m of power lost
expect all cameras misses at most 5:03

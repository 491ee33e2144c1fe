# An encoder with eight channels restarts: never more than two sessions are set up on it at a time
cameras ch-1 to ch-8
all cameras share one server
volumes disk-a
start
expect all cameras recording within 10s
after 30s
all cameras fail: server closed
expect all cameras recording within 10s
expect at most 4 attempts in any second
after 40s
expect all cameras misses at most 8s
expect no alarms

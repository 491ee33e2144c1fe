# A stream stays damaged whatever is done: it is recorded as it is, and the connection is renewed each five minutes, no more
cameras gate
volumes disk-a
start
expect gate recording within 3s
gate sends a damaged picture
after 30m
expect gate recording
expect alarm camera-trouble of gate
expect gate tried at most 7 times
expect gate misses at most 30s

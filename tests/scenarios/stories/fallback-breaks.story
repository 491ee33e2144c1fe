# While the fallback is recorded it breaks as well, once: it is recorded again at once, and the loss is a second
cameras gate
gate has a fallback stream
volumes disk-a
start
expect gate recording within 3s
after 1m
gate stalls
expect gate on its fallback within 15s
after 20s
gate's fallback fails: bye
expect gate on its fallback within 5s
after 10s
expect gate misses at most 15s

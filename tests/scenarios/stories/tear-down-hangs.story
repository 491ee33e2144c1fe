# The tear-down of a dead connection never ends: it is left behind after 6 s, and the camera is connected anew
cameras gate
volumes disk-a
start
expect gate recording within 3s
after 30s
gate does not let go
gate fails: server closed
expect gate recording within 8s
after 5s
expect gate misses at most 10s

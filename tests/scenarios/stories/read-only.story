# The kernel turns the filesystem read-only: an alarm at once, the disk is checked and mounted again by itself, memory
# bridges it, and not a frame is lost (field 10: frigate#7252)
cameras gate
disks stick
start
expect gate recording within 3s
after 1m
stick fails until mounted again: read-only
expect alarm volume-fault of stick
expect told stick: is checked and mounted again within 5s
expect gate recording within 10s
after 5s
expect gate misses at most 1s of starting
expect gate misses at most 1s
expect kept alarm volume-fault of stick

# A disk that fails in use again and again: it is tried ever more slowly, and what SMART says is told; the second disk
# has the footage
cameras gate
volumes disk-a disk-b
start
expect gate recording within 3s
after 40s
disk-a fails once: io error
after 40s
disk-a says it is failing
disk-a fails once: io error
after 40s
disk-a fails: io error
after 1m
expect footage to disk-b
expect alarm volume-failing of disk-a
expect alarm volume-fault of disk-a
expect gate misses at most 1s

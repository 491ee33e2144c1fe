# Nothing on the disk may be deleted: a person is called, and a second disk takes over without a gap (field 1, 20)
cameras gate
volumes disk-a disk-b
start
expect gate recording within 3s
after 20s
disk-a has nothing to delete
disk-a fails: full
expect footage to disk-b within 3s
expect alarm volume-exhausted of disk-a
after 1m
expect gate misses at most 1s

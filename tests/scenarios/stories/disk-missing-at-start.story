# One of two storage places is missing at the start: the recorder runs, records to the other, and uses the first when it is
# there (field 31: measured on Moonfire)
cameras gate
volumes disk-a disk-b
disk-a fails: missing
start
expect gate recording within 3s
expect footage to disk-b
expect alarm volume-fault of disk-a
after 2m
disk-a works
expect disk-a ready within 3s
expect footage to disk-a within 40s     # it has to prove itself first
after 5s
expect gate misses at most 1s

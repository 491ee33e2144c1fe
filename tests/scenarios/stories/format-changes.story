# The video format changes back and forth: each is recorded, nothing is torn down, and a person is told
# (field 16: mediamtx#4262, moonfire-nvr#302)
cameras gate
volumes disk-a
start
expect gate recording within 3s
after 20s
gate changes its format
expect alarm camera-trouble of gate within 1m
after 1m
gate works
expect no alarm camera-trouble of gate within 2m
expect gate misses at most 1s
expect gate tried at most 1 times

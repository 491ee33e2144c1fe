# Timestamps stand still, leap or run back: the footage is timed by its arrival, nothing is torn down, and a person is told
# (field 28: frigate#6499; field 30: measured, 726 files in two minutes)
cameras gate yard shed
volumes disk-a
start
expect all cameras recording within 3s
after 20s
gate sends frozen timestamps
yard sends leaping timestamps
shed sends timestamps that run back
after 1m
expect alarm camera-trouble of gate
expect alarm camera-trouble of yard
expect alarm camera-trouble of shed
expect all cameras recording
all cameras work
after 1:30
expect no alarms
expect all cameras misses at most 1s
expect all cameras tried at most 1 times

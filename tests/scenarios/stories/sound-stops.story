# The sound of a camera stops, its picture goes on: nothing is torn down, and a person is told after a minute
cameras gate
volumes disk-a
start
expect gate recording within 3s
after 10s
gate sends no sound
after 30s
expect no alarms
expect alarm sound-lost of gate within 1m
gate works
expect no alarm sound-lost of gate within 15s
expect gate misses at most 1s
expect gate tried at most 1 times

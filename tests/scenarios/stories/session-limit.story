# After the recorder was killed the camera still holds its old session and has no room: never at once, and the third or fourth
# attempt finds room
cameras gate
volumes disk-a
start
expect gate recording within 3s
after 30s
recorder crashes
after 2s
gate is away: session limit
start
after 50s
gate works
expect gate recording within 1m
expect gate tried at most 7 times
after 40s
expect gate misses at most 2m
expect no alarms

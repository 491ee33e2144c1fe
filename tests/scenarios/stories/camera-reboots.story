# A camera reboots, and its stream comes back; another camera does not notice (field 11: frigate#3122, #2886)
cameras gate yard
volumes disk-a
start
expect all cameras recording within 3s
after 1m
gate fails: server closed
gate is away: refused
after 45s                 # it boots
gate works
expect gate recording within 1m
after 40s
expect yard misses at most 1s
expect gate misses at most 1:45
expect no alarms

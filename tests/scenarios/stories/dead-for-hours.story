# A camera is dead for two hours: it is never given up and never stormed at, the loop lives, the other one does not notice;
# when it is back it records within one probe (field 26: motion#619; field 14: mediamtx#4674; field 24: lightNVR#413)
cameras gate yard
volumes disk-a
start
expect all cameras recording within 3s
after 1m
gate is away: unreachable
after 2h
expect gate backing off
expect alarm camera-lost of gate
expect alive
expect gate tried at most 13 times in the last 1h
expect gate tried at least 11 times in the last 1h
gate works
expect gate recording within 5:01
after 1m
expect yard misses at most 1s
expect gate misses at least 2h
expect no alarms

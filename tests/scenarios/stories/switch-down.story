# One switch is down: thirty cameras are lost, it is one alarm and not thirty, no watchdog fires, and when it is back they return
# staggered, all within seconds (field 27: zoneminder#3271)
cameras cam-1 to cam-30
volumes disk-a
start
expect all cameras recording within 15s
after 30s
all cameras go silent
expect alarm network within 25s
after 90s
expect 1 alarms
expect alive
all cameras work
expect all cameras recording within 1m
expect at most 4 attempts in any second
expect no alarms within 40s
expect all cameras misses at most 3:00
expect all cameras misses at most 0s of unexplained

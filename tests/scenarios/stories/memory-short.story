# Memory is short: depth goes first, then sound, then second streams that nothing is recorded from, never a picture; each
# comes back by itself (field 14: mediamtx#4674; field 13: frigate#9499)
cameras gate yard
gate has a fallback stream
volumes disk-a
start
expect all cameras recording within 3s
memory pressure 5%
after 30s
expect memory gives up nothing
memory pressure 30%
expect memory gives up depth within 6s
expect memory gives up sound within 6s
expect memory gives up fallbacks within 6s
expect alarm memory-short
gate stalls
after 30s
expect not told gate's fallback: connects
gate works
memory pressure 0%
expect memory gives up sound within 1:05
expect memory gives up depth within 1:05
expect memory gives up nothing within 1:05
expect no alarm memory-short
expect yard misses at most 1s

# The night in which daylight saving time ends: everything is UTC, no hour comes twice, nothing happens at all
# (field 23: frigate#4270, moonfire-nvr#244)
cameras gate
volumes disk-a
wall clock 2026-10-25 00:30:00
start
expect gate recording within 3s
after 2h
expect gate recording
expect no alarms
expect gate misses at most 1s
expect not told the clock was set
expect gate tried at most 1 times

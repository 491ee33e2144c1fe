# The wall clock is set by two hours, forward, and later back: recording goes on, the ledger tells the step, and what was recorded
# is not counted as missing (field 22: ex_nvr#404, mediamtx#4778)
cameras gate
volumes disk-a
start
expect gate recording within 3s
after 1m
clock steps +2h
after 1m
expect kept alarm clock-stepped
expect gate misses at most 2:00:01
expect gate misses at least 1:59:59 of clock stepped
clock steps -2h
after 1m
expect gate recording
expect gate tried at most 1 times
expect told the clock was set by -2:00:00.0

# A device without a battery clock starts at a wrong time, records, and is told the right time a minute later: what it
# recorded before is put right in the ledger, and nothing is missing (field 22: ex_nvr#404)
cameras gate
volumes disk-a
clock is fetched
start
expect gate recording within 3s
expect clock not trusted
after 1m
expect alarm clock-untrusted
time source sets the clock by +3h
expect clock trusted
after 1m
expect told are off by +3:00:00.0
expect gate misses at most 1s
expect no alarm clock-untrusted

# A person ejects the disk, changes their mind, and uses it again; then another program keeps it from being unmounted
cameras gate
disks stick
start
expect gate recording within 3s
after 20s
eject stick
expect stick safe to remove within 3s
expect alarm safe-to-remove of stick
expect gate holding
after 10s
use stick
expect gate recording within 5s
after 3s
expect gate misses at most 1s           # memory bridged it
stick is used by another program
eject stick
expect kept alarm kept-mounted of stick within 3s
acknowledge kept-mounted of stick
expect gate recording within 5s
after 3s
expect gate misses at most 1s
acknowledge nothing-records             # it was true for those ten seconds
expect no alarms

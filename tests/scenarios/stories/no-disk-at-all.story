# No disk at all: the recorder runs, says that nothing is recorded, and the newest footage goes to the first disk that comes
# (field 31: measured on Moonfire)
cameras gate
disks stick
stick is pulled
start
expect gate holding within 3s
expect alarm nothing-records within 40s
expect alive
after 30s
stick is plugged in
expect gate recording within 3s
after 5s
expect gate tried at most 1 times
expect kept alarm nothing-records

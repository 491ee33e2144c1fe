# A switch that powers its cameras restarts: it is one alarm, the first camera has booted after a minute, the others each a few
# seconds later, and each is recorded soon after it answers (field 27: zoneminder#3271)
cameras cam-1 to cam-6
volumes disk-a
start
expect all cameras recording within 5s
after 30s
all cameras go silent
expect alarm network within 25s
after 20m
cam-1 works
expect cam-1 recording within 5:10
after 15s
cam-2 cam-3 work
after 15s
cam-4 cam-5 cam-6 work
expect all cameras recording within 2m       # their waits begin anew: no longer than a minute
expect at most 4 attempts in any second
expect no alarms within 40s

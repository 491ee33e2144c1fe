# Five failures in a row are no reason for five minutes of silence: the waits climb to a minute, and only a camera that has
# been away for long is probed each five minutes (field 24: lightNVR#413, #156)
cameras gate
volumes disk-a
start
expect gate recording within 3s
after 1m
gate is away: refused
after 1:30
gate works
expect gate recording within 1m
after 1m
expect no alarms

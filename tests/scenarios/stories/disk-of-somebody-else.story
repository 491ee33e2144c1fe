# A disk comes that is not for recording: it is named and left alone, and recording does not care
cameras gate
volumes disk-a
start
expect gate recording within 3s
disk sdb1 is left alone: not marked
expect alarm disk-not-used of sdb1
expect gate recording
disk sdb1 is gone
expect no alarms

# The recorder is stopped while a disk hangs: it ends all the same, in seconds, and the other disk is closed in good order
cameras gate
volumes disk-a disk-b
start
expect gate recording within 3s
after 40s
disk-b hangs
recorder stops
expect finished

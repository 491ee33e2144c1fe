# A camera breaks every 14 s, for days: each break is answered at once or soon, none is a spin, a person is told once, and it
# is over when the camera has been steady for a quarter of an hour (field 19: moonfire-nvr#209, #361)
cameras gate
volumes disk-a
start
expect gate recording within 3s
after 14s
gate fails: server closed
after 14s
gate fails: server closed
after 14s
gate fails: bye
after 14s
gate fails: server closed
expect no alarm camera-flapping of gate
after 25s
gate fails: server closed
expect alarm camera-flapping of gate within 30s
after 20m
expect gate recording
expect no alarms
expect gate tried at most 6 times

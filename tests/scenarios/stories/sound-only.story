# After a reboot the camera comes back with sound alone: that is no recording. It is said so and probed, and recorded once the
# picture is there (field 18: go2rtc#762, #1847)
cameras gate
volumes disk-a
start
expect gate recording within 3s
after 30s
gate sends sound only
gate fails: server closed
expect gate backing off within 2s
expect alarm camera-lost of gate within 15s
after 5m
gate works
expect gate recording within 5:01
after 40s
expect gate misses at least 4m of camera: nothing recordable
expect no alarms

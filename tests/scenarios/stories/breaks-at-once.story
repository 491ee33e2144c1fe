# A camera accepts every connection and breaks it at once: a connection proves nothing, so the waits climb all the same
# (field 26: motion#619, 492 reconnects in a spin; field 19: moonfire-nvr#361)
cameras gate
volumes disk-a
start
expect gate recording within 3s
after 1m
gate stalls
after 1h
expect gate tried at most 30 times
expect alarm camera-lost of gate
expect gate misses at least 50m of camera: stalled
gate works
expect gate recording within 5:10

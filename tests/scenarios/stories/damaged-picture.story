# A stream is damaged: recorded as it comes while it is mended in place, first by a fresh beginning, then by a new media path,
# then by a new connection; a person is told
cameras gate yard shed
volumes disk-a
start
expect all cameras recording within 3s
after 30s
gate sends a damaged picture until resumed
yard sends a damaged picture until rebuilt
shed sends a damaged picture until reconnected
expect alarm camera-trouble of gate within 1m
expect alarm camera-trouble of yard
expect told gate: begins anew at its next keyframe
expect told yard: its media path is built anew within 30s
expect told shed: connects over TCP: stream is damaged within 30s
after 2m
expect all cameras recording
expect no alarms
expect gate tried at most 1 times
expect yard tried at most 1 times
expect shed tried at most 2 times
expect all cameras misses at most 4s

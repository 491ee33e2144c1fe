# Pictures come, the disk works, and nothing becomes durable: a fault of our own path, seen by what is durable, not by what is
# received; mended in place (field 11: frigate#3122: "the record stream never came back")
cameras gate yard
volumes disk-a
start
expect all cameras recording within 3s
after 1m
gate gets nothing onto the disk until rebuilt
expect told gate: begins anew at its next keyframe within 40s
expect told gate: its media path is built anew within 30s
expect gate recording within 10s
after 40s
expect no alarms
expect gate misses at least 45s of camera: not stored
expect gate misses at most 1:10
expect gate tried at most 1 times
expect yard misses at most 1s

# Pictures come, and no keyframe: nothing could be kept, so after 30 s a new connection asks for one
cameras gate
volumes disk-a
start
expect gate recording within 3s
after 30s
gate sends no keyframes
expect told gate: disconnects: no keyframe arrives within 35s
gate works
expect gate recording within 10s
after 5s
expect gate misses at most 40s

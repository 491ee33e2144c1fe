# The disk is full and cleaning cannot help yet: recording does not stop silently, a person is called, memory holds what it
# can, and recording resumes by itself (field 1: frigate#2790, open-nvr#244; field 20: moonfire-nvr#84, #106)
cameras gate yard
volumes disk-a
start
expect all cameras recording within 3s
after 30s
disk-a fails: full
expect all cameras holding within 5s      # the streams stay up
expect alarm volume-fault of disk-a within 5s
expect alarm nothing-records within 10s
after 50s
expect all cameras tried at most 1 times  # a disk's trouble never reaches a camera
disk-a is cleaned of 500 MB
disk-a works
expect all cameras recording within 5s
expect kept alarm volume-fault of disk-a within 5s    # nobody misses that it happened
expect all cameras misses at most 30s
expect all cameras misses at least 20s of volume: full
acknowledge volume-fault of disk-a
acknowledge nothing-records
expect no alarm volume-fault of disk-a

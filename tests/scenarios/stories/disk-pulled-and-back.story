# The only disk is pulled and comes back, under whatever device name: what memory could hold is not lost, and what it could
# not is told (field 4: motioneyeos#1166; field 5: motioneyeos#201; field 6: motioneyeos#2323; field 7: ex_nvr#269, #581)
cameras gate
disks stick
start
expect gate recording within 3s
after 20s
stick is pulled
expect gate holding within 1s
expect stick absent
expect alarm volume-fault of stick
after 15s
stick is plugged in
expect gate recording within 3s       # of the udev event
after 2s
expect gate misses at most 1s         # 15 s fit into the ring
after 1m
stick is pulled
after 1m
expect gate holding
stick is plugged in
expect gate recording within 3s
after 2s
expect gate misses at most 40s
expect gate misses at least 25s of volume: missing
expect gate tried at most 1 times

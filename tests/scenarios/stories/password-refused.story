# A camera refuses the password: haste would lock us out, so it is tried after a minute, then each five minutes, its second
# stream is not asked, and the alarm says what a person has to do
cameras gate
gate has a fallback stream
volumes disk-a
start
expect gate recording within 3s
after 1m
gate is away: unauthorized
expect alarm camera-access of gate within 3s
after 1h
expect gate tried at most 16 times
expect not told gate's fallback: connects
expect no alarm camera-lost of gate
gate works
expect gate recording within 5:05
expect no alarm camera-access of gate

# A camera sends a track that cannot be recorded: it is named, and everything else goes on
cameras gate
volumes disk-a
start
gate sends a track that is not recorded
expect gate recording within 3s
expect alarm track-not-recorded of gate within 1s

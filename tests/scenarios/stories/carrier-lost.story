# The cable of this device itself is pulled: the network is named at once, and a carrier that is back brings every camera's next
# attempt forward, whatever its wait was (field 27: zoneminder#3271)
cameras gate yard shed
volumes disk-a
start
expect all cameras recording within 3s
after 30s
carrier is lost
all cameras go silent
expect alarm network within 25s
after 10m
all cameras work
carrier is back
expect told the network is back within 1s
expect all cameras recording within 8s
expect no alarms within 40s
expect at most 4 attempts in any second

storage "file" {
  path = "@DIR@/data"
}
listener "unix" {
  address = "@DIR@/vault.sock"
  socket_mode = "600"
}
listener "tcp" {
  address = "127.0.0.1:@PORT@"
  tls_disable = true
  x_forwarded_for_authorized_addrs = "10.0.0.0/8"
  x_forwarded_for_reject_not_present = "false"
}
pid_file = ""
default_lease_ttl = "0"
disable_mlock = true

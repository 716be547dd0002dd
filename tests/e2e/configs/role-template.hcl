cluster_name = "dc1"
max_lease_ttl = "768h"
default_lease_ttl = "768h"

disable_clustering = "False"
cluster_addr = "http://10.0.0.5:@CLUSTER@"
api_addr = "http://10.0.0.5:@PORT@"

plugin_directory = "/usr/local/lib/vault/plugins"

listener "tcp" {
  address = "127.0.0.1:@PORT@"
  cluster_address = "127.0.0.1:@CLUSTER@"
  tls_cert_file = "/etc/vault/tls/server.crt"
  tls_key_file = "/etc/vault/tls/server.key"
  tls_min_version  = "tls12"
  tls_disable = "true"
}

storage "file" {
  path = "@DIR@/data"
}

ui = true
log_level = "err"
disable_mlock = true

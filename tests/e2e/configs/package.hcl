# Full configuration options can be found in the documentation

ui = true

#mlock = true
disable_mlock = true

storage "file" {
  path = "@DIR@/data"
}

#storage "consul" {
#  address = "127.0.0.1:8500"
#  path    = "vault"
#}

# HTTPS listener
listener "tcp" {
  address       = "0.0.0.0:@PORT@"
  tls_cert_file = "@DIR@/server.pem"
  tls_key_file  = "@DIR@/server.key"
}

# Enterprise license_path
#license_path = "/etc/vault.d/vault.hclic"

# Example AWS KMS auto unseal
#seal "awskms" {
#  region = "us-east-1"
#  kms_key_id = "REPLACE-ME"
#}

# The server in its container: sealed with a key that compose hands in as a secret, and nothing else that is secret.
storage "sqlite" {
  path = "/var/lib/bulla/bulla.db"
}
listener "tcp" {
  address       = "0.0.0.0:8200"
  tls_cert_file = "/tls/server.pem"
  tls_key_file  = "/tls/server.key"
}
seal "static" {
  current_key_id = "compose-1"
  current_key    = "file:///run/secrets/seal_key"
}
audit "file" "main" {
  options {
    file_path = "/var/log/bulla/audit.log"
  }
}
api_addr = "https://bulla:8200"

storage "file" {
  path = "@DIR@/data"
}
listener "tcp" {
  address     = "127.0.0.1:@PORT@"
  tls_disable = 1
}
seal "awskms" {
  region     = "eu-central-1"
  kms_key_id = "alias/vault"
}
disable_mlock = true

storage "inmem" {}
listener "tcp" {
  address = "127.0.0.1:@PORT@"
  tls_disable = 1
}
raw_storage_endpoint = true
introspection_endpoint = true
enable_response_header_hostname = true

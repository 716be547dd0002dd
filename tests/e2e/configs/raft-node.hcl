storage "raft" {
  path    = "@DIR@/data"
  node_id = "raft_node_1"
}

listener "tcp" {
  address            = "127.0.0.1:@PORT@"
  cluster_address    = "127.0.0.1:@CLUSTER@"
  tls_cert_file      = "@DIR@/server.pem"
  tls_key_file       = "@DIR@/server.key"
  tls_client_ca_file = "@DIR@/ca.pem"
}

cluster_addr  = "https://127.0.0.1:@CLUSTER@"
api_addr      = "https://127.0.0.1:@PORT@"
disable_mlock = true

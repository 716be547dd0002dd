ui = true

listener "tcp" {
  tls_disable = 1
  address = "[::]:@PORT@"
  cluster_address = "[::]:@CLUSTER@"
}

storage "raft" {
  path = "@DIR@/data"
  retry_join {
    leader_api_addr = "http://vault-0.vault-internal:8200"
  }
  retry_join {
    leader_api_addr = "http://vault-1.vault-internal:8200"
  }
  autopilot_reconcile_interval = "10s"
}

service_registration "kubernetes" {}

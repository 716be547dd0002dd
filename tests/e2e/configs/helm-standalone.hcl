ui = true

listener "tcp" {
  tls_disable = 1
  address = "[::]:@PORT@"
  cluster_address = "[::]:@CLUSTER@"
  # Enable unauthenticated metrics access (necessary for Prometheus Operator)
  telemetry {
    unauthenticated_metrics_access = "true"
  }
}
storage "file" {
  path = "@DIR@/data"
}

telemetry {
  prometheus_retention_time = "30s"
  disable_hostname = true
}

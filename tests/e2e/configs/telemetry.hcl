cluster_name = "metrics"
log_level    = "Warning"
log_format   = "json"
cache_size   = 131072

storage "file" { path = "@DIR@/data" }

listener "tcp" {
  address     = "127.0.0.1:@PORT@"
  tls_disable = true
  http_read_timeout = "30s"
  max_request_size = 33554432
  max_request_duration = "90s"
}

telemetry {
  statsite_address = "127.0.0.1:8125"
  disable_hostname = true
  usage_gauge_period = "10m"
  maximum_gauge_cardinality = 500
  prefix_filter = ["-vault.expire", "+vault.audit"]
}

disable_mlock = true

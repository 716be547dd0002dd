ui = false

storage "file" {
  path = "@DIR@/data"
}

listener "tcp" {
  address     = "127.0.0.1:@PORT@"
  tls_disable = true
  disable_unauthed_rekey_endpoints = true
}

seal "static" {
  current_key_id = "20261101-1"
  current_key    = "@KEY@"
}

audit "file" "to-file" {
  description = "This audit device should never fail."
  options {
    file_path = "@DIR@/audit.log"
  }
}

user_lockout "all" {
  lockout_duration      = "10m"
  lockout_counter_reset = "10m"
}

unsafe_allow_api_audit_creation = true

# tofu apply -var-file=example.tfvars    (or terraform)
# TF_VAR_credentials, in the environment, has the credentials of prod-tencent; see README.md.

plugin = {
  version = "v0.1.0"
  sha256  = "0000000000000000000000000000000000000000000000000000000000000000" # from PLUGIN_SHA256SUMS
}

connections = {
  # Without credentials: Vault's own instance role, which assumes the role that the module aws has made.
  prod-aws = {
    provider                = "aws"
    region                  = "eu-central-1"
    use_ambient_credentials = true
    role_arn                = "arn:aws:iam::123456789012:role/cloudpw"
    required_tags           = { cloudpw = "true" }
  }
  prod-tencent = {
    provider        = "tencentcloud"
    region          = "eu-frankfurt"
    allowed_roles   = ["web"]
    rotation_period = 7776000 # 90 days: the API key is replaced
  }
}

roles = {
  # People take a password for an hour; when the last lease ends, the server gets another one.
  web = {
    connection   = "prod-tencent"
    instance_ids = ["ins-r8hr2upy"]
    force_stop   = true
    ttl          = 3600
    max_ttl      = 28800
  }
  # First-boot passwords of Windows servers, replaced every week.
  windows = {
    connection           = "prod-aws"
    instance_tags        = { team = "db" }
    source               = "initial"
    mode                 = "static"
    reset_method         = "command"
    rotation_period      = 604800
    skip_import_rotation = true
    check_method         = "command"
    verify_period        = 86400
    custom_metadata      = { owner = "team-db" }
  }
}

personas   = ["operator", "on-call", "security-officer", "administrator", "emergency"]
login_path = "auth/oidc/oidc/callback"

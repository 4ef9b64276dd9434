variable "mount" {
  description = "Path at which the engine is mounted."
  type        = string
  default     = "cloudpw"

  validation {
    condition     = can(regex("^[^/\\s]+(/[^/\\s]+)*$", var.mount))
    error_message = "mount is a path without a slash at its beginning and end, such as cloudpw or teams/cloudpw."
  }
}

variable "description" {
  description = "Description of the mount, as vault secrets list shows it."
  type        = string
  default     = "Passwords of cloud servers"
}

variable "plugin" {
  description = <<-EOT
    The plugin, to have it registered in Vault's catalogue: the name of its file in plugin_directory, the file's SHA-256 checksum
    (PLUGIN_SHA256SUMS of the release) and the version that it reports. null: it is registered already.
  EOT
  type = object({
    command = optional(string, "vault-plugin-secrets-cloudpw")
    sha256  = string
    version = string
  })
  default = null

  validation {
    condition     = var.plugin == null ? true : can(regex("^[0-9a-f]{64}$", var.plugin.sha256))
    error_message = "plugin.sha256 is the checksum of the plugin's file: 64 hexadecimal digits, as sha256sum prints them."
  }
  validation {
    condition     = var.plugin == null ? true : can(regex("^v[0-9]+\\.[0-9]+\\.[0-9]+", var.plugin.version))
    error_message = "plugin.version is the version that the plugin reports, with a v, such as v0.1.0."
  }
}

variable "connections" {
  description = <<-EOT
    Connections by name: each is one cloud account in one region. The fields are those of config/ (docs/api/config.md) except for
    credentials, which are given in the variable of that name. Durations are numbers of seconds. Raise credentials_version when the
    variable credentials has new ones for the connection.
  EOT
  type = map(object({
    provider            = string
    credentials_version = optional(number, 1)

    # Where and as whom.
    region                    = optional(string)
    project_id                = optional(string)
    project_name              = optional(string)
    project_domain_name       = optional(string)
    auth_url                  = optional(string)
    username                  = optional(string)
    user_domain_name          = optional(string)
    application_credential_id = optional(string)
    agency_name               = optional(string)
    agency_domain_name        = optional(string)
    signature_style           = optional(string)
    subscription_id           = optional(string)
    tenant_id                 = optional(string)
    client_id                 = optional(string)
    cloud                     = optional(string)
    use_ambient_credentials   = optional(bool)
    role_arn                  = optional(string)
    external_id               = optional(string)
    endpoints                 = optional(map(string))
    ca_certificate            = optional(string)

    # provider=ssh
    login_user          = optional(string)
    max_sessions        = optional(string)
    proxy_jump          = optional(string)
    proxy_jump_host_key = optional(string)
    sudo                = optional(string)

    # What it may do.
    allowed_roles           = optional(list(string))
    required_tags           = optional(map(string))
    max_requests_per_second = optional(number)
    request_timeout         = optional(number)
    password_policy         = optional(string)
    verify_connection       = optional(bool)
    forget_gone_after       = optional(number)
    rotation_period         = optional(number)
  }))
  default = {}

  validation {
    condition     = alltrue([for name in keys(var.connections) : can(regex("^[\\w.-]+$", name))])
    error_message = "The name of a connection has letters, digits, underscores, dots and hyphens."
  }
  validation {
    condition = alltrue([for connection in values(var.connections) : contains(["alibabacloud", "aws", "azure", "huaweicloud",
    "openstack", "opentelekomcloud", "ssh", "tencentcloud"], connection.provider)])
    error_message = "provider is alibabacloud, aws, azure, huaweicloud, openstack, opentelekomcloud, ssh or tencentcloud."
  }
  validation {
    condition     = alltrue([for connection in values(var.connections) : connection.credentials_version >= 1])
    error_message = "credentials_version counts from 1."
  }
}

variable "credentials" {
  description = <<-EOT
    Credentials of connections, by the connection's name. Give them in the environment (TF_VAR_credentials) and for the apply only
    that writes them: Terraform keeps them in its state until the next apply without them. Connections with
    use_ambient_credentials need none.
  EOT
  type = map(object({
    access_key                    = optional(string)
    secret_key                    = optional(string)
    security_token                = optional(string)
    password                      = optional(string)
    application_credential_secret = optional(string)
    client_secret                 = optional(string)
    private_key                   = optional(string)
    generate_key                  = optional(bool)
  }))
  default   = {}
  sensitive = true

  validation {
    condition     = alltrue([for name in keys(var.credentials) : contains(keys(var.connections), name)])
    error_message = "Each name in credentials must be one of connections."
  }
}

variable "roles" {
  description = <<-EOT
    Roles by name: each is a set of servers of one connection, and what happens with their passwords. The fields are those of roles/
    (docs/api/roles.md). Durations are numbers of seconds. Each role gets a policy for its readers.
  EOT
  type = map(object({
    connection    = string
    instance_ids  = optional(list(string))
    instance_tags = optional(map(string))
    username      = optional(string)
    mode          = optional(string)
    source        = optional(string)
    key           = optional(string)

    # Leased roles.
    ttl              = optional(number)
    max_ttl          = optional(number)
    checkout         = optional(string)
    rotate_on_revoke = optional(string)

    # How passwords are set.
    reset_method         = optional(string)
    force_stop           = optional(bool)
    min_reset_interval   = optional(number)
    clear_initial        = optional(bool)
    skip_import_rotation = optional(bool)
    shared_password      = optional(bool)
    password_policy      = optional(string)

    # When they are set.
    rotation_period            = optional(number)
    rotation_schedule          = optional(string)
    rotation_timezone          = optional(string)
    rotation_window            = optional(number)
    rotate_on_read             = optional(bool)
    rotate_on_read_cooldown    = optional(number)
    disable_automated_rotation = optional(bool)

    # Checks.
    check_method             = optional(string)
    check_address            = optional(string)
    check_port               = optional(number)
    check_trust_on_first_use = optional(bool)
    verify_period            = optional(number)
    drift_action             = optional(string)
    read_drifted             = optional(bool)

    max_versions    = optional(number)
    custom_metadata = optional(map(string))
  }))
  default = {}

  validation {
    condition     = alltrue([for name in keys(var.roles) : can(regex("^[\\w.-]+$", name))])
    error_message = "The name of a role has letters, digits, underscores, dots and hyphens."
  }
  validation {
    condition     = length(distinct([for name in keys(var.roles) : lower(name)])) == length(var.roles)
    error_message = "The names of two roles differ in upper and lower case only, which the names of their policies cannot."
  }
  validation {
    condition     = alltrue([for role in values(var.roles) : contains(keys(var.connections), role.connection)])
    error_message = "The connection of each role must be one of connections."
  }
  validation {
    condition     = alltrue([for role in values(var.roles) : role.instance_ids != null || role.instance_tags != null])
    error_message = "A role needs instance_ids or instance_tags."
  }
  validation {
    condition     = alltrue([for role in values(var.roles) : role.mode == null ? true : contains(["leased", "static"], role.mode)])
    error_message = "mode is leased or static."
  }
  validation {
    condition     = alltrue([for role in values(var.roles) : role.rotation_period == null || role.rotation_schedule == null])
    error_message = "A role has rotation_period or rotation_schedule, not both."
  }
}

variable "personas" {
  description = <<-EOT
    Personas that get a policy, see docs/vault-policies.md. Readers and recorders have policies of their own: each role has one for
    its readers, and each connection in recorders has one for its recorders. Whoever has emergency may come to every password.
  EOT
  type        = set(string)
  default     = ["operator", "on-call", "security-officer", "administrator"]

  validation {
    condition = length(setsubtract(var.personas, ["operator", "on-call", "security-officer", "keeper-of-hosts", "keeper-of-host-keys",
    "administrator", "keeper-of-credentials", "no-unattended-rotation", "mover", "emergency"])) == 0
    error_message = "personas are operator, on-call, security-officer, keeper-of-hosts, keeper-of-host-keys, administrator, keeper-of-credentials, no-unattended-rotation, mover and emergency."
  }
}

variable "recorders" {
  description = "Names of connections for which there is a policy that allows recording passwords that only people set (import/)."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.recorders : contains(keys(var.connections), name)])
    error_message = "Each name in recorders must be one of connections."
  }
}

variable "policy_prefix" {
  description = "What the names of all policies begin with."
  type        = string
  default     = "cloudpw-"

  validation {
    condition     = length(var.policy_prefix) > 0 && lower(var.policy_prefix) == var.policy_prefix
    error_message = "policy_prefix is not empty and has no upper-case letters, which Vault makes lower-case: a plan would show a difference each time."
  }
}

variable "login_path" {
  description = "Path of the logins of your auth method, whose leases and tokens a security officer may end, such as auth/oidc/oidc/callback."
  type        = string
  default     = "auth/userpass/login"

  validation {
    condition     = can(regex("^auth/[^\\s]*[^/\\s]$", var.login_path))
    error_message = "login_path begins with auth/ and has no slash at its end."
  }
}

variable "name" {
  description = "Name of the IAM user or role, and of its policy."
  type        = string
  default     = "cloudpw"

  validation {
    condition     = can(regex("^[\\w+=,.@-]{1,64}$", var.name))
    error_message = "name has at most 64 letters, digits and the characters _+=,.@-, as IAM demands."
  }
}

variable "trusted_principals" {
  description = <<-EOT
    ARNs that may assume the identity, such as the role of the servers that run Vault: the module then makes a role, for
    use_ambient_credentials and role_arn. Without any it makes a user, whose access key you create yourself.
  EOT
  type        = list(string)
  default     = []
}

variable "external_id" {
  description = "With trusted_principals: the external id that whoever assumes the role must give (external_id of the connection). null: none."
  type        = string
  default     = null
}

variable "initial_passwords" {
  description = "Allow reading the initial passwords of Windows servers (source=initial)."
  type        = bool
  default     = true
}

variable "commands" {
  description = "Allow commands in servers with the tag, to set and check passwords. That is root on these servers."
  type        = bool
  default     = true
}

variable "tag" {
  description = "The tag of the servers on which commands may run. Whoever may set it can add servers. Give the connection the same tag in required_tags."
  type = object({
    key   = string
    value = string
  })
  default = { key = "cloudpw", value = "true" }
}

variable "fingerprints" {
  description = "Allow naming the fingerprints of key pairs, so that the error about a wrong key says which one is right."
  type        = bool
  default     = true
}

variable "rotate_root" {
  description = "With a user: allow Vault to replace the access key (rotate-root/, rotation_period) and to see its age."
  type        = bool
  default     = true
}

variable "assumes" {
  description = "ARNs of roles that the identity may assume, for connections with role_arn, such as the one in another account."
  type        = list(string)
  default     = []
}

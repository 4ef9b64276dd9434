variable "name" {
  description = "Name of the application credential."
  type        = string
  default     = "cloudpw"
}

variable "expires_at" {
  description = "When the application credential ends, such as 2027-12-31T00:00:00Z. One that replaces it ends at the same time. null: never."
  type        = string
  default     = null
}

variable "roles" {
  description = "Roles of the user of this provider that the application credential has in its project."
  type        = list(string)
  default     = ["member", "reader"]

  validation {
    condition     = length(var.roles) > 0
    error_message = "roles is not empty: without roles the application credential has all roles of its user."
  }
}

variable "initial_passwords" {
  description = "Allow reading the initial passwords of Windows servers (source=initial)."
  type        = bool
  default     = true
}

variable "clear_initial" {
  description = "Allow deleting the cloud's copy of initial passwords (clear_initial)."
  type        = bool
  default     = false
}

variable "resets" {
  description = "Allow setting passwords (reset_method=api). Nova's rule is about all actions of servers, which include to stop and to rebuild them."
  type        = bool
  default     = true
}

variable "fingerprints" {
  description = "Allow naming the fingerprints of key pairs, so that the error about a wrong key says which one is right."
  type        = bool
  default     = true
}

variable "rotate_root" {
  description = <<-EOT
    Allow Vault to replace the application credential (rotate-root/, rotation_period). It is then an unrestricted one, which can make
    others with all roles of its user: limit the user, too.
  EOT
  type        = bool
  default     = false
}

variable "compute_path" {
  description = "Path of Nova's public endpoint, without the project's id: /v2.1, or /compute/v2.1 where it is below another one."
  type        = string
  default     = "/v2.1"

  validation {
    condition     = can(regex("^/.*[^/]$", var.compute_path))
    error_message = "compute_path begins with a slash and does not end with one."
  }
}

variable "image_path" {
  description = "Path of Glance's public endpoint: /v2, or /image/v2 where it is below another one."
  type        = string
  default     = "/v2"

  validation {
    condition     = can(regex("^/.*[^/]$", var.image_path))
    error_message = "image_path begins with a slash and does not end with one."
  }
}

variable "identity_path" {
  description = "Path of Keystone's public endpoint: /v3, or /identity/v3 where it is below another one."
  type        = string
  default     = "/v3"

  validation {
    condition     = can(regex("^/.*[^/]$", var.identity_path))
    error_message = "identity_path begins with a slash and does not end with one."
  }
}

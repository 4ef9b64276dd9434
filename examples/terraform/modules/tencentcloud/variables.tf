variable "name" {
  description = "Name of the CAM user and of its policy."
  type        = string
  default     = "cloudpw"

  validation {
    condition     = can(regex("^[\\w+=,.@-]{1,64}$", var.name))
    error_message = "name has at most 64 letters, digits and the characters _+=,.@-."
  }
}

variable "resets" {
  description = "Servers whose passwords may be set by ResetInstancesPassword (reset_method=api), such as qcs::cvm:eu-frankfurt:uin/100000000001:instance/*. By default all; [] forbids it."
  type        = list(string)
  default     = ["*"]
}

variable "commands" {
  description = "Allow commands in servers, to set and check passwords (reset_method=command, check_method=command). That is root on every server of the account."
  type        = bool
  default     = false
}

variable "rotate_root" {
  description = "Allow Vault to replace the API key (rotate-root/, rotation_period) and to see its age."
  type        = bool
  default     = true
}

variable "assumes" {
  description = "CAM roles that the user may assume, for connections with role_arn, such as qcs::cam::uin/100000000001:roleName/cloudpw."
  type        = list(string)
  default     = []
}

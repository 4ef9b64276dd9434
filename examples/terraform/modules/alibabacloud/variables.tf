variable "name" {
  description = "Name of the RAM user and of its policy."
  type        = string
  default     = "cloudpw"

  validation {
    condition     = can(regex("^[0-9A-Za-z][0-9A-Za-z-]{0,63}$", var.name))
    error_message = "name has at most 64 letters, digits and hyphens and does not begin with a hyphen, as RAM demands of users and policies."
  }
}

variable "instances" {
  description = <<-EOT
    Servers on which commands may run, which is root on them: ARNs such as
    acs:ecs:eu-central-1:1000000000000001:instance/i-bp67acfmxazb4p1x2y3z. By default all servers of the account.
  EOT
  type        = list(string)
  default     = ["acs:ecs:*:*:instance/*"]

  validation {
    condition     = length(var.instances) > 0 && alltrue([for arn in var.instances : can(regex("^acs:ecs:[^:]*:[^:]*:instance/.+$", arn))])
    error_message = "Each of instances has the form acs:ecs:<region>:<account>:instance/<id>."
  }
}

variable "rotate_root" {
  description = "Allow Vault to replace the access key (rotate-root/, rotation_period) and to see its age."
  type        = bool
  default     = true
}

variable "assumes" {
  description = "ARNs of RAM roles that the user may assume, for connections with role_arn."
  type        = list(string)
  default     = []
}

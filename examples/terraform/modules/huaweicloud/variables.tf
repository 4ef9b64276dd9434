variable "name" {
  description = "Name of the IAM user, of its group, and what the names of its policies begin with."
  type        = string
  default     = "cloudpw"

  validation {
    condition     = can(regex("^[A-Za-z _-][\\w -]{4,31}$", var.name))
    error_message = "name has 5 to 32 letters, digits, spaces, hyphens and underscores and does not begin with a digit, as IAM demands of users."
  }
}

variable "project_id" {
  description = "Id of the project of the region, as project_id of the connection. The policies hold in it only."
  type        = string
}

variable "servers" {
  description = "Allow finding servers and reading their initial passwords (the first policy of docs/clouds/huaweicloud.md)."
  type        = bool
  default     = true
}

variable "commands" {
  description = "Allow COC to run scripts in servers, to set and check passwords of Linux. That is root on every server of the project."
  type        = bool
  default     = false
}

variable "name" {
  description = "Name of the role and of the application."
  type        = string
  default     = "cloudpw"
}

variable "subscription_id" {
  description = "Id of the subscription, as subscription_id of the connection."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", lower(var.subscription_id)))
    error_message = "subscription_id is a GUID, without /subscriptions/."
  }
}

variable "scopes" {
  description = <<-EOT
    Resource ids of the resource groups or machines that cloudpw may work on. The role is root on every machine in them, so do not give
    the subscription.
  EOT
  type        = set(string)

  validation {
    condition     = length(var.scopes) > 0 && alltrue([for scope in var.scopes : startswith(lower(scope), lower("/subscriptions/${var.subscription_id}/resourceGroups/"))])
    error_message = "Each of scopes begins with /subscriptions/<subscription_id>/resourceGroups/, such as the id of a resource group."
  }
}

variable "principal_id" {
  description = <<-EOT
    Object id of an identity that exists already, such as the managed identity of the machines that run Vault, for
    use_ambient_credentials. null: the module makes an application, whose secret you create yourself.
  EOT
  type        = string
  default     = null
}

variable "private_addresses" {
  description = "Allow reading network interfaces, so that answers have private addresses."
  type        = bool
  default     = true
}

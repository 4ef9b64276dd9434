output "client_id" {
  description = "client_id of the connection; null if principal_id was given."
  value       = one(azuread_application.cloudpw[*].client_id)
}

output "role_definition_id" {
  description = "Resource id of the role."
  value       = azurerm_role_definition.cloudpw.role_definition_resource_id
}

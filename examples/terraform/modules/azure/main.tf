locals {
  # The same actions as in docs/clouds/azure.md.
  actions = concat(
    [
      "Microsoft.Compute/virtualMachines/read",
      "Microsoft.Compute/virtualMachines/instanceView/read",
      "Microsoft.Compute/virtualMachines/runCommands/read",
      "Microsoft.Compute/virtualMachines/runCommands/write",
      "Microsoft.Compute/virtualMachines/runCommands/delete",
    ],
    [for enabled in [var.private_addresses] : "Microsoft.Network/networkInterfaces/read" if enabled],
  )

  principal_id = var.principal_id == null ? azuread_service_principal.cloudpw[0].object_id : var.principal_id
}

resource "azurerm_role_definition" "cloudpw" {
  name              = var.name
  description       = "Set passwords of virtual machines by run commands."
  scope             = "/subscriptions/${var.subscription_id}"
  assignable_scopes = ["/subscriptions/${var.subscription_id}"]

  permissions {
    actions     = local.actions
    not_actions = []
  }
}

resource "azuread_application" "cloudpw" {
  count = var.principal_id == null ? 1 : 0

  display_name = var.name
}

resource "azuread_service_principal" "cloudpw" {
  count = var.principal_id == null ? 1 : 0

  client_id = azuread_application.cloudpw[0].client_id
}

resource "azurerm_role_assignment" "cloudpw" {
  for_each = var.scopes

  scope              = each.value
  role_definition_id = azurerm_role_definition.cloudpw.role_definition_resource_id
  principal_id       = local.principal_id
}

locals {
  # What is not given is not sent, so that Vault's default holds.
  connections = {
    for name, fields in var.connections : name => {
      for key, value in fields : key => value if value != null && key != "credentials_version"
    }
  }

  # What identifies a write of credentials: the names are no secret, the values are.
  credentials = {
    for name in nonsensitive(keys(var.credentials)) : "${name}/${var.connections[name].credentials_version}" => name
  }
}

# Written once for each credentials_version. Vault does not read credentials back, and may replace them itself (rotate-root/,
# rotation_period): so they are never written again, whatever changes.
resource "vault_generic_endpoint" "credentials" {
  for_each = local.credentials

  path           = "${vault_mount.cloudpw.path}/config/${each.value}"
  disable_read   = true
  disable_delete = true
  data_json = jsonencode(merge(local.connections[each.value], {
    for key, value in var.credentials[each.value] : key => value if value != null
  }))

  lifecycle {
    ignore_changes = [data_json]
  }
}

# The rest of a connection, which Vault reads back, so that changes by others are seen.
resource "vault_generic_endpoint" "connection" {
  for_each   = local.connections
  depends_on = [vault_generic_endpoint.credentials]

  path                 = "${vault_mount.cloudpw.path}/config/${each.key}"
  ignore_absent_fields = true
  data_json            = jsonencode(each.value)
}

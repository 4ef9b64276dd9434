resource "vault_generic_endpoint" "role" {
  for_each   = var.roles
  depends_on = [vault_generic_endpoint.connection]

  path                 = "${vault_mount.cloudpw.path}/roles/${each.key}"
  ignore_absent_fields = true
  # What is not given is not sent, so that Vault's default holds.
  data_json = jsonencode({ for key, value in each.value : key => value if value != null })
}

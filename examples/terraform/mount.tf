# The plugin's entry in Vault's catalogue. The file itself must be in plugin_directory of every node before.
resource "vault_plugin" "cloudpw" {
  count = var.plugin == null ? 0 : 1

  type    = "secret"
  name    = "vault-plugin-secrets-cloudpw"
  version = var.plugin.version
  command = var.plugin.command
  sha256  = var.plugin.sha256
}

resource "vault_mount" "cloudpw" {
  path           = var.mount
  type           = "vault-plugin-secrets-cloudpw"
  description    = var.description
  plugin_version = var.plugin == null ? null : vault_plugin.cloudpw[0].version

  lifecycle {
    # Whoever deletes the mount deletes the passwords of all servers: Vault has the only copy of most of them.
    prevent_destroy = true
  }
}

output "mount" {
  description = "Path of the mount."
  value       = vault_mount.cloudpw.path
}

output "reader_policies" {
  description = "Names of the policies that allow reading, by role."
  value       = { for role, policy in vault_policy.reader : role => policy.name }
}

output "persona_policies" {
  description = "Names of the other policies, by persona."
  value       = { for persona, policy in vault_policy.persona : persona => policy.name }
}

output "recorder_policies" {
  description = "Names of the policies that allow recording passwords that only people set, by connection."
  value       = { for connection, policy in vault_policy.recorder : connection => policy.name }
}

output "rotate_root" {
  description = "Commands to type after the first apply: they replace the credentials by ones that only Vault knows."
  value = [
    for name in values(local.credentials) : "vault write -force ${vault_mount.cloudpw.path}/rotate-root/${name}"
    if nonsensitive(anytrue([for field in ["access_key", "application_credential_secret", "private_key"] : var.credentials[name][field] != null]))
  ]
}

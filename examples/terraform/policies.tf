# The texts are those of docs/vault-policies.md.

resource "vault_policy" "persona" {
  for_each = var.personas

  name = "${var.policy_prefix}${each.key}"
  policy = templatefile("${path.module}/policies/${each.key}.hcl.tftpl", {
    mount      = vault_mount.cloudpw.path
    login_path = var.login_path
  })
}

# Whoever has it reads the passwords of one role, and gives leases back.
resource "vault_policy" "reader" {
  for_each = var.roles

  # Vault keeps names of policies in lower case.
  name = lower("${var.policy_prefix}reader-${each.key}")
  policy = templatefile("${path.module}/policies/reader.hcl.tftpl", {
    mount = vault_mount.cloudpw.path
    role  = each.key
  })
}

# Whoever has it records passwords that only people set, of the servers of one connection.
resource "vault_policy" "recorder" {
  for_each = var.recorders

  name = lower("${var.policy_prefix}recorder-${each.key}")
  policy = templatefile("${path.module}/policies/recorder.hcl.tftpl", {
    mount      = vault_mount.cloudpw.path
    connection = each.key
  })
}

locals {
  # The calls behind the policies of docs/clouds/openstack.md.
  access_rules = concat(
    [
      { service = "compute", method = "GET", path = "${var.compute_path}/servers" },
      { service = "compute", method = "GET", path = "${var.compute_path}/servers/detail" },
      { service = "compute", method = "GET", path = "${var.compute_path}/servers/{server_id}" },
    ],
    [for enabled in [var.initial_passwords] :
      { service = "compute", method = "GET", path = "${var.compute_path}/servers/{server_id}/os-server-password" }
    if enabled],
    [for enabled in [var.clear_initial] :
      { service = "compute", method = "DELETE", path = "${var.compute_path}/servers/{server_id}/os-server-password" }
    if enabled],
    [for enabled in [var.resets] :
      { service = "compute", method = "POST", path = "${var.compute_path}/servers/{server_id}/action" }
    if enabled],
    [for enabled in [var.resets] :
      { service = "image", method = "GET", path = "${var.image_path}/images/{image_id}" }
    if enabled],
    [for enabled in [var.fingerprints] :
      { service = "compute", method = "GET", path = "${var.compute_path}/os-keypairs/{keypair_name}" }
    if enabled],
    [
      { service = "identity", method = "GET", path = "${var.identity_path}/users/{user_id}/application_credentials/{id}" },
    ],
    [for method in ["GET", "POST"] :
      { service = "identity", method = method, path = "${var.identity_path}/users/{user_id}/application_credentials" }
    if var.rotate_root],
    [for enabled in [var.rotate_root] :
      { service = "identity", method = "DELETE", path = "${var.identity_path}/users/{user_id}/application_credentials/{id}" }
    if enabled],
  )
}

# The secret is in Terraform's state: rotate-root/ makes that one worthless.
resource "openstack_identity_application_credential_v3" "cloudpw" {
  name         = var.name
  description  = "cloudpw"
  roles        = var.roles
  unrestricted = var.rotate_root
  expires_at   = var.expires_at

  dynamic "access_rules" {
    for_each = local.access_rules

    content {
      service = access_rules.value.service
      method  = access_rules.value.method
      path    = access_rules.value.path
    }
  }
}

output "application_credential_id" {
  description = "application_credential_id of the connection."
  value       = openstack_identity_application_credential_v3.cloudpw.id
}

output "application_credential_secret" {
  description = "application_credential_secret of the connection."
  value       = openstack_identity_application_credential_v3.cloudpw.secret
  sensitive   = true
}

output "user_name" {
  description = "Name of the IAM user, whose access key you create."
  value       = huaweicloud_identity_user.cloudpw.name
}

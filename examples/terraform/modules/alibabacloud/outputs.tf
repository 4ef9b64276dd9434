output "user_name" {
  description = "Name of the RAM user, whose access key you create."
  value       = alicloud_ram_user.cloudpw.name
}

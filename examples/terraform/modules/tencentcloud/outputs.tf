output "user_name" {
  description = "Name of the CAM user, whose API key you create."
  value       = tencentcloud_cam_user.cloudpw.name
}

output "user_name" {
  description = "Name of the user, whose access key you create; null if the module made a role."
  value       = one(aws_iam_user.cloudpw[*].name)
}

output "role_arn" {
  description = "ARN of the role, for role_arn of the connection; null if the module made a user."
  value       = one(aws_iam_role.cloudpw[*].arn)
}

output "policy_arn" {
  description = "ARN of the policy."
  value       = aws_iam_policy.cloudpw.arn
}

output "required_tags" {
  description = "For required_tags of the connection, so that it serves the same servers as the policy."
  value       = var.commands ? { (var.tag.key) = var.tag.value } : {}
}

locals {
  # The same statements as in docs/clouds/alibabacloud.md.
  statements = concat(
    [
      {
        Effect = "Allow"
        Action = [
          "ecs:DescribeInstances", "ecs:DescribeInvocations", "ecs:DescribeInvocationResults",
          "ecs:DescribeCloudAssistantStatus", "sts:GetCallerIdentity",
        ]
        Resource = ["*"]
      },
      {
        Effect   = "Allow"
        Action   = ["ecs:RunCommand"]
        Resource = concat(var.instances, ["acs:ecs:*:*:command/*"])
      },
    ],
    [for enabled in [var.rotate_root] : {
      Effect   = "Allow"
      Action   = ["ram:ListAccessKeys", "ram:CreateAccessKey", "ram:UpdateAccessKey", "ram:DeleteAccessKey"]
      Resource = ["acs:ram:*:*:user/${var.name}"]
    } if enabled],
    [for roles in [var.assumes] : {
      Effect   = "Allow"
      Action   = ["sts:AssumeRole"]
      Resource = roles
    } if length(roles) > 0],
  )

  policy = jsonencode({ Version = "1", Statement = local.statements })
}

resource "alicloud_ram_user" "cloudpw" {
  name     = var.name
  comments = "cloudpw"
  # Vault makes and deletes access keys, which Terraform does not know of.
  force = true
}

resource "alicloud_ram_policy" "cloudpw" {
  policy_name     = var.name
  description     = "What cloudpw needs to set passwords of servers."
  policy_document = local.policy
}

resource "alicloud_ram_user_policy_attachment" "cloudpw" {
  user_name   = alicloud_ram_user.cloudpw.name
  policy_name = alicloud_ram_policy.cloudpw.policy_name
  policy_type = "Custom"
}

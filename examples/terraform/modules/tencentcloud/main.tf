locals {
  # The same statements as in docs/clouds/tencentcloud.md.
  statements = concat(
    [{
      effect   = "allow"
      action   = ["cvm:DescribeInstances", "sts:GetCallerIdentity"]
      resource = ["*"]
    }],
    [for servers in [var.resets] : {
      effect   = "allow"
      action   = ["cvm:ResetInstancesPassword"]
      resource = servers
    } if length(servers) > 0],
    [for enabled in [var.commands] : {
      effect   = "allow"
      action   = ["tat:RunCommand", "tat:DescribeInvocationTasks"]
      resource = ["*"]
    } if enabled],
    [for enabled in [var.rotate_root] : {
      effect   = "allow"
      action   = ["cam:ListAccessKeys", "cam:CreateAccessKey", "cam:UpdateAccessKey", "cam:DeleteAccessKey"]
      resource = ["*"]
    } if enabled],
    [for roles in [var.assumes] : {
      effect   = "allow"
      action   = ["sts:AssumeRole"]
      resource = roles
    } if length(roles) > 0],
  )

  policy = jsonencode({ version = "2.0", statement = local.statements })
}

resource "tencentcloud_cam_user" "cloudpw" {
  name          = var.name
  remark        = "cloudpw"
  console_login = false
  # The provider would write the key into Terraform's state.
  use_api = false
  # Vault makes and deletes API keys, which Terraform does not know of.
  force_delete = true
}

resource "tencentcloud_cam_policy" "cloudpw" {
  name        = var.name
  description = "What cloudpw needs to set passwords of servers."
  document    = local.policy
}

resource "tencentcloud_cam_user_policy_attachment" "cloudpw" {
  user_name = tencentcloud_cam_user.cloudpw.name
  policy_id = tencentcloud_cam_policy.cloudpw.id
}

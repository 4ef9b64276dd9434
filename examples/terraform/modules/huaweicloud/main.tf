locals {
  # The same policies as in docs/clouds/huaweicloud.md.
  policies = {
    for name, statements in {
      servers = [
        {
          Effect = "Allow"
          Action = [
            "ecs:servers:list",
            "ecs:servers:get",
            "ecs:serverPasswords:manage",
          ]
        },
        {
          Effect = "Allow"
          Action = [
            "ecs:serverKeypairs:get",
            "ecs:serverVolumes:use",
            "ecs:diskConfigs:use",
            "ecs:securityGroups:use",
            "vpc:securityGroups:get",
            "vpc:securityGroupRules:get",
            "vpc:networks:get",
            "vpc:subnets:get",
            "vpc:ports:get",
            "vpc:routers:get",
          ]
        },
      ]
      commands = [
        {
          Effect = "Allow"
          Action = [
            "coc:document:create",
            "coc:document:list",
            "coc:document:get",
            "coc:instance:executeDocument",
            "coc:job:list",
            "aom:uniagentAgent:list",
          ]
        },
      ]
    } : name => jsonencode({ Version = "1.1", Statement = statements })
    if { servers = var.servers, commands = var.commands }[name]
  }
}

resource "huaweicloud_identity_user" "cloudpw" {
  name        = var.name
  description = "cloudpw"
  access_type = "programmatic"
}

resource "huaweicloud_identity_group" "cloudpw" {
  name        = var.name
  description = "cloudpw"
}

resource "huaweicloud_identity_group_membership" "cloudpw" {
  group = huaweicloud_identity_group.cloudpw.id
  users = [huaweicloud_identity_user.cloudpw.id]
}

resource "huaweicloud_identity_role" "cloudpw" {
  for_each = local.policies

  name        = "${var.name}-${each.key}"
  description = "What cloudpw needs: ${each.key}"
  type        = "XA"
  policy      = each.value
}

resource "huaweicloud_identity_group_role_assignment" "cloudpw" {
  for_each = local.policies

  group_id   = huaweicloud_identity_group.cloudpw.id
  role_id    = huaweicloud_identity_role.cloudpw[each.key].id
  project_id = var.project_id
}

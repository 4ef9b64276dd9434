locals {
  makes_role = length(var.trusted_principals) > 0

  # The same statements as in docs/clouds/aws.md.
  statements = concat(
    [{
      Sid      = "FindInstances"
      Effect   = "Allow"
      Action   = ["ec2:DescribeInstances"]
      Resource = ["*"]
    }],
    [for enabled in [var.initial_passwords] : {
      Sid      = "ReadInitialPasswords"
      Effect   = "Allow"
      Action   = ["ec2:GetPasswordData"]
      Resource = ["arn:${local.partition}:ec2:*:*:instance/*"]
    } if enabled],
    [for enabled in [var.commands] : {
      Sid    = "RunTheseDocumentsOnly"
      Effect = "Allow"
      Action = ["ssm:SendCommand"]
      Resource = [
        "arn:${local.partition}:ssm:*::document/AWS-RunShellScript",
        "arn:${local.partition}:ssm:*::document/AWS-RunPowerShellScript",
      ]
    } if enabled],
    [for enabled in [var.commands] : {
      Sid      = "RunThemOnTaggedInstancesOnly"
      Effect   = "Allow"
      Action   = ["ssm:SendCommand"]
      Resource = ["arn:${local.partition}:ec2:*:*:instance/*"]
      Condition = {
        StringEquals = { "ssm:resourceTag/${var.tag.key}" = var.tag.value }
      }
    } if enabled],
    [for enabled in [var.commands] : {
      Sid      = "SeeWhatBecameOfThem"
      Effect   = "Allow"
      Action   = ["ssm:GetCommandInvocation", "ssm:ListCommandInvocations", "ssm:DescribeInstanceInformation"]
      Resource = ["*"]
    } if enabled],
    [for enabled in [var.fingerprints] : {
      Sid      = "OptionalFingerprintsInErrors"
      Effect   = "Allow"
      Action   = ["ec2:DescribeKeyPairs"]
      Resource = ["*"]
    } if enabled],
    [for enabled in [var.rotate_root && !local.makes_role] : {
      Sid      = "OptionalRotateRoot"
      Effect   = "Allow"
      Action   = ["iam:ListAccessKeys", "iam:CreateAccessKey", "iam:DeleteAccessKey"]
      Resource = ["arn:${local.partition}:iam::*:user/$${aws:username}"]
    } if enabled],
    [for roles in [var.assumes] : {
      Sid      = "OptionalRoleARN"
      Effect   = "Allow"
      Action   = ["sts:AssumeRole"]
      Resource = roles
    } if length(roles) > 0],
  )

  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements })

  partition = data.aws_partition.current.partition
}

data "aws_partition" "current" {}

resource "aws_iam_policy" "cloudpw" {
  name        = var.name
  description = "What cloudpw needs to set and read passwords of servers."
  policy      = local.policy
}

resource "aws_iam_user" "cloudpw" {
  count = local.makes_role ? 0 : 1

  name = var.name
  # Vault makes and deletes access keys, which Terraform does not know of.
  force_destroy = true
}

resource "aws_iam_user_policy_attachment" "cloudpw" {
  count = local.makes_role ? 0 : 1

  user       = aws_iam_user.cloudpw[0].name
  policy_arn = aws_iam_policy.cloudpw.arn
}

resource "aws_iam_role" "cloudpw" {
  count = local.makes_role ? 1 : 0

  name        = var.name
  description = "cloudpw assumes it."
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [merge(
      {
        Effect    = "Allow"
        Action    = ["sts:AssumeRole"]
        Principal = { AWS = var.trusted_principals }
      },
      { for id in [var.external_id] : "Condition" => { StringEquals = { "sts:ExternalId" = id } } if id != null },
    )]
  })
}

resource "aws_iam_role_policy_attachment" "cloudpw" {
  count = local.makes_role ? 1 : 0

  role       = aws_iam_role.cloudpw[0].name
  policy_arn = aws_iam_policy.cloudpw.arn
}

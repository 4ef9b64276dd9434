terraform {
  # A validation that looks at another variable takes Terraform or OpenTofu 1.9.
  required_version = ">= 1.9"

  required_providers {
    vault = {
      source  = "hashicorp/vault"
      version = ">= 4.4"
    }
  }
}

# Address, namespace and token come from the environment: VAULT_ADDR, VAULT_NAMESPACE, VAULT_TOKEN.
provider "vault" {}

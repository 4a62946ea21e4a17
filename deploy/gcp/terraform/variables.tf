variable "project" {
  description = "Project for the topics, the subscriptions and the service account: one that few people can change, not one that is watched."
  type        = string
}

variable "scope" {
  description = "What is watched: organizations/NUMBER, folders/NUMBER or projects/ID."
  type        = string

  validation {
    condition     = can(regex("^(organizations/[0-9]+|folders/[0-9]+|projects/[a-z0-9.:-]+)$", var.scope))
    error_message = "Expected organizations/NUMBER, folders/NUMBER or projects/ID."
  }
}

variable "workload_identity" {
  description = "Kubernetes service account that runs the watcher on GKE, as POOL[NAMESPACE/NAME], such as prod.svc.id.goog[mollyguard/mollyguard-audit]; empty for none."
  type        = string
  default     = ""
}

variable "region" {
  description = "Region in which Pub/Sub may keep messages; empty for any."
  type        = string
  default     = ""
}

variable "asset_types" {
  description = "Types of resources whose changes keep the labels current, as Cloud Asset Inventory names them."
  type        = list(string)
  default = [
    "cloudresourcemanager.googleapis.com/Project",
    "cloudresourcemanager.googleapis.com/Folder",
    "container.googleapis.com/Cluster",
    "container.googleapis.com/NodePool",
    "compute.googleapis.com/Instance",
    "compute.googleapis.com/Disk",
    "compute.googleapis.com/Snapshot",
    "sqladmin.googleapis.com/Instance",
    "storage.googleapis.com/Bucket",
    "bigquery.googleapis.com/Dataset",
    "bigquery.googleapis.com/Table",
    "pubsub.googleapis.com/Topic",
    "pubsub.googleapis.com/Subscription",
    "spanner.googleapis.com/Instance",
    "redis.googleapis.com/Instance",
    "run.googleapis.com/Service",
    "cloudkms.googleapis.com/CryptoKey",
    "secretmanager.googleapis.com/Secret",
    "dns.googleapis.com/ManagedZone",
    "artifactregistry.googleapis.com/Repository",
  ]
}

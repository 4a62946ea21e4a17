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
  description = "Kubernetes service account that runs the watcher on GKE, as POOL[NAMESPACE/NAME], such as platform.svc.id.goog[mollyguard-audit/mollyguard-audit]; empty for none."
  type        = string
  default     = ""
}

variable "region" {
  description = "Region in which Pub/Sub may keep messages; empty for any."
  type        = string
  default     = ""
}

variable "heartbeat" {
  description = "Project that heartbeats are written to: one within the scope, or they never come back. Empty for the scope itself if it is a project, else for var.project, which then has to be within the scope."
  type        = string
  default     = ""
}

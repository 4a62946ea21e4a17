locals {
  kind = split("/", var.scope)[0]
  id   = split("/", var.scope)[1]

  # The same text as the watcher uses when it reads Cloud Logging itself.
  filter = trimspace(file("${path.module}/../filter.txt"))

  regions = var.region == "" ? [] : [var.region]

  heartbeat = coalesce(var.heartbeat, local.kind == "projects" ? local.id : var.project)

  writer = one(concat(
    google_logging_organization_sink.audit[*].writer_identity,
    google_logging_folder_sink.audit[*].writer_identity,
    google_logging_project_sink.audit[*].writer_identity,
  ))
}

resource "google_project_service" "used" {
  for_each = toset(["cloudasset.googleapis.com", "logging.googleapis.com", "pubsub.googleapis.com"])
  project  = var.project
  service  = each.value
  # Others may use them too.
  disable_on_destroy = false
}

# What the log sink publishes to.

resource "google_pubsub_topic" "audit" {
  project = var.project
  name    = "mollyguard-audit"

  dynamic "message_storage_policy" {
    for_each = local.regions
    content {
      allowed_persistence_regions = [message_storage_policy.value]
    }
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [google_project_service.used]
}

resource "google_pubsub_subscription" "audit" {
  project = var.project
  name    = "mollyguard-audit"
  topic   = google_pubsub_topic.audit.id

  # Long enough for a slow disk; the client library extends it while it works.
  ack_deadline_seconds = 60
  # How long the watcher may be down before alerts are lost: the longest there is. What
  # waits longer than a day costs storage.
  message_retention_duration = "2678400s"

  # It must not vanish because nobody read it for a month.
  expiration_policy {
    ttl = ""
  }

  # The end of an operation that overtook its start is handed back, and comes again
  # after this.
  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "300s"
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_logging_organization_sink" "audit" {
  count            = local.kind == "organizations" ? 1 : 0
  org_id           = local.id
  name             = "mollyguard-audit"
  destination      = "pubsub.googleapis.com/${google_pubsub_topic.audit.id}"
  filter           = local.filter
  include_children = true
}

resource "google_logging_folder_sink" "audit" {
  count            = local.kind == "folders" ? 1 : 0
  folder           = local.id
  name             = "mollyguard-audit"
  destination      = "pubsub.googleapis.com/${google_pubsub_topic.audit.id}"
  filter           = local.filter
  include_children = true
}

resource "google_logging_project_sink" "audit" {
  count                  = local.kind == "projects" ? 1 : 0
  project                = local.id
  name                   = "mollyguard-audit"
  destination            = "pubsub.googleapis.com/${google_pubsub_topic.audit.id}"
  filter                 = local.filter
  unique_writer_identity = true
}

resource "google_pubsub_topic_iam_member" "sink" {
  project = var.project
  topic   = google_pubsub_topic.audit.name
  role    = "roles/pubsub.publisher"
  member  = local.writer
}

# Who reads: one subscription and the inventory, and nothing else.

resource "google_service_account" "watcher" {
  project      = var.project
  account_id   = "mollyguard-audit"
  display_name = "Mollyguard audit-log watcher"
}

resource "google_pubsub_subscription_iam_member" "reads" {
  for_each = {
    audit  = google_pubsub_subscription.audit.name
    assets = google_pubsub_subscription.assets.name
  }
  project      = var.project
  subscription = each.value
  role         = "roles/pubsub.subscriber"
  member       = google_service_account.watcher.member
}

# Heartbeats. The role lets it write any log of that project, but no audit log.
resource "google_project_iam_member" "writes" {
  project = local.heartbeat
  role    = "roles/logging.logWriter"
  member  = google_service_account.watcher.member
}

# Every call to Cloud Asset Inventory counts against the quota of this project.
resource "google_project_iam_member" "calls" {
  project = var.project
  role    = "roles/serviceusage.serviceUsageConsumer"
  member  = google_service_account.watcher.member
}

# Labels and tags of all resources, and what they were. It can see metadata and IAM
# policies, and change nothing.
resource "google_organization_iam_member" "assets" {
  count  = local.kind == "organizations" ? 1 : 0
  org_id = local.id
  role   = "roles/cloudasset.viewer"
  member = google_service_account.watcher.member
}

resource "google_folder_iam_member" "assets" {
  count  = local.kind == "folders" ? 1 : 0
  folder = "folders/${local.id}"
  role   = "roles/cloudasset.viewer"
  member = google_service_account.watcher.member
}

resource "google_project_iam_member" "assets" {
  count   = local.kind == "projects" ? 1 : 0
  project = local.id
  role    = "roles/cloudasset.viewer"
  member  = google_service_account.watcher.member
}

resource "google_service_account_iam_member" "workload_identity" {
  count              = var.workload_identity == "" ? 0 : 1
  service_account_id = google_service_account.watcher.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${var.workload_identity}"
}

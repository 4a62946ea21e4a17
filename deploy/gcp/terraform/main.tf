locals {
  kind = split("/", var.scope)[0]
  id   = split("/", var.scope)[1]

  # The same text as the watcher uses when it reads Cloud Logging itself.
  filter = trimspace(file("${path.module}/../filter.txt"))

  regions = var.region == "" ? [] : [var.region]
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
}

resource "google_pubsub_subscription" "audit" {
  project = var.project
  name    = "mollyguard-audit"
  topic   = google_pubsub_topic.audit.id

  # Long enough for a slow disk; the client library extends it while it works.
  ack_deadline_seconds = 60
  # How long the watcher may be down before alerts are lost: the longest there is.
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
  member = one(concat(
    google_logging_organization_sink.audit[*].writer_identity,
    google_logging_folder_sink.audit[*].writer_identity,
    google_logging_project_sink.audit[*].writer_identity,
  ))
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

# Lets it tell a subscription that is gone from one that is quiet.
resource "google_pubsub_subscription_iam_member" "looks" {
  for_each = {
    audit  = google_pubsub_subscription.audit.name
    assets = google_pubsub_subscription.assets.name
  }
  project      = var.project
  subscription = each.value
  role         = "roles/pubsub.viewer"
  member       = google_service_account.watcher.member
}

# Heartbeats, which come back through the sink if it is at var.project or above.
resource "google_project_iam_member" "writes" {
  project = var.project
  role    = "roles/logging.logWriter"
  member  = google_service_account.watcher.member
}

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

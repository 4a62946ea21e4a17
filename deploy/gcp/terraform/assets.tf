# Keeps the labels current between two looks at the whole inventory.

locals {
  asset_types = compact(split("\n", file("${path.module}/../asset-types.txt")))
}

# Whom the feed publishes as. That the API is on does not make it.
resource "google_project_service_identity" "assets" {
  provider = google-beta
  project  = var.project
  service  = "cloudasset.googleapis.com"

  depends_on = [google_project_service.used]
}

resource "google_pubsub_topic" "assets" {
  project = var.project
  name    = "mollyguard-assets"

  dynamic "message_storage_policy" {
    for_each = local.regions
    content {
      allowed_persistence_regions = [message_storage_policy.value]
    }
  }

  depends_on = [google_project_service.used]
}

resource "google_pubsub_subscription" "assets" {
  project              = var.project
  name                 = "mollyguard-assets"
  topic                = google_pubsub_topic.assets.id
  ack_deadline_seconds = 60
  # A week: what is older the next search of the whole inventory knows as well.
  message_retention_duration = "604800s"

  expiration_policy {
    ttl = ""
  }

  # What a watcher hands back, because its disk is full, comes again after this.
  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "300s"
  }
}

resource "google_pubsub_topic_iam_member" "assets" {
  project = var.project
  topic   = google_pubsub_topic.assets.name
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:${google_project_service_identity.assets.email}"
}

resource "google_cloud_asset_organization_feed" "assets" {
  count           = local.kind == "organizations" ? 1 : 0
  org_id          = local.id
  billing_project = var.project
  feed_id         = "mollyguard"
  content_type    = "RESOURCE"
  asset_types     = local.asset_types

  feed_output_config {
    pubsub_destination {
      topic = google_pubsub_topic.assets.id
    }
  }

  depends_on = [google_pubsub_topic_iam_member.assets]
}

resource "google_cloud_asset_folder_feed" "assets" {
  count           = local.kind == "folders" ? 1 : 0
  folder          = local.id
  billing_project = var.project
  feed_id         = "mollyguard"
  content_type    = "RESOURCE"
  asset_types     = local.asset_types

  feed_output_config {
    pubsub_destination {
      topic = google_pubsub_topic.assets.id
    }
  }

  depends_on = [google_pubsub_topic_iam_member.assets]
}

resource "google_cloud_asset_project_feed" "assets" {
  count           = local.kind == "projects" ? 1 : 0
  project         = local.id
  billing_project = var.project
  feed_id         = "mollyguard"
  content_type    = "RESOURCE"
  asset_types     = local.asset_types

  feed_output_config {
    pubsub_destination {
      topic = google_pubsub_topic.assets.id
    }
  }

  depends_on = [google_pubsub_topic_iam_member.assets]
}

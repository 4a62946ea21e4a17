# Keeps the labels current between two looks at the whole inventory.

data "google_project" "own" {
  project_id = var.project
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
}

resource "google_pubsub_subscription" "assets" {
  project                    = var.project
  name                       = "mollyguard-assets"
  topic                      = google_pubsub_topic.assets.id
  ack_deadline_seconds       = 60
  message_retention_duration = "604800s"

  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_topic_iam_member" "assets" {
  project = var.project
  topic   = google_pubsub_topic.assets.name
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:service-${data.google_project.own.number}@gcp-sa-cloudasset.iam.gserviceaccount.com"
}

resource "google_cloud_asset_organization_feed" "assets" {
  count           = local.kind == "organizations" ? 1 : 0
  org_id          = local.id
  billing_project = var.project
  feed_id         = "mollyguard"
  content_type    = "RESOURCE"
  asset_types     = var.asset_types

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
  asset_types     = var.asset_types

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
  asset_types     = var.asset_types

  feed_output_config {
    pubsub_destination {
      topic = google_pubsub_topic.assets.id
    }
  }

  depends_on = [google_pubsub_topic_iam_member.assets]
}

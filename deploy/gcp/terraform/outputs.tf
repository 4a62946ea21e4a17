output "service_account" {
  description = "Whom the watcher runs as."
  value       = google_service_account.watcher.email
}

output "configuration" {
  description = "What goes into the watcher's configuration file."
  value       = <<-EOT
    audit:
      sources:
      - pubSub: {project: ${var.project}, subscription: ${google_pubsub_subscription.audit.name}}
      heartbeat: {parent: projects/${var.project}}
      assets:
        scopes: [${var.scope}]
        feed: {project: ${var.project}, subscription: ${google_pubsub_subscription.assets.name}}
      own: [${google_service_account.watcher.email}]
  EOT
}

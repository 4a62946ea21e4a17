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
      heartbeat: {parent: projects/${local.heartbeat}}
      assets:
        scopes: [${var.scope}]
        feed: {project: ${var.project}, subscription: ${google_pubsub_subscription.assets.name}}
      own:
      - ${google_service_account.watcher.email}
      - ${trimprefix(local.writer, "serviceAccount:")}
      - ${google_project_service_identity.assets.email}
  EOT
}

package logging

// DefaultFilter lets through what may have to be judged, in the Logging query language
// (https://cloud.google.com/logging/docs/view/logging-query-language): all admin
// activity, system events and refusals by policy, and what data access logs say of
// deletions. Left out is what GKE writes all day about objects that nobody misses: what
// is created and updated of pods, events, endpoints, leases and reviews, unless it
// is in a namespace of ours; and the deletion of objects in buckets,
// of which there are millions and which no table judges.
const DefaultFilter = `(
  log_id("cloudaudit.googleapis.com/activity")
  OR log_id("cloudaudit.googleapis.com/system_event")
  OR log_id("cloudaudit.googleapis.com/policy")
  OR (
    log_id("cloudaudit.googleapis.com/data_access")
    AND (
      protoPayload.methodName=~"(?i)delete|destroy|purge|drop|remove|truncate|empty|rewrite|restore|disable|seek"
      OR protoPayload.metadata.tableDeletion:*
      OR protoPayload.metadata.datasetDeletion:*
      OR protoPayload.metadata.tableDataChange.truncate=true
    )
    AND NOT protoPayload.methodName="storage.objects.delete"
  )
)
AND NOT (
  protoPayload.serviceName="k8s.io"
  AND protoPayload.methodName=~"^io\.k8s\.(core\.v1\.(pods|pods\.status|pods\.binding|events|endpoints|nodes\.status|serviceaccounts\.token)|coordination\.[a-z0-9.]+\.leases|events\.[a-z0-9.]+\.events|discovery\.[a-z0-9.]+\.endpointslices|authorization\.[a-z0-9.]+|authentication\.[a-z0-9.]+)\.(create|update|patch)$"
  AND NOT protoPayload.resourceName:"/namespaces/mollyguard"
)`

package inventory

// The types that say what everything else is in.
const (
	typeProject      = "cloudresourcemanager.googleapis.com/Project"
	typeFolder       = "cloudresourcemanager.googleapis.com/Folder"
	typeOrganization = "cloudresourcemanager.googleapis.com/Organization"
)

func hierarchyTypes() []string { return []string{typeProject, typeFolder, typeOrganization} }

// DefaultAssetTypes lists the asset types of what the embedded tables of package mapping
// can delete or weaken, in the order of their services
// (https://cloud.google.com/asset-inventory/docs/asset-types).
func DefaultAssetTypes() []string {
	return []string{
		"alloydb.googleapis.com/Backup", "alloydb.googleapis.com/Cluster", "alloydb.googleapis.com/Instance",
		"artifactregistry.googleapis.com/Repository",
		"bigquery.googleapis.com/Dataset", "bigquery.googleapis.com/Table",
		"bigtableadmin.googleapis.com/Cluster", "bigtableadmin.googleapis.com/Instance", "bigtableadmin.googleapis.com/Table",
		"cloudfunctions.googleapis.com/CloudFunction", "cloudfunctions.googleapis.com/Function",
		"cloudkms.googleapis.com/CryptoKey", "cloudkms.googleapis.com/CryptoKeyVersion", "cloudkms.googleapis.com/KeyRing",
		typeFolder, typeOrganization, typeProject,
		"composer.googleapis.com/Environment",
		"compute.googleapis.com/Address", "compute.googleapis.com/BackendService", "compute.googleapis.com/Disk",
		"compute.googleapis.com/Firewall", "compute.googleapis.com/ForwardingRule", "compute.googleapis.com/GlobalAddress",
		"compute.googleapis.com/GlobalForwardingRule", "compute.googleapis.com/Image", "compute.googleapis.com/Instance",
		"compute.googleapis.com/InstanceGroup", "compute.googleapis.com/InstanceGroupManager", "compute.googleapis.com/InstanceTemplate",
		"compute.googleapis.com/Network", "compute.googleapis.com/RegionBackendService", "compute.googleapis.com/RegionDisk",
		"compute.googleapis.com/Route", "compute.googleapis.com/Router", "compute.googleapis.com/SecurityPolicy",
		"compute.googleapis.com/Snapshot", "compute.googleapis.com/Subnetwork", "compute.googleapis.com/UrlMap",
		"compute.googleapis.com/VpnGateway", "compute.googleapis.com/VpnTunnel",
		"container.googleapis.com/Cluster", "container.googleapis.com/NodePool",
		"dataproc.googleapis.com/Cluster",
		"dns.googleapis.com/ManagedZone", "dns.googleapis.com/Policy",
		"file.googleapis.com/Backup", "file.googleapis.com/Instance",
		"firestore.googleapis.com/Database",
		"logging.googleapis.com/LogBucket", "logging.googleapis.com/LogSink",
		"memcache.googleapis.com/Instance", "memorystore.googleapis.com/Instance",
		"pubsub.googleapis.com/Snapshot", "pubsub.googleapis.com/Subscription", "pubsub.googleapis.com/Topic",
		"redis.googleapis.com/Cluster", "redis.googleapis.com/Instance",
		"run.googleapis.com/Job", "run.googleapis.com/Service",
		"secretmanager.googleapis.com/Secret", "secretmanager.googleapis.com/SecretVersion",
		"spanner.googleapis.com/Backup", "spanner.googleapis.com/Database", "spanner.googleapis.com/Instance",
		"sqladmin.googleapis.com/BackupRun", "sqladmin.googleapis.com/Instance",
		"storage.googleapis.com/Bucket",
	}
}

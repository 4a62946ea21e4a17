package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// madePlan is a synthetic plan: no Terraform made it. Its resources are in modules of a
// thousand, with the attributes and about the size that the providers give them; each is
// in the plan's values, in its changes (before and after) and in the state, as terraform
// show -json has them.
type madePlan struct {
	// resources is how many there are.
	resources int
	// destroyed says what becomes of them.
	destroyed share
}

// share is how much of its resources a plan destroys.
type share string

const (
	// onePercent destroys one of a hundred, changes two of a hundred harmlessly and leaves
	// the rest.
	onePercent share = "1 % destroyed"
	everything share = "all destroyed"
)

const (
	moduleSize = 1000
	// destroyedEvery and changedEvery are of onePercent. They have no factor in common with
	// the number of kinds, so that each kind is among what goes.
	destroyedEvery = 101
	changedEvery   = 51
)

// madeKind is a kind of resource: its provider, its type, and its values and what of them
// is sensitive for the resource with the number that replaces N, in the module with the
// number that replaces M; ENV is its label, CHANGED what an update changes.
type madeKind struct{ provider, resource, values, sensitive string }

const (
	googleProvider     = "registry.terraform.io/hashicorp/google"
	kubernetesProvider = "registry.terraform.io/hashicorp/kubernetes"
)

// madeLabels are the three sets of labels of Google's provider.
const madeLabels = `"labels":{"env":"ENV","revision":"CHANGED","team":"shop"},"terraform_labels":{"env":"ENV","goog-terraform-provisioned":"true","revision":"CHANGED","team":"shop"},` +
	`"effective_labels":{"env":"ENV","goog-terraform-provisioned":"true","revision":"CHANGED","team":"shop"},`

const madeSensitiveLabels = `"labels":{},"terraform_labels":{},"effective_labels":{},`

// madeMetadata is that of the Kubernetes provider.
const madeMetadata = `"metadata":[{"annotations":{"example.com/revision":"CHANGED"},"generate_name":"","generation":3,"labels":{"app":"app-N","env":"ENV","team":"shop"},` +
	`"name":"app-N","namespace":"shop-M","resource_version":"10482N","uid":"7b1d2c4e-9a53-4b8e-8f3e-0d4a3b2cN"}]`

// madeKinds are dealt out in turn: instances and workloads come most often, clusters once
// in a module.
var madeKinds = []madeKind{
	{googleProvider, "google_compute_instance", `{"id":"projects/p-M/zones/europe-west1-b/instances/vm-N","name":"vm-N","project":"p-M",` + madeLabels +
		`"machine_type":"e2-standard-4","zone":"europe-west1-b","deletion_protection":false,"can_ip_forward":false,"cpu_platform":"Intel Broadwell","self_link":"https://www.googleapis.com/compute/v1/projects/p-M/zones/europe-west1-b/instances/vm-N",` +
		`"boot_disk":[{"auto_delete":true,"device_name":"persistent-disk-0","initialize_params":[{"image":"https://www.googleapis.com/compute/v1/projects/debian-cloud/global/images/debian-12","size":50,"type":"pd-balanced"}]}],` +
		`"network_interface":[{"access_config":[],"network":"https://www.googleapis.com/compute/v1/projects/p-M/global/networks/main","network_ip":"10.0.0.2","stack_type":"IPV4_ONLY"}],` +
		`"metadata":{"startup-script":"#!/bin/bash\nset -eu\napt-get update\nexec /opt/start --name=\"vm-N\"\n"},"tags":["a","b"],"timeouts":null}`,
		`{"boot_disk":[{"initialize_params":[{"labels":{}}]}],` + madeSensitiveLabels + `"metadata":{},"network_interface":[{"access_config":[]}],"tags":[false,false]}`},
	{kubernetesProvider, "kubernetes_deployment_v1", `{"id":"shop-M/app-N",` + madeMetadata + `,"spec":[{"min_ready_seconds":0,"paused":false,"progress_deadline_seconds":600,"replicas":"3","revision_history_limit":10,` +
		`"selector":[{"match_expressions":[],"match_labels":{"app":"app-N"}}],"strategy":[{"rolling_update":[{"max_surge":"25%","max_unavailable":"25%"}],"type":"RollingUpdate"}],` +
		`"template":[{"metadata":[{"annotations":{},"labels":{"app":"app-N"}}],"spec":[{"automount_service_account_token":true,"container":[{"args":["--port=8080"],"command":[],` +
		`"env":[{"name":"DATABASE","value":"db-N","value_from":[]},{"name":"REGION","value":"europe-west1","value_from":[]}],"image":"europe-docker.pkg.dev/p-M/images/app-N:CHANGED","image_pull_policy":"IfNotPresent","name":"app",` +
		`"port":[{"container_port":8080,"name":"http","protocol":"TCP"}],"resources":[{"limits":{"memory":"256Mi"},"requests":{"cpu":"100m","memory":"256Mi"}}],"volume_mount":[]}],"dns_policy":"ClusterFirst","restart_policy":"Always","volume":[]}]}]}],` +
		`"timeouts":null,"wait_for_rollout":true}`,
		`{"metadata":[{"annotations":{},"labels":{}}],"spec":[{"selector":[{"match_labels":{}}],"template":[{"metadata":[{"labels":{}}],"spec":[{"container":[{"env":[{},{}],"resources":[{"limits":{},"requests":{}}]}]}]}]}]}`},
	{googleProvider, "google_project_iam_member", `{"condition":[],"etag":"BwYQm0CHANGED=","id":"p-M/roles/storage.objectViewer/serviceAccount:app-N@p-M.iam.gserviceaccount.com",` +
		`"member":"serviceAccount:app-N@p-M.iam.gserviceaccount.com","project":"p-M","role":"roles/storage.objectViewer"}`, `{"condition":[]}`},
	{googleProvider, "google_storage_bucket", `{"autoclass":[],"cors":[],"default_event_based_hold":false,"encryption":[],"force_destroy":false,"id":"bucket-N","lifecycle_rule":[],"location":"EU","name":"bucket-N","project":"p-M",` + madeLabels +
		`"public_access_prevention":"enforced","retention_policy":[],"self_link":"https://www.googleapis.com/storage/v1/b/bucket-N","soft_delete_policy":[{"effective_time":"2026-01-05T09:12:11.000Z","retention_duration_seconds":604800}],` +
		`"storage_class":"STANDARD","timeouts":null,"uniform_bucket_level_access":true,"url":"gs://bucket-N","versioning":[{"enabled":true}]}`,
		`{` + madeSensitiveLabels + `"soft_delete_policy":[{}],"versioning":[{}]}`},
	{kubernetesProvider, "kubernetes_config_map_v1", `{"binary_data":{},"data":{"application.yaml":"server:\n  port: 8080\nrevision: CHANGED\nname: app-N\n","log.level":"info"},"id":"shop-M/app-N","immutable":false,` + madeMetadata + `}`,
		`{"binary_data":{},"data":{},"metadata":[{"annotations":{},"labels":{}}]}`},
	{googleProvider, "google_sql_database_instance", `{"connection_name":"p-M:europe-west1:db-N","database_version":"POSTGRES_16","deletion_protection":false,"id":"db-N","instance_type":"CLOUD_SQL_INSTANCE","name":"db-N","project":"p-M","region":"europe-west1","root_password":null,` +
		`"self_link":"https://sqladmin.googleapis.com/sql/v1beta4/projects/p-M/instances/db-N","settings":[{"activation_policy":"ALWAYS","availability_type":"REGIONAL","backup_configuration":[{"backup_retention_settings":[{"retained_backups":7,"retention_unit":"COUNT"}],"enabled":true,"point_in_time_recovery_enabled":true}],` +
		`"disk_size":100,"disk_type":"PD_SSD","ip_configuration":[{"ipv4_enabled":false,"private_network":"projects/p-M/global/networks/main","ssl_mode":"ENCRYPTED_ONLY"}],"tier":"db-custom-4-15360","user_labels":{"env":"ENV","revision":"CHANGED","team":"shop"}}],"timeouts":null}`,
		`{"root_password":true,"settings":[{"backup_configuration":[{"backup_retention_settings":[{}]}],"ip_configuration":[{}],"user_labels":{}}]}`},
	{kubernetesProvider, "kubernetes_service_v1", `{"id":"shop-M/app-N",` + madeMetadata + `,"spec":[{"cluster_ip":"10.8.0.14","cluster_ips":["10.8.0.14"],"internal_traffic_policy":"Cluster","ip_families":["IPv4"],"ip_family_policy":"SingleStack",` +
		`"port":[{"app_protocol":"","name":"http","node_port":0,"port":80,"protocol":"TCP","target_port":"8080"}],"selector":{"app":"app-N"},"session_affinity":"None","type":"ClusterIP"}],"status":[{"load_balancer":[{"ingress":[]}]}],"timeouts":null,"wait_for_load_balancer":true}`,
		`{"metadata":[{"annotations":{},"labels":{}}],"spec":[{"cluster_ips":[false],"port":[{}],"selector":{}}],"status":[{"load_balancer":[{"ingress":[]}]}]}`},
}

// madeCluster is the first resource of each module.
var madeCluster = madeKind{googleProvider, "google_container_cluster", `{"id":"projects/p-M/locations/europe-west1/clusters/cluster-M","name":"cluster-M","project":"p-M","location":"europe-west1","deletion_protection":false,` +
	`"resource_labels":{"env":"ENV","revision":"CHANGED","team":"shop"},"enable_autopilot":false,"endpoint":"192.0.2.10","initial_node_count":1,"network":"projects/p-M/global/networks/main","min_master_version":null,"node_locations":["europe-west1-b","europe-west1-c"],` +
	`"release_channel":[{"channel":"REGULAR"}],"self_link":"https://container.googleapis.com/v1/projects/p-M/locations/europe-west1/clusters/cluster-M","timeouts":null}`,
	`{"node_locations":[false,false],"release_channel":[{}],"resource_labels":{}}`}

func madeKindOf(number int) madeKind {
	if number%moduleSize == 0 {
		return madeCluster
	}
	return madeKinds[number%len(madeKinds)]
}

// file writes the plan to a file.
func (p madePlan) file(path string) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(file, 1<<20)
	p.write(w)
	if err := w.Flush(); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}

func (p madePlan) write(w *bufio.Writer) {
	w.WriteString(`{"format_version":"1.2","terraform_version":"1.14.0","variables":{"size":{"value":3}},"planned_values":`)
	p.values(w, func(number int) bool { return !p.destroys(number) })
	w.WriteString(`,"resource_changes":[`)
	for number := range p.resources {
		if number > 0 {
			w.WriteByte(',')
		}
		p.change(w, number)
	}
	w.WriteString(`],"prior_state":{"format_version":"1.0","terraform_version":"1.14.0","values":`)
	p.values(w, func(int) bool { return true })
	fmt.Fprintf(w, `},"configuration":{"provider_config":{"google":{"name":"google","full_name":%q,"expressions":{"region":{"constant_value":"europe-west1"}}},`+
		`"kubernetes":{"name":"kubernetes","full_name":%q,"expressions":{"config_context":{"constant_value":"prod-eu"}}}},"root_module":{}},`+
		`"timestamp":"2026-11-21T03:12:47Z","applyable":true,"complete":true,"errored":false}`, googleProvider, kubernetesProvider)
}

func (p madePlan) destroys(number int) bool {
	return p.destroyed == everything || number%destroyedEvery == 0
}

// values writes the values of the resources that are in it, module by module.
func (p madePlan) values(w *bufio.Writer, in func(number int) bool) {
	w.WriteString(`{"root_module":{"child_modules":[`)
	for first := 0; first < p.resources; first += moduleSize {
		if first > 0 {
			w.WriteByte(',')
		}
		fmt.Fprintf(w, `{"address":"module.m%d","resources":[`, first/moduleSize)
		separator := ""
		for number := first; number < min(first+moduleSize, p.resources); number++ {
			if !in(number) {
				continue
			}
			kind := madeKindOf(number)
			fmt.Fprintf(w, `%s{%s,"schema_version":1,"values":%s,"sensitive_values":%s}`, separator, kind.entry(number), kind.filled(number, "r1"), kind.sensitive)
			separator = ","
		}
		w.WriteString(`]}`)
	}
	w.WriteString(`]}}`)
}

// change writes what becomes of a resource.
func (p madePlan) change(w *bufio.Writer, number int) {
	kind := madeKindOf(number)
	before := kind.filled(number, "r1")
	action, after, sensitive := "no-op", before, kind.sensitive
	switch {
	case p.destroys(number):
		action, after, sensitive = "delete", "null", "false"
	case number%changedEvery == 0:
		action, after = "update", kind.filled(number, "r2")
	}
	fmt.Fprintf(w, `{%s,"change":{"actions":[%q],"before":%s,"after":%s,"after_unknown":{},"before_sensitive":%s,"after_sensitive":%s}}`,
		kind.entry(number), action, before, after, kind.sensitive, sensitive)
}

func (k madeKind) entry(number int) string {
	module := fmt.Sprintf("module.m%d", number/moduleSize)
	return fmt.Sprintf(`"address":"%s.%s.it[%d]","module_address":%q,"mode":"managed","type":%q,"name":"it","index":%d,"provider_name":%q`,
		module, k.resource, number, module, k.resource, number, k.provider)
}

// filled are the values of a resource. Every other module is production.
func (k madeKind) filled(number int, revision string) string {
	module := number / moduleSize
	environment := "production"
	if module%2 == 1 {
		environment = "development"
	}
	return strings.NewReplacer("ENV", environment, "CHANGED", revision, "-N", fmt.Sprintf("-%06d", number), "2N", fmt.Sprintf("2%06d", number),
		"cN", fmt.Sprintf("c%06d", number), "-M", fmt.Sprintf("-%d", module)).Replace(k.values)
}

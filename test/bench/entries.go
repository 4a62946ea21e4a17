package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// entryKind is a mix of log entries.
type entryKind string

// The mixes.
const (
	ignored  entryKind = "ignored"             // reads, of which a project has the most
	judged   entryKind = "judged, production"  // deletions, by people of whom each does many
	harmless entryKind = "judged, development" // the same where nobody minds
)

var entryKinds = []entryKind{ignored, judged, harmless}

// actors is how many people delete all that is deleted: nobody has thousands of
// different ones who delete something in one minute.
const actors = 20

// auditLog makes log entries, no two of them equal.
type auditLog struct {
	made  int
	reads []template
	// deletions are in projects named prod-…
	deletions []template
}

// template is an entry, with what differs from one to the next in marks.
type template string

// The marks.
const (
	numberMark = "@number@"
	actorMark  = "@actor@"
	timeMark   = "@time@"
)

// deletions are entries of the policies' corpus, with the texts in each that stand for
// the target and for who did it.
var deletions = []struct{ file, target, actor string }{
	{"compute/alert/delete-disk.json", "orders-data", "deployer@prod-data.iam.gserviceaccount.com"},
	{"storage/alert/delete-bucket.json", "prod-platform-invoices", "ben@example.com"},
	{"container/alert/delete-cluster.json", "clusters/prod-eu", "alice@example.com"},
	{"k8s/alert/delete-deployment.json", "deployments/web", "alice@example.com"},
}

// diskDeletion is the index of the deletion of which each is of one more target that
// its alert names.
const diskDeletion = 0

func newLog(root string) (*auditLog, error) {
	l := &auditLog{}
	for _, method := range []struct{ service, name, resource, resourceType string }{
		{"k8s.io", "io.k8s.core.v1.pods.get", "core/v1/namespaces/shop/pods/web-7d4b9c6f5d-" + numberMark, "k8s_cluster"},
		{"storage.googleapis.com", "storage.objects.get", "projects/_/buckets/shop-images/objects/2026/11/21/" + numberMark + ".png", "gcs_bucket"},
		{"compute.googleapis.com", "v1.compute.instances.get", "projects/prod-shop/zones/europe-west1-b/instances/web-" + numberMark, "gce_instance"},
	} {
		l.reads = append(l.reads, read(method.service, method.name, method.resource, method.resourceType))
	}
	for _, d := range deletions {
		t, err := recordedEntry(filepath.Join(root, "policies", "testdata", "gcp", d.file), d.target, d.actor)
		if err != nil {
			return nil, err
		}
		l.deletions = append(l.deletions, t)
	}
	return l, nil
}

// read is an entry about a read, as long as GKE's are, with the checks and reasons that
// it adds.
func read(service, method, resource, resourceType string) template {
	const reason = `RBAC: allowed by ClusterRoleBinding \"system:node-proxier\" of ClusterRole \"system:node-proxier\" to User \"system:kube-proxy\"`
	var checks []string
	for i := range 6 {
		checks = append(checks, fmt.Sprintf(`{"granted":true,"permission":%q,"resource":%q,"resourceAttributes":{"n":%d}}`, method, resource, i))
	}
	return template(fmt.Sprintf(`{"insertId":"%s","labels":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"%s"},`+
		`"logName":"projects/prod-shop/logs/cloudaudit.googleapis.com%%2Fdata_access","operation":{"first":true,"id":"%[1]s","last":true,"producer":%[3]q},`+
		`"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","authenticationInfo":{"principalEmail":"%[4]s"},"authorizationInfo":[%[5]s],`+
		`"methodName":%[6]q,"requestMetadata":{"callerIp":"10.128.0.5","callerSuppliedUserAgent":"kube-proxy/v1.36.2 (linux/amd64) kubernetes/8cc511e","destinationAttributes":{},"requestAttributes":{}},`+
		`"resourceName":%[7]q,"response":{"note":"%[8]s"},"serviceName":%[3]q,"status":{}},`+
		`"receiveTimestamp":"%[9]s","resource":{"labels":{"cluster_name":"prod-eu","location":"europe-west1","project_id":"prod-shop"},"type":%[10]q},"severity":"INFO","timestamp":"%[9]s"}`,
		numberMark, reason, service, actorMark, strings.Join(checks, ","), method, resource, strings.Repeat("x ", 400), timeMark, resourceType))
}

// recordedEntry reads an entry of the corpus, as compact as a log sink writes it.
func recordedEntry(path, target, actor string) (template, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	var entry map[string]any
	if err := json.Unmarshal(data, &entry); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	delete(entry, "_source") // where the corpus has it from
	entry["insertId"], entry["timestamp"], entry["receiveTimestamp"] = "bench-"+numberMark, timeMark, timeMark
	replace := []string{target, target + "-" + numberMark, actor, actorMark}
	if running, ok := entry["operation"].(map[string]any); ok {
		id, _ := running["id"].(string)
		replace = append(replace, id, "operation-"+numberMark)
	}
	text, err := json.Marshal(entry)
	if err != nil {
		return "", err
	}
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(string(text), replace[i]) {
			return "", fmt.Errorf("%s: there is no %q in it", path, replace[i])
		}
	}
	return template(strings.NewReplacer(replace...).Replace(string(text))), nil
}

// entry makes one, of what somebody did.
func (t template) entry(number int, actor string, at time.Time) []byte {
	return []byte(strings.NewReplacer(
		numberMark, strconv.Itoa(number), actorMark, actor, timeMark, at.UTC().Format(time.RFC3339Nano),
	).Replace(string(t)))
}

// take makes entries of a kind.
func (l *auditLog) take(kind entryKind, n int) [][]byte {
	now := time.Now()
	entries := make([][]byte, n)
	for i := range entries {
		entries[i] = l.one(kind, now)
	}
	return entries
}

func (l *auditLog) one(kind entryKind, at time.Time) []byte {
	l.made++
	actor := fmt.Sprintf("engineer-%d@example.com", l.made%actors)
	if kind == ignored {
		return l.reads[l.made%len(l.reads)].entry(l.made, actor, at)
	}
	t := l.deletions[l.made%len(l.deletions)]
	if kind == harmless {
		t = template(strings.ReplaceAll(string(t), "prod-", "dev-"))
	}
	return t.entry(l.made, actor, at)
}

// deletion makes an entry about a disk of production, by somebody who does nothing
// else, and the name of the disk.
func (l *auditLog) deletion(at time.Time) (entry []byte, target string) {
	l.made++
	actor := fmt.Sprintf("engineer-%d@example.org", l.made)
	return l.deletions[diskDeletion].entry(l.made, actor, at), deletions[diskDeletion].target + "-" + strconv.Itoa(l.made)
}

// bytesOf is how long all entries are.
func bytesOf(entries [][]byte) (total int) {
	for _, entry := range entries {
		total += len(entry)
	}
	return total
}

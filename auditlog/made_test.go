package auditlog_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"
)

// tree is an entry that is being made.
type tree map[string]any

// made is an entry in JSON.
func made(e tree, edits ...func(tree)) []byte {
	e = maps.Clone(e)
	for _, edit := range edits {
		edit(e)
	}
	text, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return text
}

const alice = "alice@example.com"

// clusterRef is the canonical name of a cluster.
func clusterRef(name string) string {
	return "gcp://container.googleapis.com/projects/p/locations/l/clusters/" + name
}

// cluster is the entry of a call that does something to a GKE cluster now.
func cluster(method, name string) tree {
	now := time.Now().UTC().Format(time.RFC3339Nano)
	return tree{
		"insertId": method + " " + name, "logName": "projects/p/logs/cloudaudit.googleapis.com%2Factivity",
		"timestamp": now, "receiveTimestamp": now,
		"protoPayload": tree{
			"@type": "type.googleapis.com/google.cloud.audit.AuditLog", "serviceName": "container.googleapis.com",
			"methodName":         "google.container.v1.ClusterManager." + method,
			"resourceName":       "projects/p/locations/l/clusters/" + name,
			"authenticationInfo": tree{"principalEmail": alice},
			"request":            tree{"name": "projects/p/locations/l/clusters/" + name},
		},
		"resource": tree{"type": "gke_cluster", "labels": tree{"project_id": "p", "location": "l", "cluster_name": name}},
	}
}

// deletion is the whole deletion of a cluster in one entry.
func deletion(name string, edits ...func(tree)) []byte {
	return made(cluster("DeleteCluster", name), edits...)
}

// starts makes an entry the first of an operation.
func starts(id string) func(tree) {
	return func(e tree) {
		e["operation"] = tree{"id": id, "producer": "container.googleapis.com", "first": true}
	}
}

// ends makes an entry the last of an operation, which names nobody.
func ends(id string) func(tree) {
	return func(e tree) {
		e["operation"] = tree{"id": id, "producer": "container.googleapis.com", "last": true}
		e["insertId"] = fmt.Sprint(e["insertId"], " end")
		payload := maps.Clone(e["protoPayload"].(tree))
		delete(payload, "authenticationInfo")
		delete(payload, "request")
		e["protoPayload"] = payload
	}
}

// fails makes an entry one of something that did not work.
func fails(e tree) {
	payload := maps.Clone(e["protoPayload"].(tree))
	payload["status"] = tree{"code": 13, "message": "internal"}
	e["protoPayload"] = payload
}

// at dates an entry.
func at(when time.Time) func(tree) {
	return func(e tree) { e["timestamp"] = when.UTC().Format(time.RFC3339Nano) }
}

// boring is an entry that nobody cares about.
func boring(n int) []byte {
	return made(cluster("GetCluster", fmt.Sprint(n)))
}

// unreadable is an entry that looks as if somebody should care, and cannot be read.
func unreadable(n int) []byte {
	return deletion(fmt.Sprint("unreadable-", n), func(e tree) { e["timestamp"] = "yesterday" })
}

// heartbeat is an entry that Mollyguard wrote.
func heartbeat() []byte {
	now := time.Now().UTC().Format(time.RFC3339Nano)
	return made(tree{"insertId": now, "logName": "projects/p/logs/" + heartbeatLog, "timestamp": now, "textPayload": "beat"})
}

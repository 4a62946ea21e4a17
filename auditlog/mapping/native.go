package mapping

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// nativeGroup begins the apiVersion of Kubernetes' own audit events
// (https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1).
const nativeGroup = "audit.k8s.io/"

// stageComplete is the stage that says how a request ended. The others come before it,
// of the same request.
const stageComplete = "ResponseComplete"

func isNative(tree object) bool {
	version, _ := tree["apiVersion"].(string)
	return tree["protoPayload"] == nil && strings.HasPrefix(version, nativeGroup)
}

// nativeMatters is what the scan asks of native events.
func nativeMatters(f *facts) bool {
	if f.stage != stageComplete && f.stage != "" {
		return false
	}
	switch f.verb {
	case "get", "list", "watch":
		return false
	}
	return true
}

// fromNative writes an audit event as GKE would log it, so that there is one reading of
// both; nil for a stage that says nothing of the end.
func fromNative(event object) (*nativeEntry, error) {
	var r reader
	stage, verb := r.text(event, "", "stage"), r.text(event, "", "verb")
	user := r.text(r.object(event, "", "user"), "user", "username")
	impersonated := r.text(r.object(event, "", "impersonatedUser"), "impersonatedUser", "username")
	ref := r.object(event, "", "objectRef")
	group, version := r.text(ref, "objectRef", "apiGroup"), r.text(ref, "objectRef", "apiVersion")
	resource, sub := r.text(ref, "objectRef", "resource"), r.text(ref, "objectRef", "subresource")
	namespace, name := r.text(ref, "objectRef", "namespace"), r.text(ref, "objectRef", "name")
	uid := r.text(ref, "objectRef", "uid")
	status := r.object(event, "", "responseStatus")
	code := r.integer(status, "responseStatus", "code")
	annotations := r.object(event, "", "annotations")
	uri := r.text(event, "", "requestURI")
	id := r.text(event, "", "auditID")
	agent := r.text(event, "", "userAgent")
	received, finished := r.text(event, "", "requestReceivedTimestamp"), r.text(event, "", "stageTimestamp")
	var ip string
	for i, item := range r.list(event, "", "sourceIPs") {
		text, ok := item.(string)
		if !ok {
			r.wrong(fmt.Sprintf("sourceIPs[%d]", i), "a text", item)
		}
		if ip == "" {
			ip = text // the first is the caller, as proxies tell
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	if stage != stageComplete || resource == "" {
		return nil, nil
	}
	authentication := object{"principalEmail": user}
	if impersonated != "" {
		authentication = object{
			"principalEmail":               impersonated,
			"serviceAccountDelegationInfo": []any{object{"principalSubject": user}},
		}
	}
	payload := object{
		"serviceName": kubernetesService, "methodName": nativeMethod(group, version, resource, sub, verb),
		"resourceName":       nativeResourceName(group, version, resource, sub, namespace, name),
		"authenticationInfo": authentication,
		"requestMetadata":    object{"callerIp": ip, "callerSuppliedUserAgent": agent},
		"status":             object{"code": number(fmt.Sprint(rpcCode(code)))},
	}
	if request := event["requestObject"]; request != nil {
		payload["request"] = request
	}
	if response := event["responseObject"]; response != nil {
		payload["response"] = response
	}
	tree := object{
		"insertId": id, "protoPayload": payload, "labels": annotations, "resource": object{"type": "k8s_cluster"},
		"timestamp": received, "receiveTimestamp": finished,
	}
	return &nativeEntry{tree: tree, uid: uid, dryRun: dryRunBy(uri, verb, payload["request"])}, nil
}

// dryRunBy reports whether a URL makes a request a dry run. A deletion with a body goes
// by that alone (k8s.io/apiserver pkg/endpoints/handlers DeleteResource).
func dryRunBy(uri, verb string, body any) bool {
	if strings.HasPrefix(verb, "delete") && body != nil {
		return false
	}
	_, query, _ := strings.Cut(uri, "?")
	values, err := url.ParseQuery(query)
	return err == nil && slices.Contains(values["dryRun"], "All")
}

// nativeEntry is an audit event as a log entry, and what that has no field for.
type nativeEntry struct {
	tree   object
	uid    string
	dryRun bool
}

// nativeMethod writes a method as GKE does: the group in reverse.
func nativeMethod(group, version, resource, sub, verb string) string {
	if group == "" {
		group = "core"
	}
	if !strings.Contains(group, ".") {
		group += ".k8s.io"
	}
	segments := strings.Split(group, ".")
	var reversed []string
	for i := len(segments) - 1; i >= 0; i-- {
		reversed = append(reversed, segments[i])
	}
	reversed = append(reversed, version, resource)
	if sub != "" {
		reversed = append(reversed, strings.ReplaceAll(sub, "/", "."))
	}
	return strings.Join(append(reversed, verb), ".")
}

func nativeResourceName(group, version, resource, sub, namespace, name string) string {
	if group == "" {
		group = "core"
	}
	path := group + "/" + version + "/"
	if namespace != "" && resource != "namespaces" {
		path += "namespaces/" + namespace + "/"
	}
	path += resource
	if name != "" {
		path += "/" + name
		if sub != "" {
			path += "/" + sub
		}
	}
	return path
}

// rpcCode is the google.rpc.Code of an HTTP status, as far as phases tell them apart.
func rpcCode(status int64) int {
	switch {
	case status == 0 || status >= 200 && status < 300:
		return ok
	case status == 401:
		return unauthenticated
	case status == 403:
		return permissionDenied
	case status == 404:
		return notFound
	case status == 409:
		return aborted
	}
	return unknownError
}

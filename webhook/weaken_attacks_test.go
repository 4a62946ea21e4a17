package webhook

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/config"
)

// goingOwnerTable is about owners of whose deletion nobody is asked, or which go by
// themselves.
func goingOwnerTable() []weakeningTest {
	owner := func(apiVersion, kind string) string {
		return ownedText(`{"apiVersion":"` + apiVersion + `","kind":"` + kind + `","name":"x","uid":"1"}`)
	}
	none := metaText(`{}`)
	deployment := func(old, new string) weakeningCase {
		return updated("apps/deployments", "Deployment", old, new).by(operatorUser)
	}
	said := func(kind, why string) string {
		return "unprotect: owner reference to " + kind + " x added, " + why + ": the garbage collector would take it along"
	}
	const unseen, ended, old = "whose deletion nobody is asked about", "which may be deleted once it has ended", "which its controller deletes when it is old"
	var list []weakeningTest
	for _, tt := range []struct{ name, apiVersion, kind, why string }{
		{"a Lease", "coordination.k8s.io/v1", "Lease", unseen},
		{"a Lease of another version", "coordination.k8s.io/v1beta1", "Lease", unseen},
		{"a kind that a definition may add beside Leases", "coordination.k8s.io/v9", "Claim", unseen},
		{"an Event", "v1", "Event", unseen},
		{"an Event of the newer group", "events.k8s.io/v1", "Event", unseen},
		{"Endpoints", "v1", "Endpoints", unseen},
		{"an EndpointSlice", "discovery.k8s.io/v1", "EndpointSlice", unseen},
		{"a certificate request", "certificates.k8s.io/v1", "CertificateSigningRequest", unseen},
		{"a kind that a definition may add beside reviews", "authentication.k8s.io/v9", "Thing", unseen},
		{"a Node", "v1", "Node", unseen},
		{"a pod", "v1", "Pod", ended},
		{"a Job", "batch/v1", "Job", ended},
		{"a ReplicaSet", "apps/v1", "ReplicaSet", old},
		{"a ControllerRevision", "apps/v1", "ControllerRevision", old},
		{"a request for a certificate", "cert-manager.io/v1", "CertificateRequest", old},
	} {
		list = append(list, weakeningTest{name: tt.name + " added as an owner by an operator", weakeningCase: deployment(none, owner(tt.apiVersion, tt.kind)), want: said(tt.kind, tt.why)})
	}
	return append(list,
		weakeningTest{name: "a Lease added as an owner by hand", weakeningCase: deployment(none, owner("coordination.k8s.io/v1", "Lease")).by("alice"), want: said("Lease", unseen)},
		weakeningTest{name: "a Lease added as an owner with a status", weakeningCase: deployment(none, owner("coordination.k8s.io/v1", "Lease")).at("status"), want: said("Lease", unseen)},
		weakeningTest{name: "a pod added as an owner by the control plane", weakeningCase: deployment(none, owner("v1", "Pod")).by(controlPlaneUser), want: "update"},
		weakeningTest{name: "a Job that was the owner before", weakeningCase: deployment(owner("batch/v1", "Job"), owner("batch/v1", "Job")), want: "update"},
		weakeningTest{name: "a CronJob added as an owner by an operator", weakeningCase: deployment(none, owner("batch/v1", "CronJob")), want: "update", sent: true},
		weakeningTest{name: "a custom resource called Lease added as an owner by an operator", weakeningCase: deployment(none, owner("example.com/v1", "Lease")), want: "update", sent: true},
		weakeningTest{name: "an owner of no version added by an operator", weakeningCase: deployment(none, owner("a/b/c", "Lease")), want: "update", sent: true},
	)
}

func exemptionTable() []weakeningTest {
	labelled := func(text string) string { return metaText(`{"labels":{` + text + `}}`) }
	none := metaText(`{}`)
	const solver, key = `"acme.cert-manager.io/http01-solver":"true"`, `"cert-manager.io/next-private-key":"true"`
	secret := func(old, new string) weakeningCase { return updated("/secrets", "Secret", old, new) }
	service := func(old, new string) weakeningCase { return updated("/services", "Service", old, new) }
	const (
		asKey    = "unprotect: label cert-manager.io/next-private-key=true added: cert-manager may delete what has it"
		asSolver = "unprotect: label acme.cert-manager.io/http01-solver=true added: cert-manager may delete what has it"
	)
	return []weakeningTest{
		{name: "a Secret labelled as a key of an attempt", weakeningCase: secret(none, labelled(key)), want: asKey},
		{name: "a Secret labelled as a key of an attempt by an operator", weakeningCase: secret(none, labelled(key)).by(operatorUser), want: asKey},
		{name: "a Secret relabelled as a key of an attempt", weakeningCase: secret(labelled(`"cert-manager.io/next-private-key":"false"`), labelled(key)), want: asKey},
		{name: "a Secret labelled as a key of an attempt by the control plane", weakeningCase: secret(none, labelled(key)).by(controlPlaneUser), want: "update"},
		{name: "a Secret that was the key of an attempt", weakeningCase: secret(labelled(key), labelled(key+`,"a":"b"`)), want: "update"},
		{name: "a Secret that is no key of an attempt any more", weakeningCase: secret(labelled(key), none), want: "update"},
		{name: "a Secret labelled as no key of an attempt", weakeningCase: secret(none, labelled(`"cert-manager.io/next-private-key":"false"`)), want: "update"},
		{name: "a Secret labelled as a solver", weakeningCase: secret(none, labelled(solver)), want: "update"},
		{name: "a Service labelled as a solver", weakeningCase: service(none, labelled(solver)).by(operatorUser), want: asSolver},
		{name: "a Service labelled as a solver with its status", weakeningCase: service(none, labelled(solver)).at("status"), want: asSolver},
		{name: "a pod labelled as a solver", weakeningCase: updated("/pods", "Pod", none, labelled(solver)).by(operatorUser), want: asSolver},
		{name: "an Ingress labelled as a solver", weakeningCase: updated("networking.k8s.io/ingresses", "Ingress", none, labelled(solver)), want: asSolver},
		{name: "a route labelled as a solver", weakeningCase: updated("gateway.networking.k8s.io/httproutes", "HTTPRoute", none, labelled(solver)), want: asSolver},
	}
}

// TestLabelsThatExemptAreThoseOfTheConfiguration holds the list against the exemptions
// that are built in: any that goes by a label which everybody can add needs its name here.
func TestLabelsThatExemptAreThoseOfTheConfiguration(t *testing.T) {
	var got, want []string
	for _, label := range exempting {
		want = append(want, label.key+"=true")
	}
	defaults, err := config.Parse("none", []byte("apiVersion: config.mollyguard.dev/v1alpha1\nkind: Configuration\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range defaults.Exempt {
		if len(e.Names) == 0 {
			got = append(got, e.Selectors...)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("selectors (-here +configuration):\n%s", diff)
	}
}

func apiTable() []weakeningTest {
	api := func(old, new string) weakeningCase {
		return updated("apiregistration.k8s.io/apiservices", "APIService", specText(old), specText(new))
	}
	service := func(name, port string) string {
		return `"service":{"namespace":"shop","name":"` + name + `","port":` + port + `}`
	}
	const otherwise = ": who answers may say that nothing of it is there, and the garbage collector deletes what that owns"
	moved := func(from, to string) string { return "unprotect: spec.service " + from + " → " + to + otherwise }
	const a, b, other = `{"name":"a","namespace":"shop","port":443}`, `{"name":"b","namespace":"shop","port":443}`, `{"name":"a","namespace":"shop","port":444}`
	return []weakeningTest{
		{name: "an API given to a server", weakeningCase: api(`{}`, `{`+service("a", "443")+`}`).by(operatorUser), want: moved("none", a)},
		{name: "an API given to another server", weakeningCase: api(`{`+service("a", "443")+`}`, `{`+service("b", "443")+`}`), want: moved(a, b)},
		{name: "an API served at another port", weakeningCase: api(`{`+service("a", "443")+`}`, `{`+service("a", "444")+`}`), want: moved(a, other)},
		{name: "an API taken back", weakeningCase: api(`{`+service("a", "443")+`}`, `{}`), want: moved(a, "none")},
		{name: "an API of whose server no certificate is wanted", weakeningCase: api(`{`+service("a", "443")+`}`, `{`+service("a", "443")+`,"insecureSkipTLSVerify":true}`).by(operatorUser),
			want: "unprotect: spec.insecureSkipTLSVerify false → true" + otherwise},
		{name: "an API of whose server a certificate is wanted", weakeningCase: api(`{"insecureSkipTLSVerify":true}`, `{}`), want: "update"},
		{name: "an API with another authority by hand", weakeningCase: api(`{"caBundle":"YQ=="}`, `{"caBundle":"Yg=="}`), want: "unprotect: spec.caBundle changed" + otherwise},
		{name: "an API with another authority by an injector", weakeningCase: api(`{"caBundle":"YQ=="}`, `{"caBundle":"Yg=="}`).by(operatorUser), want: "update"},
		{name: "an API with another priority", weakeningCase: api(`{`+service("a", "443")+`,"versionPriority":1}`, `{`+service("a", "443")+`,"versionPriority":2}`), want: "update"},
		{name: "an API given to the control plane", weakeningCase: api(`{}`, `{`+service("a", "443")+`}`).by(controlPlaneUser), want: "update"},
	}
}

func schemaTable() []weakeningTest {
	crd := func(old, new string) weakeningCase {
		return updated("apiextensions.k8s.io/customresourcedefinitions", "CustomResourceDefinition", specText(old), specText(new))
	}
	version := func(root string) string {
		return `{"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":` + root + `}}]}`
	}
	spec := func(text string) string {
		return version(`{"type":"object","properties":{"spec":` + text + `}}`)
	}
	const (
		keeps   = `{"type":"object","x-kubernetes-preserve-unknown-fields":true}`
		plain   = `{"type":"object"}`
		two     = `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}}}`
		one     = `{"type":"object","properties":{"a":{"type":"string"}}}`
		gone    = ": its objects lose what they have there"
		unnamed = "fields that the schema does not name are dropped" + gone
	)
	return []weakeningTest{
		{name: "a version that keeps unknown fields no longer", weakeningCase: crd(version(keeps), version(plain)), want: "unprotect: version v1: " + unnamed},
		{name: "a version that keeps unknown fields no longer by an operator", weakeningCase: crd(version(keeps), version(plain)).by(operatorUser), want: "unprotect: version v1: " + unnamed},
		{name: "a spec that keeps unknown fields no longer", weakeningCase: crd(spec(keeps), spec(one)), want: "unprotect: version v1: spec." + unnamed},
		{name: "a spec whose fields have any name, and now none", weakeningCase: crd(spec(`{"type":"object","additionalProperties":{"type":"string"}}`), spec(plain)), want: "unprotect: version v1: spec." + unnamed},
		{name: "a spec that loses a field", weakeningCase: crd(spec(two), spec(one)), want: "unprotect: version v1: spec.b dropped from its schema" + gone},
		{name: "a spec dropped", weakeningCase: crd(spec(one), version(plain)), want: "unprotect: version v1: spec dropped from its schema" + gone + "; version v1: spec.a dropped from its schema" + gone},
		{name: "a spec that gains a field", weakeningCase: crd(spec(one), spec(two)), want: "update"},
		{name: "a field dropped from a spec that keeps unknown fields", weakeningCase: crd(spec(two), spec(keeps)), want: "update"},
		{name: "a version that names what it kept unnamed", weakeningCase: crd(version(keeps), version(`{"type":"object","x-kubernetes-preserve-unknown-fields":true,"properties":{"spec":`+keeps+`}}`)), want: "update"},
		{name: "a definition that keeps unknown fields no longer", weakeningCase: crd(`{"preserveUnknownFields":true}`, `{"preserveUnknownFields":false}`), want: "unprotect: spec.preserveUnknownFields true → false" + gone},
	}
}

// schemaText is a definition whose objects have these fields below spec.
func schemaText(fields string) string {
	return specText(`{"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"properties":{"spec":{"properties":` + fields + `}}}}}]}`)
}

package webhook

import "github.com/mollyguard/mollyguard/operation"

// exempting are labels by which cert-manager may delete an object, as an exemption that
// is built in has it (see config, cert-manager-solvers and cert-manager-keys), each with
// the resources that the exemption is about. cert-manager makes such objects with the
// label, by its own account (github.com/cert-manager/cert-manager pkg/apis/acme/v1
// and pkg/apis/certmanager/v1).
var exempting = []struct {
	key       string
	resources []string
}{
	{"acme.cert-manager.io/http01-solver", []string{podResource, "/services", "networking.k8s.io/ingresses", "gateway.networking.k8s.io/httproutes"}},
	{"cert-manager.io/next-private-key", []string{"/secrets"}},
}

// exemptions are labels that nobody puts onto what is there already: they would have it
// deleted.
var exemptions = exemptionsGained()

func exemptionsGained() []weakening {
	var list []weakening
	for _, label := range exempting {
		path := []string{"metadata", "labels", label.key}
		has := func(object string) string { return equals(object, `"true"`, path...) }
		list = append(list, weakening{
			name: "an object is labelled as one that may be deleted", verb: operation.Unprotect, through: carriers, meta: true,
			resources: label.resources,
			filter:    func(generator) string { return allOf(has(newObject), "!("+has(oldObject)+")") },
			judge: func(u *update) {
				if u.is.labels[label.key] == "true" && u.was.labels[label.key] != "true" && !u.byControlPlane() {
					u.says("label %s=true added: cert-manager may delete what has it", label.key)
				}
			},
		})
	}
	return list
}

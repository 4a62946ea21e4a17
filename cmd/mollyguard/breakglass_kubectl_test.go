package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/operation"
)

var allowIntent = cmp.AllowUnexported(intent{}, typedName{}, place{})

func named(resource string, names ...string) []typedName {
	var list []typedName
	for _, name := range names {
		list = append(list, typedName{resource, name})
	}
	return list
}

func TestAKubectlCommandSaysWhatIsMeant(t *testing.T) {
	for _, tt := range []struct {
		name, command string
		want          intent
	}{
		{"a namespace", "kubectl delete ns shop", intent{verb: operation.Delete, names: named("ns", "shop")}},
		{"several names", "kubectl delete pods a b", intent{verb: operation.Delete, names: named("pods", "a", "b")}},
		{"TYPE/NAME", "kubectl delete deploy/web svc/web", intent{verb: operation.Delete, names: append(named("deploy", "web"), named("svc", "web")...)}},
		{"several types", "kubectl delete deploy,svc web", intent{verb: operation.Delete, names: append(named("deploy", "web"), named("svc", "web")...)}},
		{"a group and a version", "kubectl delete deployments.v1.apps web", intent{verb: operation.Delete, names: named("deployments.v1.apps", "web")}},
		{
			"flags in every place", "kubectl --context=prod -n shop delete --wait=false deploy web --grace-period 0 --force --cascade=orphan",
			intent{verb: operation.Delete, names: named("deploy", "web"), place: place{context: "prod", namespace: "shop"}},
		},
		{
			"a cluster and a kubeconfig", "kubectl --kubeconfig k --cluster c delete ns shop -v=6",
			intent{verb: operation.Delete, names: named("ns", "shop"), place: place{kubeconfig: "k", cluster: "c"}},
		},
		{"the last namespace counts", "kubectl -n a delete pod x --namespace=b", intent{verb: operation.Delete, names: named("pod", "x"), place: place{namespace: "b"}}},
		{"a selector", "kubectl delete pods -l 'app in (web, api)'", intent{verb: operation.Delete, types: []string{"pods"}, selector: "app in (web, api)"}},
		{"a selector without space", "kubectl delete po,svc -lapp=web -A", intent{verb: operation.Delete, types: []string{"po", "svc"}, selector: "app=web", allNamespaces: true}},
		{"a field selector", "kubectl delete pods --field-selector=status.phase=Failed", intent{verb: operation.Delete, types: []string{"pods"}, fieldSelector: "status.phase=Failed"}},
		{"all", "kubectl delete pods --all", intent{verb: operation.Delete, types: []string{"pods"}, all: true}},
		{"files", "kubectl delete -f a.yaml -f b.yaml,c.yaml", intent{verb: operation.Delete, files: []string{"a.yaml", "b.yaml", "c.yaml"}}},
		{"a dry run", "kubectl delete ns shop --dry-run=server", intent{verb: operation.Delete, names: named("ns", "shop")}},
		{"k", "k delete ns shop", intent{verb: operation.Delete, names: named("ns", "shop")}},
		{"oc", "oc delete ns shop", intent{verb: operation.Delete, names: named("ns", "shop")}},
		{"a path", "/usr/local/bin/kubectl delete ns shop", intent{verb: operation.Delete, names: named("ns", "shop")}},
		{"Windows", `'C:\bin\kubectl.exe' delete ns shop`, intent{verb: operation.Delete, names: named("ns", "shop")}},
		{"after two dashes", "kubectl delete pod -- -odd", intent{verb: operation.Delete, names: named("pod", "-odd")}},
		{"scaling to zero", "kubectl scale --replicas=0 deploy/web", intent{verb: operation.ScaleToZero, names: named("deploy", "web")}},
		{"scaling to zero, otherwise", "kubectl scale deploy web --replicas 0 --current-replicas=3", intent{verb: operation.ScaleToZero, names: named("deploy", "web")}},
		{"a label taken off", "kubectl label ns shop env-", intent{verb: operation.Unprotect, names: named("ns", "shop")}},
		{"a label taken off, and one set", "kubectl label ns/shop env=test tier-", intent{verb: operation.Unprotect, names: named("ns", "shop")}},
		{"a label changed", "kubectl label --overwrite ns/shop env=test", intent{verb: operation.Unprotect, names: named("ns", "shop")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseKubectl(tt.command)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, allowIntent); diff != "" {
				t.Errorf("intent (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAKubectlCommandThatDoesNotSayWhatIsMeantIsRefused(t *testing.T) {
	for _, tt := range []struct{ name, command, want string }{
		{"nothing", "", "the command is empty"},
		{"another program", "helm delete shop", "begins with helm"},
		{"sudo", "sudo kubectl delete ns shop", "begins with sudo"},
		{"a variable before it", "KUBECONFIG=x kubectl delete ns shop", "begins with KUBECONFIG=x"},
		{"no verb", "kubectl -n shop", "has no verb"},
		{"no object", "kubectl delete", "no object is named"},
		{"no name", "kubectl delete pods", "no name is given for pods"},
		{"an empty name", "kubectl delete pods ''", "an empty name"},
		{"names and a selector", "kubectl delete pod web -l app=web", "named and selected"},
		{"all and a selector", "kubectl delete pods --all -l app=web", "cannot both be meant"},
		{"a name in all namespaces", "kubectl delete pod web -A", "cannot be named in all namespaces"},
		{"mixed forms", "kubectl delete pod/a b", "b is not TYPE/NAME"},
		{"a sub-resource", "kubectl delete deploy/web/scale", "deploy/web/scale is not TYPE/NAME"},
		{"several types with a slash", "kubectl delete deploy,svc/web", "deploy,svc/web is not TYPE/NAME"},
		{"an empty type", "kubectl delete deploy, web", "deploy, is not a list of types"},
		{"the category all", "kubectl delete all -l app=web", "all is several types"},
		{"names and a file", "kubectl delete ns shop -f a.yaml", "objects and a file"},
		{"a selector and a file", "kubectl delete -f a.yaml -l app=web", "leave the selector out"},
		{"kustomize", "kubectl delete -k dir", "--kustomize"},
		{"raw", "kubectl delete --raw /api/v1/namespaces/shop", "--raw"},
		{"somebody else", "kubectl --as=bob delete ns shop", "--as, which acts as somebody else"},
		{"another group", "kubectl delete ns shop --as-group admins", "--as-group, which acts as somebody else"},
		{"another user", "kubectl delete ns shop --user admin", "--user, which acts as somebody else"},
		{"a token", "kubectl --token=abc delete ns shop", "--token, which acts as somebody else"},
		{"a server", "kubectl -s https://x delete ns shop", "--server: name the cluster by a context"},
		{"an unknown flag", "kubectl delete ns shop --frobnicate", "unknown flag: --frobnicate"},
		{"a flag of another verb", "kubectl delete ns shop --replicas=0", "unknown flag: --replicas"},
		{"help", "kubectl delete --help", "asks for help"},
		{"scaling up", "kubectl scale deploy web --replicas=3", "scaling to 3 destroys nothing"},
		{"scaling to nothing said", "kubectl scale deploy web", "does not say --replicas"},
		{"no label", "kubectl label ns shop", "changes no label"},
		{"a label that is only set", "kubectl label deploy web foo=bar", "takes no label off"},
		{"a label that is only set, to what ends in a dash", "kubectl label deploy web foo=bar-", "takes no label off"},
		{"something after labels", "kubectl label ns shop env- x", "has x after the labels"},
		{"a drain", "kubectl drain node-1", "name the pods"},
		{"a patch", "kubectl patch ns shop -p x", "name verb and target instead"},
		{"a look", "kubectl get pods", "destroys nothing"},
		{"another verb", "kubectl frobnicate", "is not known here"},
		{"a name that moves the cursor", "kubectl '\x1b[2J'", `"\x1b[2J" destroys is not known`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseKubectl(tt.command)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %+v, %v; want an error with %q", got, err, tt.want)
			}
		})
	}
}

func TestTargetsAreCanonicalNamesOrAsKubectlTakesThem(t *testing.T) {
	shop := operation.KubernetesName{Cluster: "prod-eu", Resource: "namespaces", Name: "shop"}
	web := operation.KubernetesName{Cluster: "prod-eu", Group: "apps", Resource: "deployments", Namespace: "shop", Name: "web"}
	for _, tt := range []struct {
		name string
		verb string
		args []string
		want intent
		err  string
	}{
		{"a canonical name", "delete", []string{"k8s://prod-eu/core/namespaces/shop"}, intent{verb: operation.Delete, refs: []operation.KubernetesName{shop}, audience: "prod-eu"}, ""},
		{
			"two, and one of the other kind", "scale-to-zero", []string{"k8s://prod-eu/core/namespaces/shop", "deploy/api", "k8s://prod-eu/apps/deployments/shop/web"},
			intent{verb: operation.ScaleToZero, refs: []operation.KubernetesName{shop, web}, audience: "prod-eu", names: named("deploy", "api")}, "",
		},
		{"TYPE NAME", "evict", []string{"pod", "web-1", "web-2"}, intent{verb: operation.Evict, names: named("pod", "web-1", "web-2")}, ""},
		{"no verb of ours", "update", []string{"ns", "shop"}, intent{}, "update is not one of the verbs delete, evict,"},
		{"no such verb", "dele\x1bte", []string{"ns", "shop"}, intent{}, `"dele\x1bte" is not one of`},
		{"a name with too few parts", "delete", []string{"k8s://prod-eu/namespaces/shop"}, intent{}, "is not of the form"},
		{"no cluster", "delete", []string{"k8s:///core/namespaces/shop"}, intent{}, "is not of the form"},
		{"two clusters", "delete", []string{"k8s://a/core/namespaces/shop", "k8s://b/core/namespaces/shop"}, intent{}, "two clusters, a and b"},
		{"twice the same", "delete", []string{"k8s://a/core/namespaces/shop", "k8s://a/core/namespaces/shop"}, intent{}, "there twice"},
		{"a type only", "delete", []string{"pods"}, intent{}, "no name is given for pods"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseTargets(tt.verb, tt.args, "")
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %+v, %v; want an error with %q", got, err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, allowIntent); diff != "" {
				t.Errorf("intent (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParseKubectl(f *testing.F) {
	for _, line := range []string{
		"kubectl delete ns shop", "kubectl -n shop scale deploy/web --replicas=0", "k label ns shop env-", "kubectl delete -f a -f -", "kubectl --as=x delete", "oc delete pods -l a=b -A",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		i, err := parseKubectl(line)
		if err != nil {
			return
		}
		if len(i.names)+len(i.types)+len(i.files) == 0 {
			t.Errorf("%q names nothing: %+v", line, i)
		}
		for _, n := range i.names {
			if n.resource == "" || n.name == "" {
				t.Errorf("%q names an object without type or name: %+v", line, i)
			}
		}
	})
}

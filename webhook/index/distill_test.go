package index

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// bySelectorText compares selectors by what they say.
var bySelectorText = cmp.Comparer(func(a, b labels.Selector) bool {
	return (a == nil) == (b == nil) && (a == nil || a.String() == b.String())
})

func selector(t *testing.T, text string) labels.Selector {
	t.Helper()
	s, err := labels.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func resource(name string) schema.GroupResource { return schema.ParseGroupResource(name) }

func TestObjectsAreBroughtDownToWhatTheIndexTakesIn(t *testing.T) {
	none := Object{Namespace: "shop", Name: "x"}
	with := func(facts any) Object {
		o := none
		o.Facts = facts
		return o
	}
	const meta = `"metadata":{"namespace":"shop","name":"x"}`
	for _, tt := range []struct {
		name, resource, data string
		want                 Object
		doubt                string
	}{
		{
			"of most kinds the metadata is read", "secrets",
			`{"kind":"PartialObjectMetadata","metadata":{"namespace":"shop","name":"x","uid":"u","resourceVersion":"7","labels":{"env":"production"},
			"annotations":{"a":"b"},"deletionTimestamp":"2026-11-21T03:12:47Z","managedFields":[{"manager":"m","fieldsV1":{"f:data":{}}}],
			"ownerReferences":[{"uid":"o1","controller":true,"kind":"A"},{"uid":"o2"}]},"data":{"password":"c2VjcmV0"}}`,
			Object{
				Namespace: "shop", Name: "x", UID: "u", Labels: map[string]string{"env": "production"}, Terminating: true,
				Owners: []Owner{{UID: "o1", Controller: true}, {UID: "o2"}},
			}, "",
		},
		{"an object may have nothing but a name", "widgets.example.com", `{"metadata":{"name":"x","namespace":"shop","labels":null}}`, none, ""},
		{
			"a pod needs what it mounts, takes its environment from and is pulled with", "pods",
			`{` + meta + `,"spec":{"nodeName":"n","serviceAccountName":"sa","priorityClassName":"high","volumes":[
			{"name":"a","persistentVolumeClaim":{"claimName":"data"}},{"name":"b","ephemeral":{"volumeClaimTemplate":{}}},
			{"name":"c","secret":{"secretName":"tls"}},{"name":"d","configMap":{"name":"conf"}},
			{"name":"e","projected":{"sources":[{"secret":{"name":"p"}},{"configMap":{"name":"kube-root-ca.crt"}},{"serviceAccountToken":{"path":"t"}}]}},
			{"name":"f","csi":{"driver":"d","nodePublishSecretRef":{"name":"csi"}}},{"name":"g","csi":{"driver":"d"}},
			{"name":"h","azureFile":{"secretName":"azure","shareName":"s"}},{"name":"i","cephfs":{"secretRef":{"name":"ceph"}}},
			{"name":"j","cinder":{"secretRef":{"name":"cinder"}}},{"name":"k","flexVolume":{"secretRef":{"name":"flex"}}},
			{"name":"l","iscsi":{"secretRef":{"name":"iscsi"}}},{"name":"m","rbd":{"secretRef":{"name":"rbd"}}},
			{"name":"n","scaleIO":{"secretRef":{"name":"scale"}}},{"name":"o","storageos":{"secretRef":{"name":"sos"}}},
			{"name":"p","emptyDir":{"sizeLimit":"1Gi"}}],
			"imagePullSecrets":[{"name":"registry"},{}],
			"containers":[{"name":"c","env":[{"name":"A","value":"1"},{"name":"B","valueFrom":{"secretKeyRef":{"name":"env","key":"k"}}},
			{"name":"C","valueFrom":{"configMapKeyRef":{"name":"envconf","key":"k"}}},{"name":"D","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}}],
			"envFrom":[{"secretRef":{"name":"from"}},{"configMapRef":{"name":"conf"}}]}],
			"initContainers":[{"envFrom":[{"secretRef":{"name":"init"}}]}],"ephemeralContainers":[{"envFrom":[{"configMapRef":{"name":"debug"}}]}]},
			"status":{"phase":"Running"}}`,
			with(&Pod{
				Node: "n", ServiceAccount: "sa", PriorityClass: "high", Claims: []string{"data", "x-b"},
				Secrets:    []string{"azure", "ceph", "cinder", "csi", "env", "flex", "from", "init", "iscsi", "p", "rbd", "registry", "scale", "sos", "tls"},
				ConfigMaps: []string{"conf", "debug", "envconf", "kube-root-ca.crt"},
			}), "",
		},
		{"a pod that succeeded is done", "pods", `{` + meta + `,"status":{"phase":"Succeeded"}}`, with(&Pod{Done: true}), ""},
		{"a pod that failed is done", "pods", `{` + meta + `,"status":{"phase":"Failed"}}`, with(&Pod{Done: true}), ""},
		{
			"a claim knows its volume and class", "persistentvolumeclaims", `{` + meta + `,"spec":{"volumeName":"pv","storageClassName":"fast"}}`,
			with(&Claim{Volume: "pv", StorageClass: "fast"}), "",
		},
		{"a claim that waits has no volume", "persistentvolumeclaims", `{` + meta + `,"spec":{}}`, with(&Claim{}), ""},
		{
			"a volume knows its claim", "persistentvolumes",
			`{` + meta + `,"spec":{"claimRef":{"namespace":"shop","name":"data","uid":"u"},"persistentVolumeReclaimPolicy":"Delete","storageClassName":"fast"}}`,
			with(&PersistentVolume{ClaimNamespace: "shop", ClaimName: "data", ReclaimPolicy: "Delete", StorageClass: "fast"}), "",
		},
		{
			"a snapshot knows its claim and when it was taken", "volumesnapshots.snapshot.storage.k8s.io",
			`{` + meta + `,"spec":{"source":{"persistentVolumeClaimName":"data"}},"status":{"readyToUse":true,"creationTime":"2026-11-21T03:12:47Z"}}`,
			with(&Snapshot{Claim: "data", Ready: true, Time: time.Date(2026, 11, 21, 3, 12, 47, 0, time.UTC)}), "",
		},
		{
			"a snapshot that was just asked for is not ready", "volumesnapshots.snapshot.storage.k8s.io",
			`{` + meta + `,"spec":{"source":{"persistentVolumeClaimName":"data"}}}`, with(&Snapshot{Claim: "data"}), "",
		},
		{"a Service selects pods", "services", `{` + meta + `,"spec":{"type":"ClusterIP","selector":{"b":"2","a":"1"}}}`, with(&Service{Selector: selector(t, "a=1,b=2")}), ""},
		{"a Service without a selector selects nothing", "services", `{` + meta + `,"spec":{}}`, with(&Service{}), ""},
		{"a Service that is another name selects nothing", "services", `{` + meta + `,"spec":{"type":"ExternalName","selector":{"a":"1"}}}`, with(&Service{}), ""},
		{
			"a Service with an impossible selector selects nothing, and that is said", "services", `{` + meta + `,"spec":{"selector":{"a b":"1"}}}`, with(&Service{}),
			`read spec.selector: key: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
		},
		{
			"a binding names service accounts in several ways", "rolebindings.rbac.authorization.k8s.io",
			`{` + meta + `,"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"edit"},"subjects":[
			{"kind":"ServiceAccount","name":"own"},{"kind":"ServiceAccount","namespace":"ci","name":"bot"},{"kind":"ServiceAccount","namespace":"ci","name":"bot"},
			{"kind":"User","name":"alice"},{"kind":"User","name":"system:serviceaccount:ops:runner"},{"kind":"User","name":"system:serviceaccount:odd"},
			{"kind":"Group","name":"system:serviceaccounts"},{"kind":"Group","name":"system:serviceaccounts:dev"},{"kind":"Group","name":"devs"}]}`,
			with(&Binding{RoleKind: "ClusterRole", RoleName: "edit", Accounts: []string{"*/*", "ci/bot", "dev/*", "ops/runner", "shop/own"}}), "",
		},
		{
			"a cluster-wide binding is read as well", "clusterrolebindings.rbac.authorization.k8s.io", `{` + meta + `,"roleRef":{"kind":"ClusterRole","name":"view"}}`,
			with(&Binding{RoleKind: "ClusterRole", RoleName: "view"}), "",
		},
		{
			"a definition serves a kind", "customresourcedefinitions.apiextensions.k8s.io",
			`{` + meta + `,"spec":{"group":"example.com","names":{"plural":"widgets","kind":"Widget"},"versions":[{"schema":{}}]}}`,
			with(&Definition{Serves: resource("widgets.example.com"), Kind: "Widget"}), "",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, _ := distillerOf(resource(tt.resource))
			got, err := d([]byte(tt.data))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.object, bySelectorText); diff != "" {
				t.Errorf("the object (-want +got):\n%s", diff)
			}
			if got := text(got.doubt); got != tt.doubt {
				t.Errorf("the doubt is %q, want %q", got, tt.doubt)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestABudgetThatLetsAllPodsGoAtOnceIsWorthless(t *testing.T) {
	app := selector(t, "app=x")
	for _, tt := range []struct {
		name, spec, status string
		want               Budget
		doubt              string
	}{
		{"one may go", `"maxUnavailable":1`, `"expectedPods":3`, Budget{}, ""},
		{"as many may go as there are", `"maxUnavailable":3`, `"expectedPods":3`, Budget{Worthless: true}, ""},
		{"more may go than there are", `"maxUnavailable":5`, `"expectedPods":3`, Budget{Worthless: true}, ""},
		{"a number may go of pods that were not counted yet", `"maxUnavailable":200`, ``, Budget{}, ""},
		{"half may go", `"maxUnavailable":"50%"`, `"expectedPods":3`, Budget{}, ""},
		{"half of one, rounded up, is all", `"maxUnavailable":"50%"`, `"expectedPods":1`, Budget{Worthless: true}, ""},
		{"half of pods that were not counted yet", `"maxUnavailable":"50%"`, ``, Budget{}, ""},
		{"all may go", `"maxUnavailable":"100%"`, ``, Budget{Worthless: true}, ""},
		{"none may go", `"maxUnavailable":0`, `"expectedPods":3`, Budget{}, ""},
		{"one must stay", `"minAvailable":1`, `"expectedPods":3`, Budget{}, ""},
		{"none must stay", `"minAvailable":0`, `"expectedPods":3`, Budget{Worthless: true}, ""},
		{"no part must stay", `"minAvailable":"0%"`, ``, Budget{Worthless: true}, ""},
		{"some part must stay", `"minAvailable":"1%"`, ``, Budget{}, ""},
		{"it says neither, and then none may go", ``, `"expectedPods":3`, Budget{}, ""},
		{
			"what may go is no number", `"maxUnavailable":"some"`, ``, Budget{Worthless: true},
			`read spec.maxUnavailable: invalid value for IntOrString: invalid type: string is not a percentage`,
		},
		{
			"what must stay is no number", `"minAvailable":"some"`, ``, Budget{Worthless: true},
			`read spec.minAvailable: invalid value for IntOrString: invalid type: string is not a percentage`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spec := `"selector":{"matchLabels":{"app":"x"}}`
			if tt.spec != "" {
				spec += "," + tt.spec
			}
			got, doubt := readBudget(t, `{"metadata":{"name":"x"},"spec":{`+spec+`},"status":{`+tt.status+`}}`)
			tt.want.Selector = app
			if diff := cmp.Diff(&tt.want, got, bySelectorText); diff != "" {
				t.Errorf("the budget (-want +got):\n%s", diff)
			}
			if doubt != tt.doubt {
				t.Errorf("the doubt is %q, want %q", doubt, tt.doubt)
			}
		})
	}
}

func TestABudgetSelectsAsThePolicyAPISays(t *testing.T) {
	for _, tt := range []struct {
		name, selector string
		want           Budget
		doubt          string
	}{
		{"no selector selects nothing", `null`, Budget{Worthless: true}, ""},
		{"an empty selector selects all", `{}`, Budget{Selector: labels.Everything()}, ""},
		{"expressions count", `{"matchExpressions":[{"key":"a","operator":"NotIn","values":["b"]}]}`, Budget{Selector: selector(t, "a notin (b)")}, ""},
		{
			"an impossible selector selects nothing, and that is said", `{"matchExpressions":[{"key":"a","operator":"Near"}]}`, Budget{Worthless: true},
			`read spec.selector: "Near" is not a valid label selector operator`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, doubt := readBudget(t, `{"metadata":{"name":"x"},"spec":{"minAvailable":1,"selector":`+tt.selector+`}}`)
			if diff := cmp.Diff(&tt.want, got, bySelectorText); diff != "" {
				t.Errorf("the budget (-want +got):\n%s", diff)
			}
			if doubt != tt.doubt {
				t.Errorf("the doubt is %q, want %q", doubt, tt.doubt)
			}
		})
	}
}

func readBudget(t *testing.T, data string) (got *Budget, doubt string) {
	t.Helper()
	d, _ := distillerOf(resource("poddisruptionbudgets.policy"))
	read, err := d([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return read.object.Facts.(*Budget), text(read.doubt)
}

func TestAnObjectThatIsNoneIsAnError(t *testing.T) {
	for _, data := range []string{``, `{`, `[]`, `"x"`, `{"metadata":[]}`, `{"metadata":{"name":1}}`, `{"metadata":{"labels":{"a":1}}}`, `{}{}`} {
		for _, kind := range []string{"secrets", "pods"} {
			d, _ := distillerOf(resource(kind))
			if got, err := d([]byte(data)); err == nil {
				t.Errorf("%s %s: got %+v and no error", kind, data, got)
			}
		}
	}
}

func TestOfAnObjectNoMoreLabelsAndOwnersAreReadThanNeeded(t *testing.T) {
	var set, owners []string
	for i := range maxRead + 9 {
		set = append(set, fmt.Sprintf(`"l%d":"x"`, i))
	}
	for i := range maxOwners + 9 {
		owners = append(owners, fmt.Sprintf(`{"uid":"%d","name":{}}`, i))
	}
	d, _ := distillerOf(resource("secrets"))
	got, err := d([]byte(`{"metadata":{"labels":{` + strings.Join(set, ",") + `},"ownerReferences":[` + strings.Join(owners, ",") + `],"name":"x"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if o := got.object; len(o.Labels) != maxRead+1 || len(o.Owners) != maxOwners+1 || o.Owners[maxOwners].UID != fmt.Sprint(maxOwners) || o.Name != "x" {
		t.Errorf("%d labels, %d owners and the name %q were read", len(o.Labels), len(o.Owners), o.Name)
	}
	const doubt = "it has more than 4096 labels, and counts as production\nit has more than 64 owners, of which the others are not followed"
	if text(got.doubt) != doubt {
		t.Errorf("the doubt is %q, want %q", text(got.doubt), doubt)
	}
}

package mapping

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/operation"
)

func newShipped(t testing.TB, opts Options) *Mapper {
	t.Helper()
	m, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestANameIsKnownIfAnEntryCanHaveIt(t *testing.T) {
	m := newShipped(t, Options{Files: map[string][]byte{"acme.yaml": []byte("service: acme.googleapis.com\nkinds:\n" +
		"  Thing: {resource: things, path: \"projects/{project}/things/{name}\"}\nrows:\n- {methods: [acme.v1.DropThing], kind: Thing, verb: delete}\n")}})
	type answer struct{ Kind, Problem string }
	const gke, gce = "gcp://container.googleapis.com/", "gcp://compute.googleapis.com/"
	for _, tt := range []struct {
		ref  string
		want answer
	}{
		{gke + "projects/prod-1/locations/europe-west1/clusters/shop", answer{Kind: "Cluster"}},
		{gke + "projects/example.com:prod/locations/europe-west1/clusters/shop/nodePools/a", answer{Kind: "NodePool"}},
		{gce + "projects/prod-1/zones/europe-west1-b/instances/web", answer{Kind: "Instance"}},
		{"gcp://cloudsql.googleapis.com/projects/prod-1/instances/orders", answer{Kind: "Instance"}},
		{"gcp://storage.googleapis.com/prod-backups", answer{Kind: "Bucket"}},
		{"gcp://cloudresourcemanager.googleapis.com/projects/123", answer{Kind: "Project"}},
		{"gcp://acme.googleapis.com/projects/prod-1/things/x", answer{Kind: "Thing"}}, // a table of the configuration's

		{gke + "projects/prod-1/zones/europe-west1-b/clusters/shop", answer{Problem: "expected " + gke + "projects/prod-1/locations/europe-west1-b/clusters/shop"}},
		{gke + "projects/prod-1/zones/europe-west1-b/clusters/shop/nodepools/a", answer{Problem: "expected " + gke + "projects/prod-1/locations/europe-west1-b/clusters/shop/nodePools/a"}},
		{gce + "projects/prod-1/locations/europe-west1-b/instances/web", answer{Problem: "expected " + gce + "projects/prod-1/zones/europe-west1-b/instances/web"}},
		{gce + "projects/prod-1/locations/europe-west1/disks/data", answer{Problem: "expected " + gce + "projects/prod-1/zones/europe-west1/disks/data or " + gce + "projects/prod-1/regions/europe-west1/disks/data"}},
		{"gcp://storage.googleapis.com/projects/_/buckets/prod-backups", answer{Problem: "expected gcp://storage.googleapis.com/prod-backups"}},
		{"gcp://cloudsql.googleapis.com/instances/orders", answer{Problem: "expected gcp://cloudsql.googleapis.com/projects/PROJECT/instances/orders"}},
		{"gcp://cloudsql.googleapis.com/projects/prod-1/locations/europe-west1/instances/orders",
			answer{Problem: "cloudsql.googleapis.com has nothing by such a path: expected gcp://cloudsql.googleapis.com/projects/PROJECT/instances/NAME"}},
		{gke + "projects/123/locations/europe-west1/clusters/shop",
			answer{Problem: "a name has the project's id, not its number: expected " + gke + "projects/PROJECT/locations/europe-west1/clusters/shop"}},
		{gke + "projects/123/zones/europe-west1-b/clusters/shop", answer{Problem: "expected " + gke + "projects/PROJECT/locations/europe-west1-b/clusters/shop"}},
		{gke + "projects/prod-1/locations/-/clusters/shop", answer{Problem: "- stands for any location: expected one by its name"}},
		{gke + "projects/prod-1/locations/europe-west1/clusters/-", answer{Problem: "- stands for any name: expected one by its name"}},
		{gke + "clusters/shop",
			answer{Problem: "container.googleapis.com has nothing by such a path: expected " + gke + "projects/PROJECT/locations/LOCATION/clusters/NAME"}},
		{gke + "projects/prod-1/x/y", answer{Problem: "container.googleapis.com has nothing by such a path: expected a name such as " +
			gke + "projects/PROJECT/locations/LOCATION/clusters/NAME or " + gke + "projects/PROJECT/locations/LOCATION/clusters/CLUSTER/nodePools/NAME"}},
		{gke + "projects/prod-1//europe-west1/clusters/shop",
			answer{Problem: "container.googleapis.com has nothing by such a path: expected " + gke + "projects/PROJECT/locations/LOCATION/clusters/NAME"}},
		{"gcp://nosuch.googleapis.com/projects/p/x/y", answer{Problem: "no table of methods has the service nosuch.googleapis.com: an alert shows the name to ask for"}},
		{"gcp://k8s.io/core/v1/namespaces/shop", answer{Problem: "objects of a cluster are named k8s://CLUSTER/GROUP/RESOURCE[/NAMESPACE]/NAME"}},
		{"gcp://container.googleapis.com", answer{Problem: "it is not of the form gcp://SERVICE/PATH"}},
		{"k8s://prod-eu/core/namespaces/shop", answer{Problem: "it is not of the form gcp://SERVICE/PATH"}},
		{"", answer{Problem: "it is not of the form gcp://SERVICE/PATH"}},
	} {
		t.Run(tt.ref, func(t *testing.T) {
			var got answer
			got.Kind, got.Problem = m.Knows(tt.ref)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAProblemListsAFewNamesOfAServiceThatHasMany(t *testing.T) {
	_, problem := newShipped(t, Options{}).Knows("gcp://compute.googleapis.com/nothing")
	if n := strings.Count(problem, "gcp://"); n != maxExpected || !strings.HasSuffix(problem, " others") {
		t.Errorf("%d names in %q", n, problem)
	}
}

// Each kind's own name must be taken for what it is: two kinds by one path would not be.
func TestEveryKindOfTheTablesIsKnownByItsName(t *testing.T) {
	m := newShipped(t, Options{})
	count := 0
	for name, s := range m.table.services {
		for kind, k := range s.kinds {
			parts := map[string]string{}
			for _, part := range k.templates[0].parts() {
				parts[part] = "some-" + part
			}
			ref := operation.GCPRef(name, k.templates[0].write(parts))
			if got, problem := m.Knows(ref); got != kind || problem != "" {
				t.Errorf("%s: got %q, %q, want %s", ref, got, problem, kind)
			}
			count++
		}
	}
	if count < 100 {
		t.Errorf("%d kinds", count)
	}
}

// What the watcher says of an entry can be asked for.
func TestTheNamesOfRecordedEntriesAreKnown(t *testing.T) {
	files, err := filepath.Glob("testdata/gcp/*.json")
	if err != nil {
		t.Fatal(err)
	}
	m := newShipped(t, Options{})
	count := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r, err := m.Map(data)
		if err != nil {
			t.Fatal(err)
		}
		op := r.Operation
		if r.Care != auditlog.Judge || op.Surface != operation.GCP || op.Verb == operation.Unknown || len(op.Unknown) > 0 {
			continue
		}
		if kind, problem := m.Knows(op.Target.Ref); kind != op.Target.Kind {
			t.Errorf("%s: %s: got %q, %q, want %s", file, op.Target.Ref, kind, problem, op.Target.Kind)
		}
		count++
	}
	if count == 0 {
		t.Error("no entry was looked at")
	}
}

func FuzzKnows(f *testing.F) {
	for _, ref := range []string{"gcp://container.googleapis.com/projects/p/zones/z/clusters/c", "gcp://storage.googleapis.com/b", "gcp://compute.googleapis.com/-/_", "gcp://iam.googleapis.com/a/b/roles/c"} {
		f.Add(ref)
	}
	m := newShipped(f, Options{})
	f.Fuzz(func(t *testing.T, ref string) {
		kind, problem := m.Knows(ref)
		if (kind == "") == (problem == "") {
			t.Fatalf("%q: %q, %q", ref, kind, problem)
		}
		service, _, _ := operation.ParseGCPRef(ref)
		if kind != "" && !slices.Contains(sortedKinds(m, service), kind) {
			t.Fatalf("%q: %s is no kind of %s", ref, kind, service)
		}
	})
}

func sortedKinds(m *Mapper, service string) []string {
	var list []string
	for kind := range m.table.services[service].kinds {
		list = append(list, kind)
	}
	return list
}

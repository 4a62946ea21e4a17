package tfplan

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// writePlan writes a plan with n resources of a kind and size as Google's provider has
// them: a tenth is deleted, a tenth updated, the rest stays, in modules of a thousand.
func writePlan(w io.Writer, n int) {
	values := func(i int) string {
		return fmt.Sprintf(`{"id":"projects/p-%d/zones/europe-west1-b/instances/vm-%d","name":"vm-%d","project":"p-%d",`+
			`"machine_type":"e2-standard-4","zone":"europe-west1-b","deletion_protection":true,"labels":{"env":"production","team":"shop"},`+
			`"effective_labels":{"env":"production","goog-terraform-provisioned":"true","team":"shop"},`+
			`"boot_disk":[{"auto_delete":true,"device_name":"persistent-disk-0","initialize_params":[{"image":"https://www.googleapis.com/compute/v1/projects/debian-cloud/global/images/debian-12","size":50,"type":"pd-balanced"}]}],`+
			`"network_interface":[{"access_config":[],"network":"https://www.googleapis.com/compute/v1/projects/p-%d/global/networks/main","network_ip":"10.0.%d.%d","stack_type":"IPV4_ONLY"}],`+
			`"metadata":{"startup-script":"#!/bin/bash\nset -eu\napt-get update\nexec /opt/start --name=\"vm-%d\"\n"},"tags":["a","b"],"timeouts":null}`,
			i/1000, i, i, i/1000, i/1000, i/250%250, i%250, i)
	}
	sensitive := `{"boot_disk":[{"initialize_params":[{"labels":{}}]}],"effective_labels":{},"labels":{},"metadata":{},"network_interface":[{"access_config":[]}],"tags":[false,false]}`
	entry := func(i int) string {
		return fmt.Sprintf(`{"address":"module.m%d.google_compute_instance.vm[%d]","module_address":"module.m%d","mode":"managed",`+
			`"type":"google_compute_instance","name":"vm","index":%d,"provider_name":"registry.terraform.io/hashicorp/google"`, i/1000, i%1000, i/1000, i%1000)
	}
	modules := func() {
		fmt.Fprint(w, `{"root_module":{"child_modules":[`)
		for i := range n {
			switch {
			case i == 0:
				fmt.Fprint(w, `{"address":"module.m0","resources":[`)
			case i%1000 == 0:
				fmt.Fprintf(w, `]},{"address":"module.m%d","resources":[`, i/1000)
			default:
				fmt.Fprint(w, ",")
			}
			fmt.Fprintf(w, `%s,"schema_version":6,"values":%s,"sensitive_values":%s}`, entry(i), values(i), sensitive)
		}
		if n > 0 {
			fmt.Fprint(w, `]}`)
		}
		fmt.Fprint(w, `]}}`)
	}
	fmt.Fprint(w, `{"format_version":"1.2","terraform_version":"1.11.4","variables":{"size":{"value":3}},"planned_values":`)
	modules()
	fmt.Fprint(w, `,"resource_changes":[`)
	for i := range n {
		if i > 0 {
			fmt.Fprint(w, ",")
		}
		before := values(i)
		actions, after := `["no-op"]`, before
		switch i % 10 {
		case 0:
			actions, after = `["delete"]`, "null"
		case 1:
			actions = `["update"]`
		}
		fmt.Fprintf(w, `%s,"change":{"actions":%s,"before":%s,"after":%s,"after_unknown":{},"before_sensitive":%s,"after_sensitive":%s}}`,
			entry(i), actions, before, after, sensitive, sensitive)
	}
	fmt.Fprint(w, `],"prior_state":{"format_version":"1.0","terraform_version":"1.11.4","values":`)
	modules()
	fmt.Fprint(w, `},"configuration":{"provider_config":{"google":{"name":"google","full_name":"registry.terraform.io/hashicorp/google"}},"root_module":{}},"complete":true,"errored":false}`)
}

// benchSizes are the sizes of plans that are promised something of.
var benchSizes = []int{100, 10_000, 100_000}

// planFile writes a plan to a file, so that the text is no part of the memory measured.
func planFile(b *testing.B, n int) (*os.File, int64) {
	file, err := os.Create(filepath.Join(b.TempDir(), "plan.json"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { file.Close() })
	w := bufio.NewWriter(file)
	writePlan(w, n)
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	info, err := file.Stat()
	if err != nil {
		b.Fatal(err)
	}
	return file, info.Size()
}

// BenchmarkPlan reads a plan as plan check does: through once, all changes, all state.
// peak-MiB is the most heap in use, looked at every thousand changes and resources.
func BenchmarkPlan(b *testing.B) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			file, size := planFile(b, n)
			b.SetBytes(size)
			b.ReportAllocs()
			runtime.GC()
			peak, seen := uint64(0), 0
			look := func(err error) {
				if err != nil {
					b.Fatal(err)
				}
				if seen++; seen%1000 == 0 {
					var now runtime.MemStats
					runtime.ReadMemStats(&now)
					peak = max(peak, now.HeapInuse)
				}
			}
			for b.Loop() {
				d, err := Open(b.Context(), file, size)
				if err != nil {
					b.Fatal(err)
				}
				for _, err := range d.Changes(b.Context()) {
					look(err)
				}
				for _, err := range d.State(b.Context()) {
					look(err)
				}
			}
			b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
		})
	}
}

// BenchmarkPlanPlain is what it is measured against: the same text through encoding/json.
func BenchmarkPlanPlain(b *testing.B) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var text bytes.Buffer
			writePlan(&text, n)
			b.SetBytes(int64(text.Len()))
			b.ReportAllocs()
			for b.Loop() {
				var plan any
				if err := json.Unmarshal(text.Bytes(), &plan); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

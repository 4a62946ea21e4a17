package webhook

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mollyguard/mollyguard/operation"
)

const (
	// maxDifferences is how many places of an object are named: what else differs is
	// in the manifest that somebody applied.
	maxDifferences = 5
	// maxPathBytes is how long the name of a place may be: "spec.template.spec." and a
	// list's index take 40, keys of ConfigMaps are mostly file names.
	maxPathBytes = 120
)

// These may differ.
const (
	// restartedAt is what kubectl rollout restart writes: a restart takes nothing away.
	restartedAt = "spec.template.metadata.annotations.kubectl.kubernetes.io/restartedAt"
	// replicasPath: fewer replicas judge alike, and none at all is scaling to zero.
	replicasPath = "spec.replicas"
)

// differences names the places where the text of an object differs from another in
// more than its status and in what the API server keeps of it: its labels and owners
// are looked at, and more of its metadata if that is named. It does not tell values,
// which may be secret. An object that cannot be read differs.
func differences(before, after []byte, more ...string) []string {
	old, err := readObject(before)
	if err != nil {
		return []string{"the old object cannot be read"}
	}
	now, err := readObject(after)
	if err != nil {
		return []string{"the new object cannot be read"}
	}
	var d differ
	for _, field := range keys(old, now) {
		switch field {
		case "apiVersion", "kind", "status":
		case "metadata":
			for _, name := range append([]string{"labels", "ownerReferences"}, more...) {
				d.compare("metadata."+name, child(old[field], name), child(now[field], name))
			}
		default:
			d.compare(field, old[field], now[field])
		}
	}
	if d.more > 0 {
		d.list = append(d.list, fmt.Sprintf("and %d more", d.more))
	}
	return d.list
}

func readObject(text []byte) (map[string]any, error) {
	var o map[string]any
	// The API server writes each name once; of what does not, the last one counts.
	err := json.Unmarshal(text, &o, jsontext.AllowDuplicateNames(true))
	return o, err
}

func child(object any, name string) any {
	members, _ := object.(map[string]any)
	return members[name]
}

func keys(a, b map[string]any) []string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

// differ collects the places where two values differ.
type differ struct {
	list []string
	more int
}

func (d *differ) compare(path string, before, after any) {
	if path == replicasPath || path == restartedAt || reflect.DeepEqual(before, after) {
		return
	}
	old, wasObject := before.(map[string]any)
	now, isObject := after.(map[string]any)
	if (wasObject || before == nil) && (isObject || after == nil) && len(old)+len(now) > 0 {
		for _, name := range keys(old, now) {
			d.compare(path+"."+name, old[name], now[name])
		}
		return
	}
	oldList, wasList := before.([]any)
	newList, isList := after.([]any)
	if wasList && isList && len(oldList) == len(newList) {
		for i := range oldList {
			d.compare(fmt.Sprintf("%s[%d]", path, i), oldList[i], newList[i])
		}
		return
	}
	if len(d.list) == maxDifferences {
		d.more++
		return
	}
	what := "changed"
	switch {
	case before == nil:
		what = "added"
	case after == nil:
		what = "removed"
	}
	d.list = append(d.list, operation.Clip(operation.Printable(strings.TrimPrefix(path, ".")), maxPathBytes)+" "+what)
}

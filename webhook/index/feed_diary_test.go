package index

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// diary is a sink that writes down what it is told, a line each.
type diary struct {
	mu    sync.Mutex
	lines []string
	// objects are those of the newest list and what came after, as NAMESPACE/NAME.
	objects map[schema.GroupResource]map[string]Object
	sweeps  map[Sweep]map[string]bool
	states  map[schema.GroupResource]State
	found   Discovery
}

func newDiary() *diary {
	return &diary{
		objects: map[schema.GroupResource]map[string]Object{}, sweeps: map[Sweep]map[string]bool{}, states: map[schema.GroupResource]State{},
	}
}

func (d *diary) write(format string, args ...any) {
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

// read returns the lines since the last call.
func (d *diary) read() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	lines := d.lines
	d.lines = nil
	return lines
}

func (d *diary) Put(o Object) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name := o.Namespace + "/" + o.Name
	if d.objects[o.Resource] == nil {
		d.objects[o.Resource] = map[string]Object{}
	}
	d.objects[o.Resource][name] = o
	for sweep, put := range d.sweeps {
		if sweep.resource == o.Resource {
			put[name] = true
		}
	}
	d.write("put %s %s", o.Resource, name)
}

func (d *diary) Remove(resource schema.GroupResource, namespace, name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.objects[resource], namespace+"/"+name)
	d.write("remove %s %s/%s", resource, namespace, name)
}

func (d *diary) Begin(resource schema.GroupResource) Sweep {
	d.mu.Lock()
	defer d.mu.Unlock()
	sweep := Sweep{resource: resource}
	d.sweeps[sweep] = map[string]bool{}
	d.write("begin %s", resource)
	return sweep
}

func (d *diary) End(s Sweep) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name := range d.objects[s.resource] {
		if !d.sweeps[s][name] {
			delete(d.objects[s.resource], name)
		}
	}
	delete(d.sweeps, s)
	d.write("end %s", s.resource)
}

func (d *diary) Forget(resource schema.GroupResource) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.objects, resource)
	delete(d.states, resource)
	d.write("forget %s", resource)
}

func (d *diary) SetState(resource schema.GroupResource, s State) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.states[resource] = s
	line := fmt.Sprintf("%s %s %s", resource, s.Phase, s.Err)
	d.write("%s", strings.TrimSpace(line))
}

func (d *diary) SetDiscovered(found Discovery) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.found = found
	d.write("discovered %v %s %v", found.Known, cmp.Or(found.Err, "-"), found.Unserved)
}

func (d *diary) state(name string) State {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.states[resource(name)]
}

func (d *diary) object(name, key string) (Object, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	o, ok := d.objects[resource(name)][key]
	return o, ok
}

// about returns the lines with some text.
func about(lines []string, text string) []string {
	return slices.DeleteFunc(lines, func(line string) bool { return !strings.Contains(line, text) })
}

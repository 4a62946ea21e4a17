package inventory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// Find returns what is known of a resource as of a time; see auditlog.Inventory.
//
// ok is true if the resource is known, or something that it is in, below the project: a
// node pool's cluster, a table's dataset. Labels are its own, with those of what it is
// in where it has no such key: the nearest one's. Former are label sets of any of them.
// Tags are the effective ones of the nearest that they are known of.
//
// If ok is false, what is known of its project is filled in all the same. ref and
// project may have the project's number instead of its id; an empty project is the one
// in ref.
//
// What the ledger does not know of that time is asked of asset history. If that does not
// answer in time, is not allowed or has no quota left, ok is false, or the oldest labels
// that are known are returned; that is reported and not an error. An error is of the
// ledger, or of ctx.
func (i *Inventory) Find(ctx context.Context, ref, project string, at time.Time) (auditlog.Asset, bool, error) {
	if err := ctx.Err(); err != nil {
		return auditlog.Asset{}, false, err
	}
	f, err := i.look(ctx, ref, project, at)
	if err != nil {
		return auditlog.Asset{}, false, err
	}
	if f.own || f.path == "" {
		return f.asset, f.ok, nil
	}
	news, err := i.ask(ctx, f, at)
	if err != nil {
		return auditlog.Asset{}, false, err
	}
	if news {
		if f, err = i.look(ctx, ref, project, at); err != nil {
			return auditlog.Asset{}, false, err
		}
	}
	return f.asset, f.ok, nil
}

// finding is what the table says of a resource.
type finding struct {
	asset auditlog.Asset
	ok    bool
	// own says that the table knows the resource itself, of that time.
	own bool
	// service and path are its canonical name; id and number its project's, as far as
	// they are known.
	service, path, id, number string
}

// look reads the table.
func (i *Inventory) look(ctx context.Context, ref, project string, at time.Time) (f finding, err error) {
	if i.static != nil {
		return find(func(_ ledger.Table, key string) []byte { return i.static[key] }, ref, project, at)
	}
	err = i.o.Ledger.View(ctx, func(tx *ledger.Tx) (err error) {
		f, err = find(tx.Get, ref, project, at)
		return err
	})
	return f, err
}

type getter = func(table ledger.Table, key string) []byte

func find(get getter, ref, project string, at time.Time) (f finding, err error) {
	service, path, ok := operation.ParseGCPRef(ref)
	if ok {
		f.service, f.path = canonical(service, path)
		if project == "" {
			project = projectOf(f.path)
		}
	}
	if f.id, f.number = project, ""; isNumber(project) {
		f.id, f.number = string(get(ledger.TableAssets, prefixNumber+project)), project
	}
	var home *record
	if f.id != "" {
		if home, err = readKnown(get, projectKey(f.id)); err != nil {
			return finding{}, err
		}
	}
	if home != nil && f.number == "" {
		f.number = home.Number
	}
	f.path = idPath(get, f.path)
	if err := f.level(get, at); err != nil {
		return finding{}, err
	}
	if home == nil && f.id != "" { // the record knows, as a bucket's
		if home, err = readKnown(get, projectKey(f.id)); err != nil {
			return finding{}, err
		}
	}
	f.addHome(home, at)
	return f, nil
}

// idPath has the project's id for its number, where it is known.
func idPath(get getter, path string) string {
	if p := projectOf(path); isNumber(p) {
		if id := get(ledger.TableAssets, prefixNumber+p); id != nil {
			return withProject(path, string(id))
		}
	}
	return path
}

// level fills in what the resource and its parents say, under the project's id or, of
// what was written before that was known, its number.
func (f *finding) level(get getter, at time.Time) error {
	found, err := f.levelOf(get, f.path, at)
	if err == nil && !found && f.number != "" && f.id != "" && projectOf(f.path) == f.id {
		_, err = f.levelOf(get, withProject(f.path, f.number), at)
	}
	return err
}

func (f *finding) levelOf(get getter, path string, at time.Time) (found bool, err error) {
	if path == "" {
		return false, nil
	}
	for n, path := range append([]string{path}, parentsOf(path)...) {
		r, err := readKnown(get, prefixAsset+f.service+"/"+path)
		if err != nil {
			return false, err
		}
		if r == nil {
			continue
		}
		found = true
		v, ok := r.asOf(micros(at))
		if n == 0 {
			f.own = ok && !v.early
		}
		if r.Lost != 0 && !ok { // not even its parents can say
			f.asset, f.ok = auditlog.Asset{}, false
			return true, nil
		}
		if ok {
			f.add(r, v)
		}
	}
	return found, nil
}

// add adds what is farther away to what is nearer.
func (f *finding) add(r *record, v view) {
	a := &f.asset
	if f.ok {
		a.Labels = over(a.Labels, v.Labels)
	} else {
		a.Labels = v.Labels
	}
	a.Former = append(a.Former, v.former...)
	if a.Tags == nil {
		a.Tags = v.Tags
	}
	if a.Ancestors == nil {
		a.Ancestors = r.Ancestors
	}
	if f.id == "" && f.number == "" && r.Project != "" {
		f.id = r.Project
	}
	f.ok = true
}

// over returns near with what only far has.
func over(near, far map[string]string) map[string]string {
	if len(near) == 0 {
		return far
	}
	all := maps.Clone(far)
	if all == nil {
		return near
	}
	maps.Copy(all, near)
	return all
}

// addHome fills in what the project says.
func (f *finding) addHome(home *record, at time.Time) {
	if home == nil {
		return
	}
	a := &f.asset
	a.Ancestors = home.Ancestors
	if v, ok := home.asOf(micros(at)); ok {
		a.ProjectLabels = v.Labels
		if a.Tags == nil {
			a.Tags = v.Tags
		}
	}
}

// readKnown is readRecord, but for records of another version.
func readKnown(get getter, key string) (*record, error) {
	r, err := readRecord(get, key)
	if errors.Is(err, errVersion) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the inventory: %w", err)
	}
	return r, nil
}

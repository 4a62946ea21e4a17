package index

import (
	"iter"
	"maps"
	"slices"
	"strings"
)

// taken is an object as the store keeps it, made before the store is locked.
type taken struct {
	id                      identity
	own, whole, terminating bool
	shape                   shape
	owners                  []ownerRef
	mounts                  []identity
	node, snapshot, owned   identity
	facts                   any
}

type ownerRef struct {
	id         identity
	controller bool
}

func (x *Index) take(o Object) taken {
	t := taken{id: uidOf(o.UID), terminating: o.Terminating}
	if f := x.isProduction.Object; f != nil {
		t.own = f(o.Namespace, o.Name, o.Labels) || len(o.Labels) > maxRead
	}
	if f := x.isProduction.Namespace; f != nil && o.Resource == namespaces {
		t.whole = f(o.Name, o.Labels) || len(o.Labels) > maxRead
		t.own = t.own || t.whole
	}
	if len(o.Owners) > maxOwners {
		o.Owners = o.Owners[:maxOwners]
		t.owned = ownedByMany(o.Namespace)
	}
	for _, owner := range o.Owners {
		id := uidOf(owner.UID)
		if at := slices.IndexFunc(t.owners, func(r ownerRef) bool { return r.id == id }); at >= 0 {
			t.owners[at].controller = t.owners[at].controller || owner.Controller
		} else if id != (identity{}) {
			t.owners = append(t.owners, ownerRef{id: id, controller: owner.Controller})
		}
	}
	t.takeFacts(o)
	return t
}

func (t *taken) takeFacts(o Object) {
	switch f := o.Facts.(type) {
	case *Pod:
		t.takePod(o, f)
	case *Claim:
		t.shape.class = f.StorageClass
		t.facts = volumeName(strings.Clone(f.Volume))
	case *PersistentVolume:
		t.shape.class, t.shape.reclaim = f.StorageClass, f.ReclaimPolicy
		t.facts = &claimName{strings.Clone(f.ClaimNamespace), strings.Clone(f.ClaimName)}
	case *Snapshot:
		if f.Ready {
			t.snapshot = called(roleSnapshot, o.Namespace, f.Claim)
			t.facts = f.Time
		}
	case *Budget:
		if f.Selector != nil && !f.Worthless {
			t.facts = compile(f.Selector)
		}
	case *Service:
		if f.Selector != nil {
			t.facts = compile(f.Selector)
		}
	case *Binding:
		b := &Binding{RoleKind: strings.Clone(f.RoleKind), RoleName: strings.Clone(f.RoleName)}
		accounts := f.Accounts
		if len(accounts) > maxAccounts {
			accounts = []string{allAccounts}
		}
		for _, account := range accounts {
			b.Accounts = append(b.Accounts, strings.Clone(account))
		}
		t.facts = b
	}
}

// What is kept of the facts of a claim and a volume. Of a definition its name is enough:
// it is RESOURCE.GROUP (k8s.io/apiextensions-apiserver, validation).
type (
	volumeName string
	claimName  struct{ namespace, name string }
)

func (t *taken) takePod(o Object, f *Pod) {
	t.shape = shape{account: f.ServiceAccount, priority: f.PriorityClass, done: f.Done}
	var own extra
	if t.shape.labelsCut = len(o.Labels) > maxLabels || length(maps.Keys(o.Labels))+length(maps.Values(o.Labels)) > maxText; !t.shape.labelsCut {
		t.shape.labels, own = splitLabels(o.Labels)
	}
	if t.shape.namesCut = length(slices.Values(f.Secrets))+length(slices.Values(f.ConfigMaps)) > maxText; !t.shape.namesCut {
		t.shape.secrets, t.shape.configMaps = pack(f.Secrets), pack(f.ConfigMaps)
	}
	if own != "" {
		t.facts = own
	}
	if f.Node != "" {
		t.node = called(roleNode, "", f.Node)
	}
	if len(f.Claims) > maxClaims {
		t.mounts = append(t.mounts, called(roleClaim, o.Namespace, anyClaim))
		return
	}
	for _, claim := range f.Claims {
		if id := called(roleClaim, o.Namespace, claim); !slices.Contains(t.mounts, id) {
			t.mounts = append(t.mounts, id)
		}
	}
}

// length is how many bytes some words have.
func length(words iter.Seq[string]) (bytes int) {
	for word := range words {
		bytes += len(word) + len("\x00\x01")
	}
	return bytes
}

// placesFor lists the buckets that an object belongs in.
func (x *Index) placesFor(r *recordEntry, t taken) []place {
	places := make([]place, 0, 2+len(t.owners)+len(t.mounts))
	r.shape = x.shapeOf(t.shape)
	home := place{kind: r.kind, namespace: r.namespace, shape: r.shape}
	if t.own {
		home.flags |= flagOwn
	}
	places = append(places, home)
	for _, owner := range t.owners {
		p := place{parent: x.parentOf(owner.id), kind: r.kind, namespace: r.namespace, flags: home.flags | flagOwned}
		if owner.controller {
			p.flags |= flagControlled
		}
		places = append(places, p)
	}
	for _, mount := range t.mounts {
		p := home
		p.parent = x.parentOf(mount)
		places = append(places, p)
	}
	if t.owned != (identity{}) {
		p := home
		p.parent = x.parentOf(t.owned)
		places = append(places, p)
	}
	for _, id := range [...]identity{t.node, t.snapshot} {
		if id != (identity{}) {
			places = append(places, place{parent: x.parentOf(id), kind: r.kind})
		}
	}
	x.markWalk(r, places)
	return places
}

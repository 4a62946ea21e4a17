package index

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// relation is how the objects of one kind are depended on, beside by owner references.
type relation struct {
	find func(*asking)
	// facts are the kinds that hold what is needed to find out.
	facts []schema.GroupResource
}

var relations = map[schema.GroupResource]relation{
	namespaces:      {find: (*asking).contained}, // all kinds: see doubts
	definitions:     {find: (*asking).instances},
	apiServices:     {find: (*asking).served},
	claims:          {find: (*asking).claim, facts: []schema.GroupResource{pods, volumes}},
	volumes:         {find: (*asking).volume, facts: []schema.GroupResource{pods, claims, volumes}},
	nodes:           {find: (*asking).scheduled, facts: []schema.GroupResource{pods}},
	pods:            {find: (*asking).covered},
	storageClasses:  {find: (*asking).storageClass, facts: []schema.GroupResource{claims, volumes}},
	priorityClasses: {find: (*asking).priorityClass, facts: []schema.GroupResource{pods}},
	secrets:         {find: (*asking).secret, facts: []schema.GroupResource{pods}},
	configMaps:      {find: (*asking).configMap, facts: []schema.GroupResource{pods}},
	accounts:        {find: (*asking).account, facts: []schema.GroupResource{pods}},
	roles:           {find: (*asking).role, facts: []schema.GroupResource{pods, roleBindings}},
	clusterRoles:    {find: (*asking).role, facts: []schema.GroupResource{pods, roleBindings, clusterBindings}},
	roleBindings:    {find: (*asking).binding, facts: []schema.GroupResource{pods}},
	clusterBindings: {find: (*asking).binding, facts: []schema.GroupResource{pods}},
	services:        {find: (*asking).service, facts: []schema.GroupResource{pods}},
}

// leaves are kinds that nothing which matters depends on: what is not known of them does
// no harm.
var leaves = map[schema.GroupResource]bool{
	pods: true,
	{Group: "coordination.k8s.io", Resource: "leases"}: true,
	{Resource: "events"}:                                    true,
	{Group: "events.k8s.io", Resource: "events"}:            true,
	{Resource: "endpoints"}:                                 true,
	{Group: "discovery.k8s.io", Resource: "endpointslices"}: true,
}

// asking is one question being answered.
type asking struct {
	x *Index
	q Question
	// home is the namespace whose objects are named without it.
	home  int32
	tally tally
	fall  fall
	// claims are those whose volumes go.
	claims    claimList
	volumes   []volumeOf
	isCovered bool
	unknown   []string
	// compared counts the pods that were looked at and the labels that were asked for.
	compared int
}

// Lost says what depends on an object: what is deleted with it, and what stays and
// fails or loses something.
//
// What the object owns is left out if the question says Orphan; what the instances of a
// definition own is not, since Kubernetes deletes those by itself. What has several
// owners goes if each of the others goes too, is on its way out or is not known. What
// depends in two ways is counted in both. An object is production by its own marks or by
// its namespace's.
//
// An Answer may be incomplete if it has Unknown, and is not wrong about what it names.
func (x *Index) Lost(q Question) Answer {
	x.mu.RLock()
	defer x.mu.RUnlock()
	a := &asking{x: x, q: q, home: x.namespaceIDs[q.Namespace], tally: tally{x: x}}
	if q.Resource == namespaces {
		a.home = x.namespaceIDs[q.Name]
	}
	a.fall.asking = a
	if r, ok := relations[q.Resource]; ok {
		r.find(a)
	}
	a.named()
	a.fall.root = a.uid()
	if !q.Orphan {
		a.fall.owner(a.fall.root)
	}
	a.fall.run()
	a.doubts()
	return Answer{
		Dependents: a.tally.dependents(a.home),
		Volumes:    a.lostVolumes(),
		Covered:    a.isCovered,
		Unknown:    a.unknown,
	}
}

// uid is the identity of the object asked about. The index may know it by its name only.
func (a *asking) uid() identity {
	if id := a.self(); a.q.UID == "" && id != 0 {
		return a.x.records.at(id).id
	}
	return uidOf(a.q.UID)
}

// self is the record of the object asked about, or 0.
func (a *asking) self() int32 { return a.x.find(a.q.Resource, a.q.Namespace, a.q.Name) }

// fact is what is kept of the object asked about.
func (a *asking) fact() any { return a.x.facts[a.self()] }

// contained counts what is in a namespace.
func (a *asking) contained() { a.containedIn(a.home) }

func (a *asking) containedIn(namespace int32) {
	if namespace == 0 {
		return
	}
	claimKind := a.x.kindIDs[claims]
	a.x.ofParent(a.x.namespaces.at(namespace).buckets, func(id int32, b *bucketEntry) {
		a.tally.bucket(contained, id, b)
		if b.kind == claimKind {
			a.claims.add(id, a.x.production(b.place))
		}
	})
}

// instances counts the objects of the kind that a definition serves.
func (a *asking) instances() { a.instancesOf(schema.ParseGroupResource(a.q.Name)) }

func (a *asking) instancesOf(resource schema.GroupResource) {
	kind := a.x.kindIDs[resource]
	if kind == 0 {
		return
	}
	a.x.ofKind(a.x.kinds.at(kind).buckets, func(id int32, b *bucketEntry) {
		a.tally.bucket(instance, id, b)
		if b.flags&flagWalk != 0 {
			a.fall.below = append(a.fall.below, id)
		}
	})
}

// served counts the objects of the kinds that an APIService serves. They are not deleted,
// so that nothing falls with them. One that the API server answers itself comes again when
// it is deleted; but one that is made to point elsewhere hides all of its group, and the
// garbage collector then takes what they own.
func (a *asking) served() {
	group := apiGroup(a.q.Name)
	for resource, id := range a.x.kindIDs {
		if resource.Group == group {
			a.x.ofKind(a.x.kinds.at(id).buckets, func(id int32, b *bucketEntry) { a.tally.bucket(instance, id, b) })
		}
	}
}

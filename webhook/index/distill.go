package index

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// distilled is one object as the API server wrote it, brought down to what the index
// takes in. Its Resource and Kind are those of the list or watch that it came by, and
// are not set yet.
type distilled struct {
	object          Object
	resourceVersion string
	// doubt says what of the object could not be understood, or is nil. The rest of it
	// holds.
	doubt error
}

// distiller reads the JSON of one object. It is pure and may be called concurrently; it
// keeps nothing of data.
type distiller func(data []byte) (distilled, error)

// distillerOf returns what reads objects of a kind; facts is false if their metadata is
// all that is read.
func distillerOf(resource schema.GroupResource) (d distiller, facts bool) {
	switch resource {
	case pods:
		return distill[podManifest], true
	case claims:
		return distill[claimManifest], true
	case volumes:
		return distill[volumeManifest], true
	case snapshots:
		return distill[snapshotManifest], true
	case budgets:
		return distill[budgetManifest], true
	case services:
		return distill[serviceManifest], true
	case roleBindings, clusterBindings:
		return distill[bindingManifest], true
	case definitions:
		return distill[definitionManifest], true
	}
	return distill[header], false
}

// manifest is the part of an object's JSON that is read.
type manifest interface {
	meta() *metadata
	// facts returns Object.Facts, and what could not be understood.
	facts() (any, error)
}

// header is what is read of every object: of annotations and managed fields, which are
// most of it, nothing.
type header struct {
	Metadata metadata `json:"metadata"`
}

func (h *header) meta() *metadata   { return &h.Metadata }
func (*header) facts() (any, error) { return nil, nil }

// lenient takes what the API server writes: it has checked the object, and whether some
// string in it is odd is not for the index to say.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// distill is the distiller that reads an M.
func distill[M any, P interface {
	*M
	manifest
}](data []byte) (distilled, error) {
	var m M
	if err := json.Unmarshal(data, &m, lenient); err != nil {
		return distilled{}, fmt.Errorf("read an object: %w", err)
	}
	meta := P(&m).meta()
	facts, doubt := P(&m).facts()
	return distilled{resourceVersion: meta.ResourceVersion, doubt: errors.Join(meta.over(), doubt), object: Object{
		Namespace: meta.Namespace, Name: meta.Name, UID: meta.UID, Labels: meta.Labels, Owners: meta.OwnerReferences,
		Terminating: meta.DeletionTimestamp != nil, Facts: facts,
	}}, nil
}

// nameList collects names; the empty one is none.
type nameList []string

func (n *nameList) add(name string) {
	if name != "" {
		*n = append(*n, name)
	}
}

// sorted returns each name once, or nil if there is none. It may reuse the memory of n.
func (n nameList) sorted() []string {
	slices.SortFunc(n, cmp.Compare)
	return slices.Clip(slices.Compact(n))
}

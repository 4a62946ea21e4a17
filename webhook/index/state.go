package index

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Phase says how far the reading of a kind has come.
type Phase string

// The phases. What is read of a kind that is not Synced may be stale or missing.
const (
	// Pending: its first list has not been read to its end.
	Pending Phase = "pending"
	// Synced: it has been read and is being watched.
	Synced Phase = "synced"
	// Forbidden: mollyguard may not list or watch it.
	Forbidden Phase = "forbidden"
	// Unserved: the API server, or the one behind it, does not answer for it.
	Unserved Phase = "unserved"
)

// State is what is known of the reading of a kind.
type State struct {
	Phase Phase
	// Namespaced says that its objects are in namespaces.
	Namespaced bool
	// Err says why it is Unserved, in words.
	Err string
}

// Discovery is what is known of the list of kinds itself.
type Discovery struct {
	// Known says that the list has been read, but for the groups that are Unserved.
	Known bool
	// Err says why the list is not known, in words.
	Err string
	// Unserved are groups whose server does not answer, with what it says instead.
	Unserved map[string]string
}

// named bounds the names in a sentence, and unknowns the sentences in an Answer: a
// cluster may have a thousand kinds, and a denial has room for a few lines.
const (
	named    = 5
	unknowns = 10
)

// errUnread is how every account of an index that has not been read begins.
var errUnread = errors.New("the index has not been read yet")

// SetState says how far the reading of a kind has come. It is Pending from the first
// SetState, Begin or Put that names it.
func (x *Index) SetState(resource schema.GroupResource, state State) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if state.Phase == "" {
		state.Phase = Pending
	}
	x.kinds.at(x.kindOf(resource)).state = state
	x.noteSynced()
}

// SetDiscovered says what is known of the list of kinds. The caller does not change
// what it has given.
func (x *Index) SetDiscovered(d Discovery) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.discovery = d
	x.noteSynced()
}

// Synced returns nil once every kind that can be had has been read. A kind that is
// Forbidden or Unserved can't; Answers name it. The error says how many kinds are
// missing and names a few. A kind that appears later makes it an error again until
// it is read.
func (x *Index) Synced() error {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.missing()
}

func (x *Index) missing() error {
	if !x.discovery.Known {
		why := cause(x.discovery.Err)
		if why == "" {
			why = "the kinds of the cluster are not known"
		}
		return fmt.Errorf("%w: %s", errUnread, why)
	}
	var missing []string
	for resource, id := range x.kindIDs {
		if x.kinds.at(id).state.Phase == Pending {
			missing = append(missing, resource.String())
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d of %d kinds are missing: %s", errUnread, len(missing), len(x.kindIDs), few(missing))
}

// Complete returns nil if there is no kind that is Forbidden or Unserved, and no group,
// whose objects could make a namespace or a definition one of Holders. The error says
// how many there are and names a few. What has not been read yet is Synced's to say.
func (x *Index) Complete() error {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.incomplete()
}

func (x *Index) incomplete() error {
	var unread []string
	for group := range x.discovery.Unserved {
		unread = append(unread, "the API group "+group)
	}
	for resource, id := range x.kindIDs {
		k := x.kinds.at(id)
		if lost := k.state.Phase == Forbidden || k.state.Phase == Unserved; lost && (k.state.Namespaced || x.defined(k)) {
			unread = append(unread, resource.String())
		}
	}
	if len(unread) == 0 {
		return nil
	}
	return fmt.Errorf("%d kinds or API groups can't be read: %s", len(unread), few(unread))
}

// noteSynced remembers that all was read once: from then on a kind that is missing
// concerns only those who ask about it. Holders say less, or more, than before when what
// can be read has changed.
func (x *Index) noteSynced() {
	synced, complete := x.missing() == nil, x.incomplete() == nil
	if synced != x.synced || complete != x.complete {
		x.synced, x.complete = synced, complete
		x.touch()
	}
	x.read = x.read || synced
}

// few names the first few of a list.
func few(names []string) string {
	slices.Sort(names)
	if len(names) <= named {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:named], ", "), len(names)-named)
}

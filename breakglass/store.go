package breakglass

import (
	"context"
	"errors"
	"time"
)

// The errors of a Store that callers branch on.
var (
	ErrNotFound = errors.New("not found")
	// ErrExists says that a record of that key is there already.
	ErrExists = errors.New("exists already")
	// ErrConflict says that a record is not as it was expected to be.
	ErrConflict = errors.New("changed meanwhile")
)

// Store keeps cases. All methods may be called concurrently, by several
// processes on the same store.
//
// A Create is atomic on its key: of any number of callers with the same key, in
// whatever process, exactly one succeeds and all others get ErrExists. When a
// method returns nil, the record is durable, and every later read in any process
// sees it. An error other than those above means that it is not known whether
// anything was written.
type Store interface {
	// CreateRequest keeps a request, keyed by its ID.
	CreateRequest(ctx context.Context, r Request) error
	// CreateVerdict keeps a verdict, keyed by request, kind and the name of who
	// gave it. The request need not exist: a grant from elsewhere can be revoked.
	CreateVerdict(ctx context.Context, v Verdict) error
	// CreateGrant keeps a grant, keyed by its ID.
	CreateGrant(ctx context.Context, g Grant) error
	// CreateUse keeps a use, keyed by grant and slot.
	CreateUse(ctx context.Context, u Use) error
	// SetUseState changes the state of a use from one to another, or returns
	// ErrConflict if it is not in the first, ErrNotFound if there is none.
	SetUseState(ctx context.Context, grant string, slot int, from, to UseState) error

	// Case returns all records under a handle, or ErrNotFound if there is none: a
	// grant that is only presented has uses and perhaps a revocation, no more.
	// Verdicts are sorted by time and then by name, uses by slot.
	Case(ctx context.Context, id string) (Case, error)
	// CasesOf returns the cases whose grant is or would be a subject's, oldest
	// first.
	CasesOf(ctx context.Context, subject string) ([]Case, error)
	// Cases returns all cases, newest first, at most limit of them.
	Cases(ctx context.Context, limit int) ([]Case, error)

	// SetStanding notes what a case was worth when it was last weighed, for
	// people who read the store directly, and says whether the state is another
	// than was noted before. Nothing is decided by it.
	SetStanding(ctx context.Context, id string, s Standing) (changed bool, err error)
	// Prune removes the cases of which every record is older than a time. A grant is
	// as old as its expiry.
	Prune(ctx context.Context, before time.Time) (removed int, err error)
}

package breakglass

import "context"

// KeyStore keeps the one key set that replicas share. It does not look into the
// bytes; they hold private keys and belong where only this program reads. All
// methods may be called concurrently, by several processes on the same store.
type KeyStore interface {
	// Load returns what was saved last and its version, which is never empty, or
	// ErrNotFound if nothing was saved yet.
	Load(ctx context.Context) (data []byte, version string, err error)
	// Save replaces what is kept, whole, durably and atomically, if it is still at
	// a version; the empty version means that there is nothing yet. Otherwise it
	// returns ErrConflict and changes nothing. After any other error it is not known
	// whether anything was written.
	Save(ctx context.Context, data []byte, version string) error
}

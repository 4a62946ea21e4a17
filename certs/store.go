package certs

import "context"

// Store holds the one [Bundle] that all replicas share. Methods may be called concurrently, from any number of processes.
type Store interface {
	// Load returns what is stored and a version to hand to Save. An empty store is a zero Bundle and no error.
	//
	// With a [*CorruptError] the version is valid all the same, so that what is damaged can be replaced, and the Bundle has
	// what is still sound: the authorities if only the leaf is damaged, otherwise nothing.
	Load(ctx context.Context) (b Bundle, version string, err error)

	// Save replaces what is stored, whole, durably and atomically, if it is still at the version that Load returned. Otherwise
	// it returns an error that is [ErrConflict] and changes nothing. After any other error the state may or may not be saved.
	Save(ctx context.Context, b Bundle, version string) error
}

package breakglass

import (
	"time"

	"github.com/go-jose/go-jose/v4"
)

// KeyState says what a key is good for.
type KeyState string

// The states of a key.
const (
	// KeySigning: grants and tokens are signed with it.
	KeySigning KeyState = "signing"
	// KeyVerifying: what it signed is good until its overlap ends.
	KeyVerifying KeyState = "verifying"
	// KeyRetired: what it signed is not good any more.
	KeyRetired KeyState = "retired"
)

// KeyInfo is what may be told of a key.
type KeyInfo struct {
	// ID is the key's RFC 7638 thumbprint; in a token it is the kid.
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	State   KeyState  `json:"state"`
	// Until is when its signatures stop being good; zero while it signs.
	Until time.Time `json:"until,omitzero"`
}

func infoOf(key ownKey, now time.Time) KeyInfo {
	info := KeyInfo{ID: key.id, Created: key.created, State: KeyVerifying, Until: key.until}
	switch {
	case key.until.IsZero():
		info.State = KeySigning
	case key.retired(now):
		info.State = KeyRetired
	}
	return info
}

// List returns our keys, oldest first; the last one signs. Retired keys are told
// of for Retention.
func (k *Keyring) List() []KeyInfo {
	var infos []KeyInfo
	for _, key := range k.held.Load().keys {
		infos = append(infos, infoOf(key, k.now()))
	}
	return infos
}

// Public returns the public keys that tokens can be verified with, as other
// clusters fetch them (RFC 7517). Retired keys are not among them.
func (k *Keyring) Public() jose.JSONWebKeySet {
	set := jose.JSONWebKeySet{}
	for _, key := range k.held.Load().keys {
		if !key.retired(k.now()) {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.public, KeyID: key.id, Algorithm: string(jose.EdDSA), Use: "sig"})
		}
	}
	return set
}

package identity

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/mollyguard/mollyguard/operation"
)

const (
	// userTokenPrefix tells these tokens from others, and lets scanners for leaked
	// secrets find them.
	userTokenPrefix = "mgu_"
	// userTokenBytes are 256 random bits.
	userTokenBytes = 32
	hashPrefix     = "sha256:"
)

// NewUserToken makes a token for a user of a users file, and the hash that goes
// into the file. entropy is crypto/rand.Reader, except in tests.
//
// A plain SHA-256 is enough, where a password would need a slow and salted hash:
// nobody guesses 256 random bits, however fast the hash, and no two tokens are
// equal.
func NewUserToken(entropy io.Reader) (token operation.Secret, hash string, err error) {
	random := make([]byte, userTokenBytes)
	if _, err := io.ReadFull(entropy, random); err != nil {
		return operation.Secret{}, "", fmt.Errorf("make a token: %w", err)
	}
	text := userTokenPrefix + base64.RawURLEncoding.EncodeToString(random)
	sum := sha256.Sum256([]byte(text))
	return operation.NewSecret(text), hashPrefix + hex.EncodeToString(sum[:]), nil
}

// IsUserToken reports whether a token is made to be one of a users file. It goes
// to nobody else.
func IsUserToken(token operation.Secret) bool {
	text := token.Reveal()
	return len(text) >= len(userTokenPrefix) && text[:len(userTokenPrefix)] == userTokenPrefix
}

package index

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// identity is a uid in 16 bytes, or stands for a name in a role: the node that pods are
// on, the claim that they mount. The zero one stands for nothing.
type identity [16]byte

// uidOf makes an identity of a uid. Kubernetes makes UUIDs, which are kept as they are.
// Anything else, which only an aggregated API server may give, is hashed; and since no
// object is told from another by its uid alone, two of the same are both kept.
func uidOf(uid string) identity {
	var id identity
	if uid == "" {
		return id
	}
	// Capitals make another uid: owner references are compared as text.
	if len(uid) == 36 && uid[8] == '-' && uid[13] == '-' && uid[18] == '-' && uid[23] == '-' &&
		!strings.ContainsAny(uid, "ABCDEF") {
		digits := uid[:8] + uid[9:13] + uid[14:18] + uid[19:23] + uid[24:]
		if _, err := hex.Decode(id[:], []byte(digits)); err == nil {
			return id
		}
	}
	return digest("uid", uid)
}

// role says what a name is to those who hold to it.
type role string

const (
	roleNode     role = "node"
	roleClaim    role = "claim"
	roleSnapshot role = "snapshot"
	roleOwned    role = "owned"
)

// anyClaim is what a pod with more claims than are kept mounts. No claim is called so.
const anyClaim = "*"

// ownedByMany is what the objects of a namespace hang on that have more owners than are
// kept.
func ownedByMany(namespace string) identity { return called(roleOwned, namespace, "") }

// called makes the identity of a name in a role. 128 bits of SHA-256 are not met twice
// by chance, and a user who wanted to would need 2^64 names.
func called(r role, namespace, name string) identity { return digest(string(r), namespace, name) }

func digest(parts ...string) identity {
	// No name holds a NUL: lists of parts that differ give texts that differ.
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return identity(sum[:16])
}

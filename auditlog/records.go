package auditlog

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mollyguard/mollyguard/ledger"
	"github.com/mollyguard/mollyguard/operation"
)

// recordVersion is the version of the JSON forms below.
const recordVersion = 1

// started is an operation of which the start was judged.
type started struct {
	Version int `json:"version"`
	// At is when it started.
	At       time.Time          `json:"at"`
	Decision operation.Decision `json:"decision"`
	// Incident is where people were told of it, "" if they were not.
	Incident string `json:"incident"`
	// Orphan reports that only the end was seen.
	Orphan bool `json:"orphan,omitempty"`
}

var errUnknownStart = errors.New("the start of the operation was not seen")

func (s started) put(tx *ledger.Tx, id string) error {
	s.Version = recordVersion
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return tx.Put(ledger.TableOperations, hashed(id), text)
}

func getStarted(tx *ledger.Tx, id string) (started, error) {
	text := tx.Get(ledger.TableOperations, hashed(id))
	if text == nil {
		return started{}, errUnknownStart
	}
	var s started
	if err := json.Unmarshal(text, &s); err != nil {
		return started{}, fmt.Errorf("read the start of operation %s: %w", operation.Printable(id), err)
	}
	if s.Version != recordVersion {
		return started{}, fmt.Errorf("read the start of operation %s: it is of version %d, not %d", operation.Printable(id), s.Version, recordVersion)
	}
	return s, nil
}

// hashed makes a key of one length of a text from outside.
func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// timed begins a key with a time, so that the oldest come first.
func timed(at time.Time) string { return fmt.Sprintf("%012d/", max(at.Unix(), 0)) }

func seenKey(r Reading) string { return timed(r.Timestamp) + hashed(r.Key) }

func putSeen(tx *ledger.Tx, r Reading) error {
	return tx.Put(ledger.TableSeen, seenKey(r), []byte{recordVersion})
}

// Undecoded is an entry that could not be read.
type Undecoded struct {
	Version int       `json:"version"`
	At      time.Time `json:"at"`
	Source  string    `json:"source"`
	Error   string    `json:"error"`
	// Data is the entry, cut after maxUndecoded bytes; Length is how long it was.
	Data   []byte `json:"data"`
	Length int    `json:"length"`
}

const (
	// maxUndecoded is how much of an entry that cannot be read is kept: Cloud Logging
	// takes none above 256 KiB (https://cloud.google.com/logging/quotas).
	maxUndecoded = 256 << 10
	// maxUndecodedKept is how many are kept: at the largest, 350 MiB in base64, a third
	// of what the ledger may have.
	maxUndecodedKept = 1000
	maxError         = 1 << 10
)

func putUndecoded(tx *ledger.Tx, it *item, now time.Time) (key string, err error) {
	u := Undecoded{
		Version: recordVersion, At: now.UTC(), Source: it.source, Error: cut(it.err.Error(), maxError),
		Data: it.Data[:min(len(it.Data), maxUndecoded)], Length: len(it.Data),
	}
	text, err := json.Marshal(u)
	if err != nil {
		return "", err
	}
	key = timed(now) + hashed(string(it.Data))
	return key, tx.Put(ledger.TableUndecoded, key, text)
}

func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return text[:limit] + "…"
}

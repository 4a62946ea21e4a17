package auditlog

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
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
	s.Version, s.Decision = recordVersion, inShort(s.Decision)
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return tx.Put(ledger.TableOperations, hashed(id), text)
}

const (
	// maxKept is how many texts of a list are kept of a decision until its end, maxText
	// how long each is: at most some 20 of them, so that none comes near what a record
	// may have.
	maxKept = 8
	maxText = 1 << 10
	// maxAgent is how much of a user agent is kept: whoever makes operations all day
	// must not fill the ledger with it.
	maxAgent = 200
)

// inShort is as much of a decision as its end needs.
func inShort(d operation.Decision) operation.Decision {
	texts := func(list []string) []string {
		var short []string
		for _, text := range list[:min(len(list), maxKept)] {
			short = append(short, operation.Clip(text, maxText))
		}
		return short
	}
	d.Origin.UserAgent, d.Origin.Reason = operation.Clip(d.Origin.UserAgent, maxAgent), operation.Clip(d.Origin.Reason, maxAgent)
	d.Origin.Delegation = texts(d.Origin.Delegation)
	d.Changes, d.Unknown, d.GrantRefused, d.Production.Because = texts(d.Changes), texts(d.Unknown), texts(d.GrantRefused), texts(d.Production.Because)
	d.Dependents = d.Dependents[:min(len(d.Dependents), maxKept)]
	d.Violations = d.Violations[:min(len(d.Violations), maxKept)]
	d.Source.Link, d.Error = operation.Clip(d.Source.Link, 2*maxText), operation.Clip(d.Error, maxText)
	return d
}

func getStarted(tx *ledger.Tx, id string) (started, error) {
	text := tx.Get(ledger.TableOperations, hashed(id))
	if text == nil {
		return started{}, errUnknownStart
	}
	s, err := decodeStarted(text)
	if err != nil {
		return started{}, fmt.Errorf("read the start of operation %s: %w", operation.Printable(id), err)
	}
	return s, nil
}

func decodeStarted(text []byte) (started, error) {
	var s started
	if err := json.Unmarshal(text, &s); err != nil {
		return started{}, err
	}
	if s.Version != recordVersion {
		return started{}, fmt.Errorf("it is of version %d, not %d", s.Version, recordVersion)
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

// putUndecoded keeps an entry that cannot be read, unless it is there: again says that
// it is, and gets the reason as it is now.
func putUndecoded(tx *ledger.Tx, it *item, now time.Time) (key string, again bool, err error) {
	u := Undecoded{Version: recordVersion, At: now.UTC(), Source: it.source, Data: it.Data[:min(len(it.Data), maxUndecoded)], Length: len(it.Data)}
	hash := hashed(string(it.Data))
	key = timed(now) + hash
	tx.Scan(ledger.TableUndecoded, "", "", func(other string, text []byte) bool {
		if again = strings.HasSuffix(other, "/"+hash); again {
			key = other
			if kept, err := decodeUndecoded(text); err == nil {
				u.At, u.Source = kept.At, kept.Source
			}
		}
		return !again
	})
	u.Error = operation.Clip(it.err.Error(), maxError)
	text, err := json.Marshal(u)
	if err != nil {
		return "", false, err
	}
	return key, again, tx.Put(ledger.TableUndecoded, key, text)
}

// trimUndecoded removes the oldest of more than maxUndecodedKept.
func trimUndecoded(tx *ledger.Tx) error {
	var keys []string
	tx.Scan(ledger.TableUndecoded, "", "", func(key string, _ []byte) bool {
		keys = append(keys, key)
		return true
	})
	for _, key := range keys[:max(0, len(keys)-maxUndecodedKept)] {
		if err := tx.Delete(ledger.TableUndecoded, key); err != nil {
			return err
		}
	}
	return nil
}

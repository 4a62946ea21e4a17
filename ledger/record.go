package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

// maxRecord is how large a record may be: a request at all its limits has 64
// targets of 5 texts of 512 bytes (160 KiB), six times that if JSON has to escape
// every byte; what is left of the MiB is for the requester's groups.
const maxRecord = 1 << 20

// recordVersion is the version of record's JSON form.
const recordVersion = 1

// record is a value of the ledger: JSON, with one of the fields after Version.
type record struct {
	Version  int                  `json:"version"`
	Request  *breakglass.Request  `json:"request,omitempty"`
	Verdict  *breakglass.Verdict  `json:"verdict,omitempty"`
	Grant    *grantRecord         `json:"grant,omitempty"`
	Use      *breakglass.Use      `json:"use,omitempty"`
	Standing *breakglass.Standing `json:"standing,omitempty"`
	Entry    *entryRecord         `json:"entry,omitempty"`
}

// grantRecord is a Grant with what its JSON form leaves out.
type grantRecord struct {
	breakglass.Grant
	Seal  string `json:"seal,omitempty"`
	Token string `json:"token,omitempty"`
}

func newGrantRecord(g breakglass.Grant) *grantRecord {
	return &grantRecord{Grant: g, Seal: g.Seal, Token: g.Token.Reveal()}
}

func (r grantRecord) grant() *breakglass.Grant {
	g := r.Grant
	g.Seal, g.Token = r.Seal, operation.NewSecret(r.Token)
	return &g
}

// encode returns the JSON form of a record of this version.
func (r record) encode() ([]byte, error) {
	r.Version = recordVersion
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	if len(text) > maxRecord {
		return nil, fmt.Errorf("the record has %d bytes, %d are the limit", len(text), maxRecord)
	}
	return text, nil
}

// decodeRecord is the way back. A field that is not known may be a limit on what
// was granted: to leave it out would be to read more leave than was given.
func decodeRecord(text []byte) (record, error) {
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return record{}, fmt.Errorf("read a record: %w", err)
	}
	if head.Version != recordVersion {
		return record{}, fmt.Errorf("read a record: it is of version %d, not %d", head.Version, recordVersion)
	}
	var r record
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return record{}, fmt.Errorf("read a record: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return record{}, errors.New("read a record: there is more after its end")
	}
	count := 0
	for _, is := range []bool{r.Request != nil, r.Verdict != nil, r.Grant != nil, r.Use != nil, r.Standing != nil, r.Entry != nil} {
		if is {
			count++
		}
	}
	if count != 1 {
		return record{}, fmt.Errorf("read a record: it holds %d things, not one", count)
	}
	return r, nil
}

// span is the time to which a record belongs. A grant is as old as its expiry
// where cases are removed, and as its beginning where they are listed.
func (r record) span() (from, to time.Time) {
	switch {
	case r.Request != nil:
		return r.Request.Created, r.Request.Created
	case r.Verdict != nil:
		return r.Verdict.At, r.Verdict.At
	case r.Grant != nil:
		return r.Grant.NotBefore, r.Grant.Expires
	case r.Use != nil:
		return r.Use.At, r.Use.At
	}
	return time.Time{}, time.Time{}
}

// subject is who may use what the record grants or asks for, if it does.
func (r record) subject() (subject string, ok bool) {
	switch {
	case r.Request != nil:
		return r.Request.Subject, true
	case r.Grant != nil:
		return r.Grant.Subject, true
	}
	return "", false
}

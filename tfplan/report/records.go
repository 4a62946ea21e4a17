package report

import (
	"encoding/json"
	"io"

	"github.com/mollyguard/mollyguard/operation"
)

// WriteRecord writes one decision as a line of JSON. It is called as decisions are made: a
// large plan has more of them than are kept.
func WriteRecord(w io.Writer, d operation.Decision) error {
	return json.NewEncoder(w).Encode(d)
}

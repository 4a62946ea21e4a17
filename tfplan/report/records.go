package report

import (
	"encoding/json"
	"io"

	"github.com/mollyguard/mollyguard/operation"
)

// WriteRecord writes one decision as a line of JSON. Who writes the record of a large
// plan calls it as decisions are made, rather than to keep them all for Write.
func WriteRecord(w io.Writer, d operation.Decision) error {
	return json.NewEncoder(w).Encode(d)
}

func writeRecords(w io.Writer, r Report) error {
	if missing := total(r.Left); missing > 0 {
		return &IncompleteError{Missing: missing}
	}
	for _, row := range r.Rows {
		if err := WriteRecord(w, row.Decision); err != nil {
			return err
		}
	}
	return nil
}

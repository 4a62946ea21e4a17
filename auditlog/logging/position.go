package logging

import (
	"encoding/json"
	"fmt"
	"time"
)

// position is where a list goes on: everything up to Watermark was handed out, except
// for what came later than Overlap.
type position struct {
	Version   int       `json:"v"`
	Watermark time.Time `json:"watermark"`
}

const positionVersion = 1

// maxPosition is what is read of one: it has less than 64 bytes.
const maxPosition = 1024

func encodePosition(watermark time.Time) string {
	text, err := json.Marshal(position{positionVersion, watermark.UTC()})
	if err != nil { // a year of five digits: decodePosition takes none, and entries have none
		return ""
	}
	return string(text)
}

// decodePosition reads what encodePosition wrote.
func decodePosition(text string) (watermark time.Time, err error) {
	if len(text) > maxPosition {
		return time.Time{}, fmt.Errorf("%d bytes", len(text))
	}
	var p position
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return time.Time{}, err
	}
	if p.Version != positionVersion {
		return time.Time{}, fmt.Errorf("version %d, not %d", p.Version, positionVersion)
	}
	watermark = p.Watermark.UTC()
	if watermark.Year() < 1970 || watermark.Year() > 9999 {
		return time.Time{}, fmt.Errorf("watermark %v", watermark)
	}
	return watermark, nil
}

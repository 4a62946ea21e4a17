package webhook

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// BenchmarkDecode compares the one scan with what a bare handler does: decode
// only the uid with encoding/json.
func BenchmarkDecode(b *testing.B) {
	for _, size := range []int{10_000, 200_000} {
		fields := map[string]any{}
		for i := range size / 80 {
			fields[fmt.Sprintf("f:field-%04d", i)] = map[string]any{"f:name": map[string]any{}, "f:value": strings.Repeat("x", 24)}
		}
		body := recorded(map[string]any{"oldObject": map[string]any{"metadata": map[string]any{"name": "web", "labels": production, "managedFields": []any{fields}}}})
		b.Run(fmt.Sprintf("scan/%d", size), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decode(body, false); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("uid-only/%d", size), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				var r struct {
					Request struct {
						UID string `json:"uid"`
					} `json:"request"`
				}
				if err := json.Unmarshal(body, &r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

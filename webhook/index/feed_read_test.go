package index

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAPageIsReadObjectByObject(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       page
		objects    []string
	}{
		{"as the API server writes it", `{"kind":"List","apiVersion":"v1","metadata":{"resourceVersion":"7","continue":"c"},"items":[{"a":1},{"b":[{}]}]}`, page{"7", "c"}, []string{`{"a":1}`, `{"b":[{}]}`}},
		{"in another order", ` {"items": [ {"a":1} ], "metadata": {"resourceVersion": "7"}, "extra": {"items": [1]}} `, page{"7", ""}, []string{`{"a":1}`}},
		{"empty", `{"metadata":{"resourceVersion":"7"},"items":[]}`, page{"7", ""}, nil},
		{"null", `{"metadata":{"resourceVersion":"7"},"items":null}`, page{"7", ""}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var objects []string
			got, err := readPage(strings.NewReader(tt.body), func(data []byte) error {
				objects = append(objects, string(data))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("the page (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.objects, objects); diff != "" {
				t.Errorf("the objects (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnObjectMayOnlyBeSoLarge(t *testing.T) {
	large := `"` + strings.Repeat("x", 2*maxObject) + `"`
	ignore := func([]byte) error { return nil }
	if _, err := readPage(strings.NewReader(`{"items":[`+large+`]}`), ignore); !errors.Is(err, errObjectTooLarge) {
		t.Errorf("in a list: %v", err)
	}
	if _, err := readEvent(newValues(strings.NewReader(`{"type":"ADDED","object":` + large + `}`))); !errors.Is(err, errObjectTooLarge) {
		t.Errorf("in a watch: %v", err)
	}
	half := `"` + strings.Repeat("x", maxObject/2) + `"`
	if _, err := readPage(strings.NewReader(`{"items":[`+strings.Repeat(half+",", 4)+half+`]}`), ignore); err != nil {
		t.Errorf("many that are less large: %v", err)
	}
}

func TestAWatchEndsBetweenTwoEvents(t *testing.T) {
	in := newValues(strings.NewReader(eventOf("ADDED", "a", "1") + `{"type":"ADD`))
	if got, err := readEvent(in); err != nil || got.kind != "ADDED" {
		t.Errorf("the first event: %+v, %v", got, err)
	}
	if _, err := readEvent(in); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("an event that is cut off: %v", err)
	}
	if _, err := readEvent(newValues(strings.NewReader("\n"))); !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("no event: %v", err)
	}
}

func FuzzReadPage(f *testing.F) {
	f.Add([]byte(listOf("7", "c", "a", "b")))
	f.Add([]byte(`{"items":null,"metadata":null}`))
	f.Add([]byte(`{"items":[1,"",{}],"items":[2]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		total := 0
		_, err := readPage(bytes.NewReader(data), func(object []byte) error {
			total += len(object)
			return nil
		})
		if err == nil && total > len(data) {
			t.Errorf("%d bytes of objects out of %d", total, len(data))
		}
	})
}

func FuzzReadEvent(f *testing.F) {
	f.Add([]byte(eventOf("ADDED", "a", "1") + eventOf("BOOKMARK", "", "2")))
	f.Add([]byte(`{"type":"ERROR","object":{"kind":"Status","code":410}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		in := newValues(bytes.NewReader(data))
		for range len(data) + 1 {
			event, err := readEvent(in)
			if err != nil {
				return
			}
			if (event.status != nil) != (event.kind == "ERROR") {
				t.Fatalf("%+v", event)
			}
		}
		t.Error("more events than bytes")
	})
}

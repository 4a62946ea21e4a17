package certs

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDecodeIsTheInverseOfEncode(t *testing.T) {
	t.Parallel()
	p := testPolicy(t)
	fresh := mustNext(t, Bundle{}, epoch.Add(123456789*time.Nanosecond), p)
	rotating := mustNext(t, fresh, epoch.AddDate(0, 9, 0), p)
	for name, want := range map[string]Bundle{
		"a fresh bundle":       fresh,
		"one in a rotation":    rotating,
		"one after its switch": mustNext(t, rotating, epoch.AddDate(0, 9, 0).Add(p.overlap), p),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fields, err := encode(want)
			if err != nil {
				t.Fatal(err)
			}
			got, err := decode("memory", fields)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnEmptySecretIsAnEmptyBundle(t *testing.T) {
	t.Parallel()
	for name, fields := range map[string]map[string][]byte{
		"no fields":    nil,
		"empty fields": {fieldLeaf: nil, fieldLeafKey: {}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if b, err := decode("memory", fields); err != nil || !b.IsZero() {
				t.Errorf("got %v, %v", b, err)
			}
		})
	}
}

func TestABundleWithoutALeafIsNotEncoded(t *testing.T) {
	t.Parallel()
	b := mustNext(t, Bundle{}, epoch, testPolicy(t))
	for name, bad := range map[string]Bundle{
		"nothing":     {},
		"no leaf":     {Authorities: b.Authorities},
		"another key": {b.Authorities, Leaf{b.Leaf.Certificate, b.Authorities[0].Key}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := encode(bad); err == nil {
				t.Error("no error")
			}
		})
	}
}

// FuzzDecode looks for state that is read but not written back the same, and for errors that do not say whose fault it is.
func FuzzDecode(f *testing.F) {
	p := testPolicy(f)
	fresh := mustNext(f, Bundle{}, epoch, p)
	rotating := mustNext(f, fresh, epoch.AddDate(0, 9, 0), p)
	for _, b := range []Bundle{fresh, rotating, mustNext(f, rotating, epoch.AddDate(0, 9, 0).Add(p.overlap), p)} {
		fields, err := encode(b)
		if err != nil {
			f.Fatal(err)
		}
		add := func(fields map[string][]byte) {
			f.Add(fields[fieldCA], fields[fieldCAKey], fields[fieldLeaf], fields[fieldLeafKey], fields[fieldRotation])
		}
		add(fields)
		for _, tt := range damages() {
			add(apply(fields, tt.field, tt.change))
		}
	}
	f.Fuzz(func(t *testing.T, ca, caKey, leaf, leafKey, record []byte) {
		b, err := decode("memory", map[string][]byte{
			fieldCA: ca, fieldCAKey: caKey, fieldLeaf: leaf, fieldLeafKey: leafKey, fieldRotation: record,
		})
		if err != nil {
			corrupt, isCorrupt := errors.AsType[*CorruptError](err)
			if _, foreign := errors.AsType[*ForeignError](err); !foreign && (!isCorrupt || corrupt.Store == "" || corrupt.Field == "") {
				t.Fatalf("error is %#v", err)
			}
			return
		}
		if fields, err := encode(b); err == nil {
			again, err := decode("memory", fields)
			if err != nil {
				t.Fatalf("what was written cannot be read: %v", err)
			}
			if diff := cmp.Diff(b, again); diff != "" {
				t.Fatalf("what is read again differs:\n%s", diff)
			}
		}
		if b.IsZero() {
			return
		}
		if want, _, err := next(b, epoch, p); err == nil && !usable(want, epoch) {
			t.Fatal("the next bundle cannot be served")
		}
	})
}

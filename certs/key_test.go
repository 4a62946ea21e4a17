package certs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// TestPrivateKeysAreNeverPrinted looks for the key in everything that it is part of, however it is printed.
func TestPrivateKeysAreNeverPrinted(t *testing.T) {
	t.Parallel()
	c, store := newClock(), &memStore{}
	log := &logBuffer{}
	keeper := newTestKeeper(t, store, c, func(o *KeeperOptions) { o.Log = log.Logger() })
	mustSync(t, keeper)
	dir := newPairDir(t, keeper.held, true)
	files := dir.open(t, c)
	certificate, err := keeper.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	fromFiles, err := files.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	key := keeper.held.Leaf.Key
	secrets := secretForms(t, keeper.held)

	for name, value := range map[string]any{
		"key":                     key,
		"pointer to key":          &key,
		"leaf":                    keeper.held.Leaf,
		"authority":               keeper.held.Authorities[0],
		"bundle":                  keeper.held,
		"keeper":                  keeper,
		"files":                   files,
		"certificate":             certificate,
		"certificate of files":    fromFiles,
		"unexported in a struct":  struct{ k PrivateKey }{key},
		"in a map":                map[string]PrivateKey{"a": key},
		"certificate in a struct": struct{ C any }{*certificate},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
				fmt.Fprintf(&out, verb+"\n", value)
			}
			slog.New(slog.NewTextHandler(&out, nil)).Info("text", "value", value)
			slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "value", value)
			if data, err := json.Marshal(value); err == nil { // a channel cannot be marshalled, which is fine too
				out.Write(data)
			}
			for form, secret := range secrets {
				if strings.Contains(strings.ToLower(out.String()), strings.ToLower(secret)) {
					t.Errorf("the key is printed (%s)", form)
				}
			}
		})
	}
	for form, secret := range secrets {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the key is logged (%s)", form)
		}
	}
	for _, got := range []string{key.String(), fmt.Sprint(key), fmt.Sprintf("%#v", key), key.LogValue().String()} {
		if got != redacted {
			t.Errorf("a key prints as %q", got)
		}
	}
	if got, err := json.Marshal(key); err != nil || string(got) != `"`+redacted+`"` {
		t.Errorf("a key marshals as %s, %v", got, err)
	}
	if got, err := key.MarshalText(); err != nil || string(got) != redacted {
		t.Errorf("a key marshals as text %s, %v", got, err)
	}
}

// secretForms are the leaf's key as it would look in print.
func secretForms(t *testing.T, b Bundle) map[string]string {
	t.Helper()
	scalar := ecdsaScalar(t, b.Leaf.Key)
	body := strings.Split(string(keyPEM(t, b.Leaf.Key)), "\n")
	return map[string]string{
		"decimal":     scalar.String(),
		"hexadecimal": scalar.Text(16),
		"bytes":       strings.Trim(fmt.Sprint(scalar.Bytes()[1:]), "[]"),
		"PEM":         body[2], // the first line is the same for all keys
	}
}

func TestKeysAreEqualByValue(t *testing.T) {
	t.Parallel()
	a, err := newPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	b, err := newPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	again, err := parsePrivateKeys(keyPEM(t, a))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		x, y PrivateKey
		want bool
	}{
		{"a key and itself", a, a, true},
		{"a key and its copy from PEM", a, again[0], true},
		{"two keys", a, b, false},
		{"a key and none", a, PrivateKey{}, false},
		{"none and a key", PrivateKey{}, a, false},
		{"none and none", PrivateKey{}, PrivateKey{}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.x.Equal(tt.y); got != tt.want {
				t.Errorf("equal is %t", got)
			}
		})
	}
}

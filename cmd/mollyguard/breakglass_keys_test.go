package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/breakglass"
)

// runKeys runs a keys command and returns what it lists.
func runKeys(t *testing.T, args ...string) []breakglass.KeyInfo {
	t.Helper()
	var list keyList
	runKeysInto(t, &list, args...)
	return list.Keys
}

// runKeysInto runs a keys command and reads what it writes for machines.
func runKeysInto(t *testing.T, result any, args ...string) {
	t.Helper()
	var out, talk bytes.Buffer
	args = append([]string{"mollyguard", "break-glass", "keys"}, append(args, "-o", "json")...)
	if code := run(t.Context(), args, &bytes.Buffer{}, &out, &talk); code != exitAllowed {
		t.Fatalf("%v: exit code %d\n%s", args, code, &talk)
	}
	if err := json.Unmarshal(out.Bytes(), result); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(out.Bytes(), []byte(`"d"`)) || talk.Len() > 0 {
		t.Errorf("%v: output\n%s\ntalk\n%s", args, &out, &talk)
	}
}

func states(keys []breakglass.KeyInfo) []breakglass.KeyState {
	var list []breakglass.KeyState
	for _, key := range keys {
		list = append(list, key.State)
	}
	return list
}

// keysConfig returns a configuration file, and the keyring of the key file that it
// names.
func keysConfig(t *testing.T) (string, *breakglass.Keyring) {
	t.Helper()
	folder := t.TempDir()
	file := filepath.Join(folder, "keys.json")
	store, err := breakglass.NewFileKeyStore(file)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := breakglass.NewKeyring(t.Context(), breakglass.KeyringOptions{Issuer: "mollyguard/prod-eu", Store: store})
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(folder, "mollyguard.yaml")
	text := fmt.Sprintf("apiVersion: config.mollyguard.dev/v1alpha1\nkind: Configuration\ncluster: prod-eu\nbreakGlass: {keys: {file: %q}}\n", file)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config, keys
}

func TestKeysAreListedAndRotated(t *testing.T) {
	config, _ := keysConfig(t)
	first := runKeys(t, "list", "--config", config)
	rotated := runKeys(t, "rotate", "--config", config)
	want := []breakglass.KeyState{breakglass.KeyVerifying, breakglass.KeySigning}
	if diff := cmp.Diff(want, states(rotated)); diff != "" || len(first) != 1 || first[0].ID != rotated[0].ID {
		t.Errorf("keys after the rotation (-want +got):\n%s\nbefore: %v\nafter: %v", diff, first, rotated)
	}
	if got := rotated[0].Until.Sub(rotated[1].Created); got != breakglass.DefaultOverlap {
		t.Errorf("the old key is good for %v more, want %v", got, breakglass.DefaultOverlap)
	}
	if diff := cmp.Diff(rotated, runKeys(t, "list", "--config", config)); diff != "" {
		t.Errorf("listed are others (-want +got):\n%s", diff)
	}
}

func TestTheCallSecretIsRenewedAlone(t *testing.T) {
	config, server := keysConfig(t)
	secret, keys := server.CallSecret(), runKeys(t, "list", "--config", config)
	var renewal callSecretRenewal
	runKeysInto(t, &renewal, "rotate", "--call-secret", "--config", config)
	if diff := cmp.Diff(keys, runKeys(t, "list", "--config", config)); diff != "" {
		t.Errorf("the keys changed (-before +after):\n%s", diff)
	}
	if err := server.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !server.IsCallSecret(secret) || renewal.PreviousUntil.Before(keys[0].Created) {
		t.Errorf("the one before is accepted: %v, until %v", server.IsCallSecret(secret), renewal.PreviousUntil)
	}
	var out, talk bytes.Buffer
	code := run(t.Context(), []string{"mollyguard", "break-glass", "keys", "rotate", "--call-secret", "--config", config}, &bytes.Buffer{}, &out, &talk)
	if want := "mollyguard: error: the call secret was renewed a moment ago"; code != exitDenied || out.Len() > 0 || !bytes.HasPrefix(talk.Bytes(), []byte(want)) {
		t.Errorf("again: exit code %d\n%s%s", code, &out, &talk)
	}
}

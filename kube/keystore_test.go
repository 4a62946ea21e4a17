package kube_test

import (
	"encoding/base64"
	"errors"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/kube"
)

func (s *site) testKeys(t *testing.T) {
	clients, err := kubernetes.NewForConfig(s.Admin())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := kube.NewKeyStore(clients.CoreV1(), "default", "mollyguard-break-glass")
	if err != nil {
		t.Fatal(err)
	}
	if data, _, err := keys.Load(t.Context()); !errors.Is(err, breakglass.ErrNotFound) || data != nil {
		t.Errorf("without a Secret: got %q, %v", data, err)
	}
	err = keys.Save(t.Context(), []byte("one"), "")
	if want := `save to secret "default/mollyguard-break-glass": there is no such Secret, and the server may not make one: apply the manifests again`; err == nil || err.Error() != want {
		t.Errorf("without a Secret: got %v, want %s", err, want)
	}
	s.kubectl(t, 0, "create", "secret", "generic", "mollyguard-break-glass", "--from-literal=other=stays")
	if data, _, err := keys.Load(t.Context()); !errors.Is(err, breakglass.ErrNotFound) || data != nil {
		t.Errorf("in an empty Secret: got %q, %v", data, err)
	}
	if err := keys.Save(t.Context(), []byte("one"), "17"); !errors.Is(err, breakglass.ErrConflict) {
		t.Errorf("over a version that was never there: got %v", err)
	}
	save := func(data, version string) {
		t.Helper()
		if err := keys.Save(t.Context(), []byte(data), version); err != nil {
			t.Fatal(err)
		}
	}
	load := func(want string) (version string) {
		t.Helper()
		data, version, err := keys.Load(t.Context())
		if err != nil || string(data) != want || version == "" {
			t.Fatalf("got %q of version %q, %v; want %q", data, version, err, want)
		}
		return version
	}
	save("one", "")
	first := load("one")
	if err := keys.Save(t.Context(), []byte("two"), ""); !errors.Is(err, breakglass.ErrConflict) {
		t.Errorf("as if there were none: got %v", err)
	}
	save("two", first)
	load("two")
	if err := keys.Save(t.Context(), []byte("three"), first); !errors.Is(err, breakglass.ErrConflict) {
		t.Errorf("over an old version: got %v", err)
	}
	load("two")
	got := s.kubectl(t, 0, "get", "secret", "mollyguard-break-glass", "--output=jsonpath={.data.other}")
	if got.Stdout != base64.StdEncoding.EncodeToString([]byte("stays")) {
		t.Errorf("what else was in the Secret is %q", got.Stdout)
	}
}

func TestAKeyStoreNeedsAClientAndANameForItsSecret(t *testing.T) {
	clients := fake.NewClientset().CoreV1()
	for want, make := range map[string]func() (*kube.KeyStore, error){
		"secret of keys: no client is given":                           func() (*kube.KeyStore, error) { return kube.NewKeyStore(nil, "a", "b") },
		`secret of keys: namespace "" and name "b" must both be given`: func() (*kube.KeyStore, error) { return kube.NewKeyStore(clients, "", "b") },
		`secret of keys: namespace "a" and name "" must both be given`: func() (*kube.KeyStore, error) { return kube.NewKeyStore(clients, "a", "") },
	} {
		if _, err := make(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

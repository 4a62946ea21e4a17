package certs

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

const (
	testNamespace = "mollyguard"
	testSecret    = "mollyguard-certs"
)

// newFakeCluster is client-go's fake with what it leaves out: resource versions that are given and compared.
func newFakeCluster(objects ...runtime.Object) *fake.Clientset {
	client := fake.NewClientset(objects...)
	var mu sync.Mutex
	revision := 100
	client.PrependReactor("*", "secrets", func(action clienttesting.Action) (bool, runtime.Object, error) {
		mu.Lock()
		defer mu.Unlock()
		write, ok := action.(interface{ GetObject() runtime.Object })
		if !ok {
			return false, nil, nil
		}
		secret := write.GetObject().(*corev1.Secret).DeepCopy()
		tracker, resource := client.Tracker(), action.GetResource()
		if action.GetVerb() == "update" {
			current, err := tracker.Get(resource, action.GetNamespace(), secret.Name)
			if err != nil {
				return true, nil, err
			}
			if current.(*corev1.Secret).ResourceVersion != secret.ResourceVersion {
				return true, nil, apierrors.NewConflict(resource.GroupResource(), secret.Name, errors.New("the object has been modified"))
			}
		}
		revision++
		secret.ResourceVersion = strconv.Itoa(revision)
		if action.GetVerb() == "create" {
			return true, secret, tracker.Create(resource, secret, action.GetNamespace())
		}
		return true, secret, tracker.Update(resource, secret, action.GetNamespace())
	})
	return client
}

func newTestSecret(t *testing.T, client *fake.Clientset) *SecretStore {
	t.Helper()
	s, err := NewSecretStore(client.CoreV1(), testNamespace, testSecret)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func getSecret(t *testing.T, client *fake.Clientset) *corev1.Secret {
	t.Helper()
	secret, err := client.CoreV1().Secrets(testNamespace).Get(t.Context(), testSecret, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func TestASecretIsMadeIfMissing(t *testing.T) {
	t.Parallel()
	client, c := newFakeCluster(), newClock()
	s := newTestSecret(t, client)
	k := newTestKeeper(t, s, c)
	mustSync(t, k)
	mustHandshake(t, tlsServer(t, k), k.CABundle(), c.Now())

	secret := getSecret(t, client)
	if secret.Type != corev1.SecretTypeTLS {
		t.Errorf("type is %q", secret.Type)
	}
	if diff := cmp.Diff([]string{"ca.crt", "ca.key", "mollyguard.json", "tls.crt", "tls.key"}, fieldsOf(secret.Data)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(string(k.CABundle()), string(secret.Data["ca.crt"])); diff != "" {
		t.Error(diff)
	}
	if got, _, err := s.Load(t.Context()); err != nil || !cmp.Equal(k.held, got) {
		t.Errorf("what is stored differs, or %v", err)
	}
}

func TestAnEmptySecretIsFilledAndItsMetadataKept(t *testing.T) {
	t.Parallel()
	before := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: testNamespace, Name: testSecret, ResourceVersion: "7",
			Labels: map[string]string{"app.kubernetes.io/managed-by": "Helm"}, Annotations: map[string]string{"a": "b"},
		},
		Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{"tls.crt": {}, "tls.key": {}},
	}
	client := newFakeCluster(before)
	mustSync(t, newTestKeeper(t, newTestSecret(t, client), newClock()))
	after := getSecret(t, client)
	if diff := cmp.Diff([]any{before.Labels, before.Annotations, before.Type}, []any{after.Labels, after.Annotations, after.Type}); diff != "" {
		t.Error(diff)
	}
	if len(after.Data["tls.crt"]) == 0 {
		t.Error("it is still empty")
	}
}

func TestReplicasRaceForASecret(t *testing.T) {
	t.Parallel()
	client, c := newFakeCluster(), newClock()
	keepers := make([]*Keeper, 4)
	race := func() {
		var wg sync.WaitGroup
		for i := range keepers {
			wg.Go(func() {
				if err := keepers[i].Sync(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, k := range keepers[1:] {
			if diff := cmp.Diff(keepers[0].held, k.held); diff != "" {
				t.Error(diff)
			}
		}
	}
	for i := range keepers {
		keepers[i] = newTestKeeper(t, newTestSecret(t, client), c)
	}
	race() // to create it
	c.Add(DefaultCAValidity * 2 / 3)
	race() // to add an authority and renew the leaf
	if n := len(keepers[0].held.Authorities); n != 2 {
		t.Errorf("there are %d authorities, want 2", n)
	}
}

func TestASecretIsNotOverwrittenWhenItHasChanged(t *testing.T) {
	t.Parallel()
	b := mustNext(t, Bundle{}, epoch, testPolicy(t))
	touch := func(t *testing.T, client *fake.Clientset) {
		secret := getSecret(t, client)
		if _, err := client.CoreV1().Secrets(testNamespace).Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(t *testing.T, client *fake.Clientset) {
		if err := client.CoreV1().Secrets(testNamespace).Delete(t.Context(), testSecret, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		exists bool
		change func(t *testing.T, client *fake.Clientset)
	}{
		"created meanwhile": {false, func(t *testing.T, client *fake.Clientset) { mustSave(t, newTestSecret(t, client), b, "") }},
		"updated meanwhile": {true, touch},
		"deleted meanwhile": {true, remove},
		"made anew meanwhile": {true, func(t *testing.T, client *fake.Clientset) {
			remove(t, client)
			mustSave(t, newTestSecret(t, client), b, "")
		}},
		"updated between read and write": {true, func(t *testing.T, client *fake.Clientset) {
			client.PrependReactor("update", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
				return true, nil, apierrors.NewConflict(corev1.Resource("secrets"), testSecret, errors.New("the object has been modified"))
			})
		}},
		"deleted between read and write": {true, func(t *testing.T, client *fake.Clientset) {
			client.PrependReactor("update", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
				return true, nil, apierrors.NewNotFound(corev1.Resource("secrets"), testSecret)
			})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := newFakeCluster()
			s := newTestSecret(t, client)
			if tt.exists {
				mustSave(t, s, b, "")
			}
			_, version, err := s.Load(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			tt.change(t, client)
			if err := s.Save(t.Context(), b, version); !errors.Is(err, ErrConflict) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestAnAPIServerThatRefusesIsAnErrorThatNamesTheSecret(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"get", "create"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			client := newFakeCluster()
			client.PrependReactor(verb, "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
				return true, nil, apierrors.NewForbidden(corev1.Resource("secrets"), testSecret, errors.New("no RBAC"))
			})
			err := newTestKeeper(t, newTestSecret(t, client), newClock()).Sync(t.Context())
			if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `secret "mollyguard/mollyguard-certs"`) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestNewSecretStoreWantsAllOfIt(t *testing.T) {
	t.Parallel()
	client := newFakeCluster().CoreV1()
	if _, err := NewSecretStore(nil, testNamespace, testSecret); err == nil {
		t.Error("no error without a client")
	}
	for _, pair := range [][2]string{{"", testSecret}, {testNamespace, ""}} {
		if _, err := NewSecretStore(client, pair[0], pair[1]); err == nil {
			t.Errorf("no error for %q", pair)
		}
	}
}

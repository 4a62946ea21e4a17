package kube

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientv1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/mollyguard/mollyguard/breakglass"
)

// keysField is where the keys are in the Secret.
const keysField = "keys.json"

// KeyStore keeps the keys that grants are signed with in a Secret. It needs the
// verbs get and update on that Secret, and never makes one: the Secret has to be
// there, empty at first.
//
// It may be used concurrently, by several processes on the same Secret.
type KeyStore struct {
	client          clientv1.SecretsGetter
	namespace, name string
}

var _ breakglass.KeyStore = (*KeyStore)(nil)

// NewKeyStore returns a store in the Secret of that name. A clientset's CoreV1()
// is a SecretsGetter.
func NewKeyStore(client clientv1.SecretsGetter, namespace, name string) (*KeyStore, error) {
	if client == nil {
		return nil, errors.New("secret of keys: no client is given")
	}
	if namespace == "" || name == "" {
		return nil, fmt.Errorf("secret of keys: namespace %q and name %q must both be given", namespace, name)
	}
	return &KeyStore{client: client, namespace: namespace, name: name}, nil
}

// String names the store in messages.
func (s *KeyStore) String() string { return fmt.Sprintf("secret %q", s.namespace+"/"+s.name) }

// Load implements breakglass.KeyStore.
func (s *KeyStore) Load(ctx context.Context) (data []byte, version string, err error) {
	secret, err := s.client.Secrets(s.namespace).Get(ctx, s.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, "", fmt.Errorf("load %s: there is no such Secret: %w", s, breakglass.ErrNotFound)
	}
	if err != nil {
		return nil, "", fmt.Errorf("load %s: %w", s, err)
	}
	data = secret.Data[keysField]
	if len(data) == 0 {
		return nil, "", fmt.Errorf("load %s: there are no keys yet: %w", s, breakglass.ErrNotFound)
	}
	return data, secret.ResourceVersion, nil
}

// Save implements breakglass.KeyStore. Whatever else is in the Secret stays.
func (s *KeyStore) Save(ctx context.Context, data []byte, version string) error {
	secret, err := s.client.Secrets(s.namespace).Get(ctx, s.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("save to %s: there is no such Secret, and the server may not make one: apply the manifests again", s)
	}
	if err != nil {
		return fmt.Errorf("save to %s: %w", s, err)
	}
	var there string
	if len(secret.Data[keysField]) > 0 {
		there = secret.ResourceVersion
	}
	if there != version {
		return fmt.Errorf("save to %s: %w", s, breakglass.ErrConflict)
	}
	secret = secret.DeepCopy() // the client may be reading from a cache
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	secret.Data[keysField] = data
	// The API server compares versions again, and that is what counts.
	_, err = s.client.Secrets(s.namespace).Update(ctx, secret, metav1.UpdateOptions{})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		err = breakglass.ErrConflict
	}
	if err != nil {
		return fmt.Errorf("save to %s: %w", s, err)
	}
	return nil
}

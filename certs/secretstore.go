package certs

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientv1 "k8s.io/client-go/kubernetes/typed/core/v1"
)

// versionPrefix sets the version of a Secret that exists apart from "", that of a missing one.
const versionPrefix = "resourceVersion "

// SecretStore is a [Store] in a Secret of type kubernetes.io/tls. It needs the verbs get and update on the Secret, and create on
// Secrets if the Secret is not there yet; an empty one will do.
type SecretStore struct {
	client          clientv1.SecretsGetter
	namespace, name string
}

// NewSecretStore returns a store in the Secret of that name. A clientset's CoreV1() is a SecretsGetter.
func NewSecretStore(client clientv1.SecretsGetter, namespace, name string) (*SecretStore, error) {
	if client == nil {
		return nil, errors.New("certificate secret: no client is given")
	}
	if namespace == "" || name == "" {
		return nil, fmt.Errorf("certificate secret: namespace %q and name %q must both be given", namespace, name)
	}
	return &SecretStore{client: client, namespace: namespace, name: name}, nil
}

// String names the store in messages.
func (s *SecretStore) String() string { return fmt.Sprintf("secret %q", s.namespace+"/"+s.name) }

// Load implements [Store].
func (s *SecretStore) Load(ctx context.Context) (Bundle, string, error) {
	secret, err := s.get(ctx)
	if err != nil {
		return Bundle{}, "", fmt.Errorf("load %s: %w", s, err)
	}
	b, err := decode(s.String(), secret.Data)
	return b, versionOf(secret), err
}

// Save implements [Store]. Labels, annotations and owners of the Secret stay as they are.
func (s *SecretStore) Save(ctx context.Context, b Bundle, version string) error {
	fields, err := encode(b)
	if err != nil {
		return fmt.Errorf("save to %s: %w", s, err)
	}
	if version == "" {
		err = s.create(ctx, fields)
	} else {
		err = s.update(ctx, fields, version)
	}
	if err != nil {
		return fmt.Errorf("save to %s: %w", s, err)
	}
	return nil
}

// get returns an empty Secret, with no name, if there is none.
func (s *SecretStore) get(ctx context.Context) (*corev1.Secret, error) {
	secret, err := s.client.Secrets(s.namespace).Get(ctx, s.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return &corev1.Secret{}, nil
	}
	return secret, err
}

func versionOf(secret *corev1.Secret) string {
	if secret.Name == "" {
		return ""
	}
	return versionPrefix + secret.ResourceVersion
}

func (s *SecretStore) create(ctx context.Context, fields map[string][]byte) error {
	_, err := s.client.Secrets(s.namespace).Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name:      s.name,
			Namespace: s.namespace,
			Labels:    map[string]string{"app.kubernetes.io/managed-by": "mollyguard"},
		},
		Type: corev1.SecretTypeTLS,
		Data: fields,
	}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return ErrConflict
	}
	return err
}

// update compares versions here to keep what else is in the Secret, and has the API server compare them again on the write, which
// is the comparison that counts.
func (s *SecretStore) update(ctx context.Context, fields map[string][]byte, version string) error {
	secret, err := s.get(ctx)
	if err != nil {
		return err
	}
	if versionOf(secret) != version {
		return ErrConflict
	}
	secret = secret.DeepCopy() // the client may be reading from a cache
	if secret.Data == nil {
		secret.Data = make(map[string][]byte, len(fields))
	}
	for name, field := range fields {
		secret.Data[name] = field
	}
	_, err = s.client.Secrets(s.namespace).Update(ctx, secret, metav1.UpdateOptions{})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return ErrConflict
	}
	return err
}

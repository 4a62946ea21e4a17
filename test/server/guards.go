package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// guardsTimeout is how long an API server may take to act on what was written; it
// watches, and compiles policies once a second.
const guardsTimeout = time.Minute

// canary is a production ConfigMap in namespace default, which nothing happens to.
const canary = "canary"

// Guards makes ConfigMap canary in namespace default, and returns once the API server is
// seen to act on what the server has put up: it asks about deletions and about changes,
// and refuses by the floor, if there is one. All of it is tried as a dry run. admin is an
// administrator of the cluster.
//
// That a server is ready says that it has written all this. API servers learn of each of
// these objects on its own, by watching it. Whether it acts on the floor's policy of
// parents cannot be seen while a server answers, which is asked first.
func (s *Server) Guards(ctx context.Context, admin *rest.Config) error {
	ctx, cancel := context.WithTimeout(ctx, guardsTimeout)
	defer cancel()
	said := &said{}
	config := rest.CopyConfig(admin)
	config.WarningHandler = said
	// Not by a static floor, which lets this group through.
	config.Impersonate = rest.ImpersonationConfig{UserName: "canary@example.com", Groups: []string{"system:masters", "mollyguard:static-floor"}}
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	if err := makeCanary(ctx, clients); err != nil {
		return err
	}
	maps, dryRun := clients.CoreV1().ConfigMaps(metav1.NamespaceDefault), []string{metav1.DryRunAll}
	patch := func(kind types.PatchType, text string) func() error {
		return func() error {
			_, err := maps.Patch(ctx, canary, kind, []byte(text), metav1.PatchOptions{DryRun: dryRun})
			return err
		}
	}
	const asked, floor = "ConfigMap default/canary is production", "ValidatingAdmissionPolicy 'NAME-floor'"
	name := cmp.Or(s.opts.WebhookName, "mollyguard")
	tries := []try{
		{"to ask about deletions", asked, func() error { return maps.Delete(ctx, canary, metav1.DeleteOptions{DryRun: dryRun}) }},
		{"to ask about changes", asked, patch(types.JSONPatchType, `[{"op":"remove","path":"/data"}]`)},
	}
	switch _, err := clients.AdmissionregistrationV1().ValidatingAdmissionPolicies().Get(ctx, name+"-floor", metav1.GetOptions{}); {
	case err == nil:
		tries = append(tries, try{"to refuse by the floor", strings.ReplaceAll(floor, "NAME", name), patch(types.MergePatchType, `{"metadata":{"labels":{"env":null}}}`)})
	case !apierrors.IsNotFound(err):
		return err
	}
	for _, t := range tries {
		if err := said.wait(ctx, t); err != nil {
			return fmt.Errorf("wait for the API server %s: %w\n%s", t.what, err, s.talk)
		}
	}
	return nil
}

func makeCanary(ctx context.Context, clients kubernetes.Interface) error {
	_, err := clients.CoreV1().ConfigMaps(metav1.NamespaceDefault).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: canary, Labels: map[string]string{"env": "production"}}, Data: map[string]string{"a": "1"},
	}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("make a canary: %w", err)
	}
	return nil
}

// try is something that is answered with a certain text once the API server acts.
type try struct {
	what, want string
	do         func() error
}

// said keeps what the API server warns of.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

// HandleWarningHeader implements rest.WarningHandler.
func (s *said) HandleWarningHeader(_ int, _, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.WriteString(text + "\n")
}

func (s *said) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.text.Reset()
	return s.text.String()
}

// wait tries until the answer, or a warning beside it, has the text.
func (s *said) wait(ctx context.Context, t try) error {
	s.take()
	for {
		err := t.do()
		answer := s.take()
		if err != nil {
			answer += err.Error()
		}
		if strings.Contains(answer, t.want) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("it says " + cmp.Or(answer, "nothing"))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

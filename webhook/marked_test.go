package webhook

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/labels"
)

// staleLookup has an old copy of a namespace's labels, and asks the cluster for others.
type staleLookup struct {
	cached, fresh map[string]string
	err           error
}

func (l staleLookup) NamespaceLabels(context.Context, string) (map[string]string, error) {
	return l.cached, nil
}

func (l staleLookup) Object(_ context.Context, key ObjectKey) (ObjectMeta, error) {
	if diff := cmp.Diff(ObjectKey{Version: "v1", Resource: "namespaces", Name: "shop"}, key); diff != "" {
		return ObjectMeta{}, errors.New(diff)
	}
	return ObjectMeta{Labels: l.fresh}, l.err
}

func (staleLookup) Whole(context.Context, ObjectKey) ([]byte, error) {
	return nil, errors.New("no answer")
}

func (l staleLookup) Owner(context.Context, string, ObjectRef) (bool, error) { return true, nil }

func TestWhatTheAPIServerKnowsOfANamespaceIsBelievedBeforeAnOldCopy(t *testing.T) {
	selector, err := labels.Parse("env=production")
	if err != nil {
		t.Fatal(err)
	}
	dev, production := map[string]string{"env": "dev"}, map[string]string{"env": "production"}
	type learnt struct {
		Labels  map[string]string
		Unknown []string
	}
	for name, c := range map[string]struct {
		path   string
		lookup staleLookup
		want   learnt
	}{
		"an old copy, and the API server says that it is marked": {MarkedPath, staleLookup{cached: dev, fresh: production}, learnt{Labels: production}},
		"a copy that agrees":                    {MarkedPath + "/secret", staleLookup{cached: production, err: errors.New("not asked")}, learnt{Labels: production}},
		"an API server that says nothing of it": {Path, staleLookup{cached: dev, err: errors.New("not asked")}, learnt{Labels: dev}},
		"an old copy, and no answer": {
			MarkedPath, staleLookup{cached: dev, err: errors.New("no answer")},
			learnt{Unknown: []string{"the labels of namespace shop (no answer)"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := &decider{}
			handler := NewHandler(HandlerOptions{Reviewer: NewReviewer(ReviewerOptions{
				Decider: d, Lookup: c.lookup, Cluster: "prod-eu", NamespaceSelectors: []labels.Selector{selector},
			})})
			body := recorded(map[string]any{"oldObject": thing(nil, map[string]any{})})
			handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, c.path, bytes.NewReader(body)))
			got := learnt{d.asked[0].Target.NamespaceLabels, d.asked[0].Unknown}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("learnt (-want +got):\n%s", diff)
			}
		})
	}
}
